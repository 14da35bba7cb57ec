"""A training run from its configuration to its report; the run directory is the whole record."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from bioner_tf.callbacks import (
    DevelopmentScores,
    EarlyStopping,
    FiniteGuard,
    History,
    Keeper,
    LearningRateDecay,
    Progress,
    Recorder,
)
from bioner_tf.checkpoints import CheckpointStore
from bioner_tf.config import RunConfig
from bioner_tf.corpus import write_predictions
from bioner_tf.distribution import Distribution, distribute
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.evaluation import Decoder
from bioner_tf.files import PathLike, write_json_atomically, write_text_atomically
from bioner_tf.material import (
    CHARACTERS_FILE,
    WORDS_FILE,
    Material,
    Vocabularies,
    gather,
)
from bioner_tf.metrics import Scores, format_scores, score_tags
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.pipeline import count_batches, turn_dataset, turn_rows
from bioner_tf.plots import draw_learning_curve
from bioner_tf.serving import ServedCorpus, ServedTagger, export_tagger
from bioner_tf.training import MultiTaskTrainer

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The places in a run directory."""

    root: Path

    @property
    def config(self) -> Path:
        """The run's configuration."""
        return self.root / "config.json"

    @property
    def flags(self) -> Path:
        """The flags of the last command, as a flagfile."""
        return self.root / "flags.txt"

    @property
    def vocabulary(self) -> Path:
        """The directory of the vocabularies."""
        return self.root / "vocabulary"

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints."""
        return self.root / "checkpoints"

    @property
    def metrics(self) -> Path:
        """The record of the epochs."""
        return self.root / "metrics.jsonl"

    @property
    def events(self) -> Path:
        """The directory of TensorBoard's events."""
        return self.root / "tensorboard"

    @property
    def report(self) -> Path:
        """The outcome."""
        return self.root / "report.json"

    @property
    def learning_curve(self) -> Path:
        """The picture of the epochs."""
        return self.root / "learning_curve.png"

    @property
    def exports(self) -> Path:
        """The directory of the exported versions."""
        return self.root / "export"

    def predictions(self, corpus: str, split: str) -> Path:
        """The file of the predicted tags of a split."""
        return self.root / "predictions" / f"{corpus}.{split}.tsv"


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run's tagger with the weights that the run is for: its best epoch's, or its last.

    Attributes:
        directory: Where the run is.
        config: What it was.
        vocabularies: Its vocabularies.
        tagger: Its networks.
        report: Its outcome as far as it is known: the epoch of the weights, scores.
    """

    directory: RunDirectory
    config: RunConfig
    vocabularies: Vocabularies
    tagger: MultiTaskTagger
    report: Mapping[str, Any]


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
    report = _read_report(directory)
    if report.get("epochs") == config.training.epochs:
        print(f"{directory.root}: this run has ended\n\n{format_parameters(report['parameters'])}")
        _print_scores(report)
        return

    distribution = distribute(config.training.distribute)
    material = gather(config)
    config = material.config
    # Once more, now that the width of the word vectors is known.
    _refuse_other_run(directory, config)
    _refuse_other_data(directory, material.vocabularies)
    with distribution.strategy.scope():
        tagger = build_tagger(
            config.model,
            material.word_table,
            material.vocabularies.num_characters,
            material.vocabularies.tags,
            config.training.seed,
        )
    decoder = Decoder(tagger, material.vocabularies.tags)
    if not distribution.is_chief:
        _fit(material, tagger, decoder, directory, distribution)
        return

    config.save(directory.config)
    write_text_atomically(directory.flags, flags_text)
    material.vocabularies.save(directory.vocabulary)
    report = {
        "structure": config.model.structure,
        "parameters": tagger.count_parameters(),
        "data": material.describe(),
    }
    if config.data.vectors:
        print(f"word vectors found\n{material.coverage}\n")
    print(format_parameters(report["parameters"]), end="\n\n", flush=True)
    if config.training.epochs > 0:
        report["epoch"] = _fit(material, tagger, decoder, directory, distribution)
        history = History(directory.metrics, config.training.epochs)
        if not draw_learning_curve(directory.learning_curve, history.records, tagger.corpora):
            print("no learning curve: pip install 'bioner_tf[plot]' brings what draws it")
        report["scores"] = _final_scores(material, decoder, directory)
        run = TrainedRun(directory, config, material.vocabularies, tagger, report)
        # Always version 1: an export that an interrupted run left behind is replaced.
        print(f"exported to {export_run(run, directory.exports, version=1)}")
    # Last of all: a run that has this has ended.
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
        if setting not in free and before[setting] != value:
            raise UsageError(
                f"{directory.root}: this run was begun with --{setting}={before[setting]}, got "
                f"{value}; give the same again, or another --run_dir"
            )
    trained = max(CheckpointStore(directory.checkpoints).epochs(), default=0)
    if config.training.epochs < trained:
        raise UsageError(
            f"{directory.root}: this run has trained {trained} epochs already, got "
            f"--epochs={config.training.epochs}; give as many or more, or another --run_dir"
        )


def _refuse_other_data(directory: RunDirectory, vocabularies: Vocabularies) -> None:
    """Checks that corpora and vectors still hold the words that the checkpoints are made for."""
    if not CheckpointStore(directory.checkpoints).epochs():
        return
    if Vocabularies.load(directory.vocabulary, list(vocabularies.tags)) != vocabularies:
        raise BionerError(
            f"{directory.root}: expected the corpora and vectors that this run was begun with, got "
            "others: they give another vocabulary; put them back, or give another --run_dir"
        )


def _flatten(config: RunConfig) -> dict[str, Any]:
    """The settings by flag, as they are after a round trip through JSON."""
    parts = json.loads(json.dumps(config.to_json())).values()
    return {name: value for part in parts for name, value in part.items()}


def _read_report(directory: RunDirectory) -> dict[str, Any]:
    return json.loads(directory.report.read_text()) if directory.report.exists() else {}


def _print_scores(report: Mapping[str, Any]) -> None:
    for corpus, splits in report.get("scores", {}).items():
        table = format_scores(splits["test"])
        print(f"\n{corpus}, test, after epoch {report['epoch']}\n{table}")


def _fit(
    material: Material,
    tagger: MultiTaskTagger,
    decoder: Decoder,
    directory: RunDirectory,
    distribution: Distribution,
) -> int:
    """Trains from the newest checkpoint on; returns the epoch whose weights are left in."""
    config = material.config
    settings = config.training
    best_by = f"{config.data.corpora[0]}/devel_f1"
    with distribution.strategy.scope():
        trainer = MultiTaskTrainer(tagger, settings)
        store = checkpoint_store(directory, tagger, trainer.optimizer)
        done = store.restore_newest() or 0
    history = History(directory.metrics, done)
    stalled = settings.patience > 0 and history.has_stalled(best_by, settings.patience)
    if done:
        print(f"going on after epoch {done}", flush=True)
    if done < settings.epochs and not stalled:
        main = material.encoded_training[tagger.corpora[0]]
        # Rounded up: an epoch passes over the whole main corpus.
        steps = -(-count_batches(main, settings.batch_size) // distribution.replicas)
        draw = functools.partial(
            turn_dataset,
            material.encoded_training,
            material.forms,
            settings.batch_size,
            settings.seed,
        )
        trainer.fit(
            distribution.dataset(draw, first_step=done * steps),
            initial_epoch=done,
            epochs=settings.epochs,
            steps_per_epoch=steps,
            callbacks=_callbacks(material, decoder, directory, history, store, distribution),
            verbose=0,
        )
    final = chosen_epoch(config, history)
    if distribution.is_chief:
        store.restore(final)
    return final


def _callbacks(
    material: Material,
    decoder: Decoder,
    directory: RunDirectory,
    history: History,
    store: CheckpointStore,
    distribution: Distribution,
) -> list[keras.callbacks.Callback]:
    """What happens in training, in the order in which it happens at the end of an epoch."""
    config = material.config
    settings = config.training
    corpora = list(config.data.corpora)
    best_by = f"{corpora[0]}/devel_f1"

    def rows_of_step(step: int) -> dict[str, list[int]]:
        turns = range(step * distribution.replicas, (step + 1) * distribution.replicas)
        drawn = list(
            turn_rows(material.encoded_training, settings.batch_size, settings.seed, turns)
        )
        return {corpus: [int(r) for rows in drawn for r in rows[corpus]] for corpus in corpora}

    callbacks: list[keras.callbacks.Callback] = [
        LearningRateDecay(settings.learning_rate, settings.learning_rate_decay),
        FiniteGuard(corpora, rows_of_step),
    ]
    if config.data.train_on == "train":
        score = functools.partial(_scores, material, decoder, "devel")
        callbacks.append(DevelopmentScores(score))
    callbacks.append(Recorder(history))
    if distribution.is_chief:
        callbacks += [Keeper(history, store, best_by, directory.events), Progress(corpora)]
    if settings.patience:
        callbacks.append(EarlyStopping(history, best_by, settings.patience))
    return callbacks


def chosen_epoch(config: RunConfig, history: History) -> int:
    """The epoch that a run is for: the best on devel where devel is held out, else the last."""
    if config.data.train_on == "train":
        best = history.best_epoch(f"{config.data.corpora[0]}/devel_f1")
        if best is not None:
            return best
    return len(history.records)


def checkpoint_store(
    directory: RunDirectory,
    tagger: MultiTaskTagger,
    optimizer: keras.optimizers.Optimizer | None = None,
) -> CheckpointStore:
    """Returns the run's checkpoints, of the weights alone where no optimizer is given."""
    tracked = {"weights": tagger.variables(), "updates": tagger.updates}
    if optimizer is not None:
        tracked["optimizer"] = optimizer
    return CheckpointStore(directory.checkpoints, **tracked)


def _scores(
    material: Material,
    decoder: Decoder,
    split: str,
    directory: RunDirectory | None = None,
) -> dict[str, Scores]:
    """Scores a split of every corpus; writes the predictions where a directory is given."""
    scores = {}
    for corpus, content in material.corpora.items():
        sentences = content.splits[split].sentences
        predicted = decoder.predict(corpus, material.encode(corpus, split), material.forms)
        scores[corpus] = score_tags((sentence.tags for sentence in sentences), predicted)
        if directory is not None:
            write_predictions(directory.predictions(corpus, split), sentences, predicted)
    return scores


def _final_scores(
    material: Material, decoder: Decoder, directory: RunDirectory
) -> dict[str, dict[str, Any]]:
    """Scores, by corpus and split, what was not trained on."""
    splits = ("devel", "test") if material.config.data.train_on == "train" else ("test",)
    scores = {split: _scores(material, decoder, split, directory) for split in splits}
    return {
        corpus: {split: scores[split][corpus].to_json() for split in splits}
        for corpus in material.corpora
    }


def load_run(run_dir: PathLike) -> TrainedRun:
    """Loads a run's tagger.

    Raises:
        BionerError: Not a run directory, or nothing was trained in it yet.
    """
    directory = RunDirectory(Path(run_dir))
    config = RunConfig.load(directory.config)
    loaded = Vocabularies.load(directory.vocabulary, config.data.corpora)
    tagger = build_tagger(
        config.model,
        np.zeros((loaded.num_words, config.model.word_dim), np.float32),
        loaded.num_characters,
        loaded.tags,
        config.training.seed,
    )
    store = checkpoint_store(directory, tagger)
    epochs = store.epochs()
    if not epochs:
        raise BionerError(f"{directory.checkpoints}: expected a checkpoint, got none; train first")
    epoch = chosen_epoch(config, History(directory.metrics, epochs[-1]))
    store.restore(epoch)
    return TrainedRun(
        directory, config, loaded, tagger, {"epoch": epoch, **_read_report(directory)}
    )


def export_run(run: TrainedRun, export_dir: PathLike, version: int | None = None) -> Path:
    """Writes a run's tagger as a SavedModel.

    Args:
        run: The run.
        export_dir: The directory of versions.
        version: The version's number; by default the next.

    Returns:
        The directory of the new version.
    """
    settings = run.config.to_json()
    # Where the files were is nobody's business but the run's.
    del settings["data"]["data_dir"], settings["data"]["vectors"]
    served = ServedTagger(
        corpora=[_served_corpus(run, corpus) for corpus in run.tagger.corpora],
        variables=run.tagger.variables(),
        words_path=run.directory.vocabulary / WORDS_FILE,
        characters_path=run.directory.vocabulary / CHARACTERS_FILE,
        max_characters=run.config.model.max_characters,
        metadata={
            "structure": run.config.model.structure,
            "settings": settings,
            "epoch": run.report["epoch"],
            "scores": run.report.get("scores", {}),
        },
    )
    return export_tagger(served, export_dir, version)


def _served_corpus(run: TrainedRun, corpus: str) -> ServedCorpus:
    network, crf = run.tagger.networks[corpus], run.tagger.crfs[corpus]

    def potentials(
        word_ids: tf.Tensor, lengths: tf.Tensor, char_ids: tf.Tensor, form_ids: tf.Tensor
    ) -> tf.Tensor:
        inputs = {
            "word_ids": word_ids,
            "lengths": lengths,
            "char_ids": char_ids,
            "form_ids": form_ids,
        }
        return crf.potentials(network(inputs)["emissions"])

    return ServedCorpus(name=corpus, tags=run.vocabularies.tags[corpus], network=potentials)


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Lays the parameter counts out as a table."""
    rows = [*parameters["parts"].items(), ("total", parameters["total"])]
    rows.append(("without word vectors", parameters["rest"]))
    width = max(len(name) for name, _ in rows)
    lines = (f"{name:<{width}}  {count:>12,}" for name, count in rows)
    return "\n".join(["trainable parameters", *lines])
