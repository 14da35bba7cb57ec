"""The layout of a run directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bioner_tf.files import remove_leftovers

# A directory with this file is a run directory.
CONFIG_FILE = "config.json"


class _Place:
    """A file or directory of a run: an attribute that gives its path."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, run: RunDirectory, owner: type[RunDirectory]) -> Path:
        return run.root / self._name


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The places in a run directory, which is the whole record of a run."""

    root: Path
    config = _Place(CONFIG_FILE)
    flags = _Place("flags.txt")  # of the last command, as a flagfile
    corpora = _Place("corpora.json")  # fingerprints of the corpora that the run began with
    vocabulary = _Place("vocabulary")
    checkpoints = _Place("checkpoints")
    metrics = _Place("metrics.jsonl")  # one record for each epoch
    events = _Place("tensorboard")
    report = _Place("report.json")  # the outcome
    all_predictions = _Place("predictions")
    learning_curve = _Place("learning_curve.png")
    exports = _Place("export")  # one directory for each exported version

    def remove_leftovers(self) -> None:
        """Removes what killed writers left; the caller must be the only writer."""
        for directory in (self.root, self.vocabulary, self.checkpoints, self.all_predictions):
            remove_leftovers(directory)

    def predictions(self, corpus: str, split: str) -> Path:
        """The file of the predicted tags of a split."""
        return self.all_predictions / f"{corpus}.{split}.tsv"
