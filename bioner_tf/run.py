"""A training run from its configuration to its report; the run directory is the whole record."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
from pathlib import Path
from typing import Any, Mapping, Optional

import numpy as np
from tensorflow import keras

from bioner_tf.callbacks import DevelopmentScores, History, Progress, Recorder
from bioner_tf.checkpoints import CheckpointStore
from bioner_tf.config import RunConfig
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.evaluation import Decoder, write_predictions
from bioner_tf.files import PathLike, write_json_atomically, write_text_atomically
from bioner_tf.material import Material, Vocabularies, gather
from bioner_tf.metrics import Scores, score_tags
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.pipeline import count_batches, turn_dataset
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
        epoch: The epochs behind the weights.
        report: Its outcome, empty where it has none yet.
    """

    directory: RunDirectory
    config: RunConfig
    vocabularies: Vocabularies
    tagger: MultiTaskTagger
    epoch: int
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
    material = gather(config)
    config = material.config
    _claim(directory, config, flags_text)
    material.vocabularies.save(directory.vocabulary)
    tagger = build_tagger(
        config.model,
        material.word_table,
        material.vocabularies.num_characters,
        material.vocabularies.tags,
        config.training.seed,
    )
    report = {
        "structure": config.model.structure,
        "parameters": tagger.count_parameters(),
        "data": material.describe(),
    }
    if config.data.vectors:
        print(f"word vectors found\n{material.coverage}\n")
    print(format_parameters(report["parameters"]), end="\n\n")
    if config.training.epochs == 0:
        write_json_atomically(directory.report, report)
        return

    decoder = Decoder(tagger, material.vocabularies.tags)
    report["epoch"] = _fit(material, tagger, decoder, directory)
    splits = ("devel", "test") if config.data.train_on == "train" else ("test",)
    scores = {split: _scores(material, decoder, split, directory) for split in splits}
    report["scores"] = {
        corpus: {split: scores[split][corpus].to_json() for split in splits}
        for corpus in tagger.corpora
    }
    write_json_atomically(directory.report, report)
    for corpus, table in scores["test"].items():
        print(f"\n{corpus}, test, after epoch {report['epoch']}\n{table.format_table()}")


def _claim(directory: RunDirectory, config: RunConfig, flags_text: str) -> None:
    """Makes the directory this run's, or checks that it is."""
    if directory.config.exists():
        before = _flatten(RunConfig.load(directory.config).to_json())
        for setting, value in _flatten(config.to_json()).items():
            if before[setting] != value and setting != "epochs":
                raise UsageError(
                    f"{directory.root}: this run was begun with --{setting}={before[setting]}, got "
                    f"{value}; give the same, or another --run_dir"
                )
    config.save(directory.config)
    write_text_atomically(directory.flags, flags_text)


def _flatten(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings by flag, as they are after a round trip through JSON."""
    parts = json.loads(json.dumps(config)).values()
    return {name: value for part in parts for name, value in part.items()}


def _fit(
    material: Material, tagger: MultiTaskTagger, decoder: Decoder, directory: RunDirectory
) -> int:
    """Trains from the newest checkpoint on; returns the epoch whose weights the tagger ends with."""
    config = material.config
    settings = config.training
    held_out = config.data.train_on == "train"
    main = config.data.corpora[0]
    best_by = f"{main}/devel_f1"

    trainer = MultiTaskTrainer(tagger, settings)
    store = checkpoint_store(directory, tagger, trainer.optimizer)
    done = store.restore_newest() or 0
    if done:
        print(f"going on after epoch {done}")
    history = History(directory.metrics, done)
    callbacks = [
        keras.callbacks.LearningRateScheduler(
            lambda epoch: settings.learning_rate * settings.learning_rate_decay**epoch
        ),
        Recorder(history, store, best_by, directory.events),
        Progress(main, tagger.corpora),
    ]
    if held_out:
        callbacks.insert(
            0, DevelopmentScores(functools.partial(_scores, material, decoder, "devel"))
        )
    turns = count_batches(material.encoded_training[main], settings.batch_size)
    trainer.fit(
        turn_dataset(
            material.encoded_training,
            material.forms,
            settings.batch_size,
            settings.seed,
            start=done * turns,
        ),
        initial_epoch=done,
        epochs=settings.epochs,
        steps_per_epoch=turns,
        callbacks=callbacks,
        verbose=0,
    )
    final = chosen_epoch(config, history)
    store.restore(final)
    return final


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
    optimizer: Optional[keras.optimizers.Optimizer] = None,
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
    directory: Optional[RunDirectory] = None,
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
        raise BionerError(
            f"{directory.checkpoints}: expected a checkpoint, found none; train first"
        )
    epoch = chosen_epoch(config, History(directory.metrics, epochs[-1]))
    store.restore(epoch)
    report = json.loads(directory.report.read_text()) if directory.report.exists() else {}
    return TrainedRun(directory, config, loaded, tagger, epoch, report)


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Lays the parameter counts out as a table."""
    rows = [*parameters["parts"].items(), ("total", parameters["total"])]
    rows.append(("without word vectors", parameters["rest"]))
    width = max(len(name) for name, _ in rows)
    lines = (f"{name:<{width}}  {count:>12,}" for name, count in rows)
    return "\n".join(["trainable parameters", *lines])
