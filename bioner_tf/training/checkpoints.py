"""Checkpoints that become visible only when complete."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, publish_directory

_NAME = "epoch-{:04d}"
_PATTERN = re.compile(r"epoch-(\d{4,})$")

_LOG = logging.getLogger(__name__)


class DamagedCheckpointError(BionerError):
    """The files of a checkpoint are not what was written."""


class CheckpointStore:
    """The checkpoints of a run, a directory an epoch.

    Args:
        directory: Where they stand.
        tracked: What a checkpoint holds, as for ``tf.train.Checkpoint``.
    """

    def __init__(self, directory: PathLike, **tracked: Any):
        self._directory = Path(directory)
        self._checkpoint = tf.train.Checkpoint(**tracked)

    def epochs(self) -> list[int]:
        """Returns the epochs after which a checkpoint stands, in order."""
        if not self._directory.is_dir():
            return []
        matches = (_PATTERN.match(path.name) for path in self._directory.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def save(self, epoch: int) -> None:
        """Saves the state after ``epoch`` epochs.

        Raises:
            BionerError: TensorFlow cannot write it, for instance because the disk is full.
        """
        path = self._path(epoch)
        try:
            with publish_directory(path) as directory:
                self._checkpoint.write(str(directory / "state"))
        except tf.errors.OpError as error:
            raise BionerError(
                f"{path}: expected to write a checkpoint, got: {_first_line(error)}; the one "
                "before is kept, the same command goes on from there"
            ) from None

    def restore(self, epoch: int) -> None:
        """Puts back the state after ``epoch`` epochs.

        Raises:
            DamagedCheckpointError: It is missing or damaged; nothing has been put back.
            BionerError: It is of another model.
        """
        path = self._path(epoch)
        try:
            status = self._checkpoint.read(str(path / "state"))
            # All that is tracked must be there; what a checkpoint holds beyond it may stay unread.
            status.assert_existing_objects_matched().expect_partial()
        # TensorFlow tells of a data file that is too short by an IndexError.
        except (tf.errors.OpError, IndexError) as error:
            reason = _first_line(error)
            raise DamagedCheckpointError(
                f"{path}: expected a whole checkpoint, but it is missing or damaged: {reason}"
            ) from None
        except (AssertionError, ValueError) as error:
            raise BionerError(
                f"{path}: expected a checkpoint of this run, got one of another model; if corpora "
                f"or vectors have changed since, take another --run_dir: {_first_line(error)}"
            ) from None

    def restore_newest(self) -> int | None:
        """Puts back the newest state that is whole; damaged ones are reported and set aside.

        Returns:
            Its epoch, or None where there is none and nothing has been put back.

        Raises:
            BionerError: The checkpoints are of another model.
        """
        for epoch in reversed(self.epochs()):
            try:
                self.restore(epoch)
            except DamagedCheckpointError as error:
                aside = self._set_aside(epoch)
                _LOG.warning("%s; set aside as %s, going back to the one before", error, aside.name)
            else:
                return epoch
        return None

    def keep_only(self, epochs: Iterable[int]) -> None:
        """Removes every checkpoint but those after ``epochs``."""
        for epoch in set(self.epochs()) - set(epochs):
            shutil.rmtree(self._path(epoch))

    def _set_aside(self, epoch: int) -> Path:
        path = self._path(epoch)
        aside = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(path, aside)
        return aside

    def _path(self, epoch: int) -> Path:
        return self._directory / _NAME.format(epoch)


def _first_line(error: Exception) -> str:
    """What TensorFlow says, without the name of the function that said it."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"^\{\{.*?\}\} ", "", first)
