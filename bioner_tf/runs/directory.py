"""The layout of a run directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bioner_tf.files import remove_leftovers

# What tells a run directory from another.
CONFIG_FILE = "config.json"


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The places in a run directory, which is the whole record of a run."""

    root: Path

    @property
    def config(self) -> Path:
        """The run's configuration."""
        return self.root / CONFIG_FILE

    @property
    def flags(self) -> Path:
        """The flags of the last command, as a flagfile."""
        return self.root / "flags.txt"

    @property
    def corpora(self) -> Path:
        """What tells the corpora that the run was begun with from others."""
        return self.root / "corpora.json"

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

    def remove_leftovers(self) -> None:
        """Removes what killed writers left; the caller must be the only writer."""
        predictions = self.root / "predictions"
        for directory in (self.root, self.vocabulary, self.checkpoints, predictions):
            remove_leftovers(directory)

    def predictions(self, corpus: str, split: str) -> Path:
        """The file of the predicted tags of a split."""
        return self.root / "predictions" / f"{corpus}.{split}.tsv"
