"""A training run from its configuration to its report; the run directory is the whole record."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorflow import keras

from bioner_tf.config import RunConfig
from bioner_tf.corpora.corpus import write_predictions
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import (
    PathLike,
    lock_directory,
    read_json_object,
    write_json_atomically,
    write_text_atomically,
)
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.scoring.metrics import Scores, format_scores, score_tags
from bioner_tf.training.batches import count_batches, turn_dataset, turn_rows
from bioner_tf.training.callbacks import (
    CheckpointSaver,
    DevelopmentScores,
    EarlyStopping,
    FiniteGuard,
    History,
    LearningRateDecay,
    Recorder,
    TrainingProgress,
)
from bioner_tf.training.checkpoints import CheckpointStore, list_epochs
from bioner_tf.training.distribution import Distribution, distribute
from bioner_tf.training.evaluation import Decoder
from bioner_tf.training.inputs import (
    TrainingInputs,
    Vocabularies,
    load_inputs,
)
from bioner_tf.training.plots import draw_learning_curve
from bioner_tf.training.trained_run import (
    TrainedRun,
    checkpoint_store,
    chosen_epoch,
    export_run,
    find_export,
)
from bioner_tf.training.trainer import MultiTaskTrainer


def train(config: RunConfig, run_dir: PathLike, flags_text: str) -> None:
    """Trains, or goes on training, then scores the test splits, exports and reports.

    Args:
        config: The run.
        run_dir: Its directory; what an interrupted run left there is used.
        flags_text: The command's flags, for the record.

    Raises:
        UsageError: The directory holds a run with other settings.
        BionerError: Something cannot be read or written.
    """
    directory = RunDirectory(Path(run_dir))
    if directory.root.is_file():
        raise BionerError(f"{run_dir}: expected a directory, got a file; give another --run_dir")
    _refuse_other_run(directory, config)
    report = directory.read_report()
    if report.get("epochs") == config.training.epochs:
        print(f"{directory.root}: this run has ended\n\n{format_parameters(report['parameters'])}")
        _print_scores(report)
        return

    distribution = distribute(config.training.distribute)
    inputs = load_inputs(config)
    config = inputs.config
    # Once more, now that the width of the word vectors is known.
    _refuse_other_run(directory, config)
    _refuse_other_data(directory, inputs)
    with contextlib.ExitStack() as lock:
        # Of several workers only the chief writes.
        if distribution.is_chief:
            lock.enter_context(lock_directory(directory.root, "train.lock"))
        with distribution.strategy.scope():
            tagger = build_tagger(
                config.model,
                inputs.vocabularies.sources,
                inputs.vocabularies.tags,
                config.training.seed,
            )
        decoder = Decoder(tagger, inputs.vocabularies.tags)
        if not distribution.is_chief:
            _fit(inputs, tagger, decoder, directory, distribution)
            return

        config.save(directory.config)
        write_text_atomically(directory.flags, flags_text)
        write_json_atomically(directory.corpora, inputs.fingerprints())
        inputs.vocabularies.save(directory.vocabulary)
        report = {
            "structure": config.model.structure,
            "parameters": tagger.count_parameters(),
            "data": inputs.describe(),
        }
        for source in inputs.vocabularies.sources:
            if summary := source.summary():
                print(f"{summary}\n")
        print(format_parameters(report["parameters"]), end="\n\n", flush=True)
        if config.training.epochs > 0:
            report["epoch"] = _fit(inputs, tagger, decoder, directory, distribution)
            history = History(directory.metrics, config.training.epochs)
            if not draw_learning_curve(directory.learning_curve, history.records, tagger.corpora):
                print("no learning curve: pip install 'bioner_tf[plot]' brings what draws it")
            report["scores"] = _final_scores(inputs, decoder, directory)
            run = TrainedRun(directory, config, inputs.vocabularies, tagger, report)
            # Reuse the version that this run already exported; never overwrite other weights.
            version = find_export(run, directory.exports)
            print(f"exported to {export_run(run, directory.exports, version)}")
        # Written last: marks the run as finished.
        report["epochs"] = config.training.epochs
        write_json_atomically(directory.report, report)
        _print_scores(report)


def _refuse_other_run(directory: RunDirectory, config: RunConfig) -> None:
    """Checks that what the directory holds was begun with the same settings."""
    if not directory.config.exists():
        return
    # More epochs go on with a run; a width that is not asked for was settled when the run began.
    free = {"epochs"} if config.model.word_dim else {"epochs", "word_dim"}
    before = _flatten(RunConfig.load(directory.config))
    for setting, value in _flatten(config).items():
        if setting in ("data_dir", "vectors") and value:
            same = os.path.abspath(before[setting]) == os.path.abspath(value)
        else:
            same = before[setting] == value
        if setting not in free and not same:
            raise UsageError(
                f"{directory.root}: this run was begun with --{setting}={before[setting]}, got "
                f"{value}; give the same again, or another --run_dir"
            )
    trained = max(list_epochs(directory.checkpoints), default=0)
    if config.training.epochs < trained:
        raise UsageError(
            f"{directory.root}: this run has trained {trained} epochs already, got "
            f"--epochs={config.training.epochs}; give as many or more, or another --run_dir"
        )


def _refuse_other_data(directory: RunDirectory, inputs: TrainingInputs) -> None:
    """Checks that corpora and vectors still hold what the checkpoints are made for."""
    if not list_epochs(directory.checkpoints):
        return
    begun_with = read_json_object(directory.corpora)
    for corpus, splits in inputs.fingerprints().items():
        for split, found in splits.items():
            if corpus not in begun_with or split not in begun_with[corpus]:
                raise BionerError(
                    f"{directory.corpora}: expected the fingerprint of {corpus}, {split}: "
                    "put the file back, or give another --run_dir"
                )
            if found != begun_with[corpus][split]:
                raise BionerError(
                    f"{inputs.corpora[corpus].splits[split].path}: expected the sentences and "
                    f"tags that {directory.root} was begun with, got others; put the file back, or "
                    "give another --run_dir"
                )
    before = Vocabularies.load(directory.vocabulary, inputs.config)
    if not before.has_same_entries(inputs.vocabularies):
        raise BionerError(
            f"{directory.root}: expected the vectors that this run was begun with, got others: "
            "they give another vocabulary; put them back, or give another --run_dir"
        )


def _flatten(config: RunConfig) -> dict[str, Any]:
    """The settings by flag, as they are after a round trip through JSON."""
    parts = json.loads(json.dumps(config.to_json())).values()
    return {name: value for part in parts for name, value in part.items()}


def _print_scores(report: Mapping[str, Any]) -> None:
    for corpus, splits in report.get("scores", {}).items():
        table = format_scores(splits["test"])
        print(f"\n{corpus}, test, after epoch {report['epoch']}\n{table}")


def _fit(
    inputs: TrainingInputs,
    tagger: MultiTaskTagger,
    decoder: Decoder,
    directory: RunDirectory,
    distribution: Distribution,
) -> int:
    """Trains from the newest checkpoint on; returns the epoch whose weights are left in."""
    config = inputs.config
    settings = config.training
    best_by = f"{config.data.corpora[0]}/devel_f1"
    with distribution.strategy.scope():
        trainer = MultiTaskTrainer(tagger, settings)
        store = checkpoint_store(directory, tagger, trainer.optimizer)
        done = store.restore_newest() or 0
    history = History(directory.metrics, done)
    if len(history.records) < done:
        raise BionerError(
            f"{directory.metrics}: expected a line for each of the {done} epochs so far, got "
            f"{len(history.records)}; put the file back, or give another --run_dir"
        )
    stalled = settings.patience > 0 and history.has_stalled(best_by, settings.patience)
    if done:
        print(f"going on after epoch {done}", flush=True)
    if done < settings.epochs and not stalled:
        main = inputs.encoded_training[tagger.corpora[0]]
        # Rounded up: an epoch passes over the whole main corpus.
        steps = -(-count_batches(main, settings.batch_size) // distribution.replicas)
        draw = functools.partial(
            turn_dataset,
            inputs.encoded_training,
            inputs.forms,
            settings.batch_size,
            settings.seed,
        )
        trainer.fit(
            distribution.dataset(draw, first_step=done * steps),
            initial_epoch=done,
            epochs=settings.epochs,
            steps_per_epoch=steps,
            callbacks=_callbacks(inputs, decoder, directory, history, store, distribution),
            verbose=0,
        )
    final = chosen_epoch(config, history)
    if distribution.is_chief:
        store.restore(final)
    return final


def _callbacks(
    inputs: TrainingInputs,
    decoder: Decoder,
    directory: RunDirectory,
    history: History,
    store: CheckpointStore,
    distribution: Distribution,
) -> list[keras.callbacks.Callback]:
    """What happens in training, in the order in which it happens at the end of an epoch."""
    config = inputs.config
    settings = config.training
    corpora = list(config.data.corpora)
    best_by = f"{corpora[0]}/devel_f1"

    def rows_of_step(step: int) -> dict[str, list[int]]:
        turns = range(step * distribution.replicas, (step + 1) * distribution.replicas)
        drawn = list(turn_rows(inputs.encoded_training, settings.batch_size, settings.seed, turns))
        return {corpus: [int(r) for rows in drawn for r in rows[corpus]] for corpus in corpora}

    callbacks: list[keras.callbacks.Callback] = [
        LearningRateDecay(settings.learning_rate, settings.learning_rate_decay),
        FiniteGuard(corpora, rows_of_step),
    ]
    if config.data.train_on == "train":
        score = functools.partial(_scores, inputs, decoder, "devel")
        callbacks.append(DevelopmentScores(score))
    callbacks.append(Recorder(history))
    if distribution.is_chief:
        callbacks += [
            CheckpointSaver(history, store, best_by, directory.events),
            TrainingProgress(corpora),
        ]
    if settings.patience:
        callbacks.append(EarlyStopping(history, best_by, settings.patience))
    return callbacks


def _scores(
    inputs: TrainingInputs,
    decoder: Decoder,
    split: str,
    directory: RunDirectory | None = None,
) -> dict[str, Scores]:
    """Scores a split of every corpus; writes the predictions where a directory is given."""
    scores = {}
    for corpus, content in inputs.corpora.items():
        sentences = content.splits[split].sentences
        predicted = decoder.predict(corpus, inputs.encode(corpus, split), inputs.forms)
        scores[corpus] = score_tags((sentence.tags for sentence in sentences), predicted)
        if directory is not None:
            write_predictions(directory.predictions(corpus, split), sentences, predicted)
    return scores


def _final_scores(
    inputs: TrainingInputs, decoder: Decoder, directory: RunDirectory
) -> dict[str, dict[str, Any]]:
    """Scores, by corpus and split, what was not trained on."""
    splits = ("devel", "test") if inputs.config.data.train_on == "train" else ("test",)
    scores = {split: _scores(inputs, decoder, split, directory) for split in splits}
    return {
        corpus: {split: scores[split][corpus].to_json() for split in splits}
        for corpus in inputs.corpora
    }


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Lays the parameter counts out as a table."""
    rows = [*parameters["parts"].items(), ("total", parameters["total"])]
    rows.append(("without word vectors", parameters["rest"]))
    width = max(len(name) for name, _ in rows)
    lines = (f"{name:<{width}}  {count:>12,}" for name, count in rows)
    return "\n".join(["trainable parameters", *lines])
