"""Checkpoints that become visible only when complete."""

from __future__ import annotations

import logging
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
        """Saves the state after ``epoch`` epochs."""
        with publish_directory(self._path(epoch)) as directory:
            self._checkpoint.write(str(directory / "state"))

    def restore(self, epoch: int) -> None:
        """Puts back the state after ``epoch`` epochs.

        Raises:
            BionerError: The checkpoint is missing, damaged or of another model.
        """
        path = self._path(epoch)
        try:
            status = self._checkpoint.read(str(path / "state"))
            # All that is tracked must be there; what a checkpoint holds beyond it may stay unread.
            status.assert_existing_objects_matched().expect_partial()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BionerError(
                f"{path}: expected a whole checkpoint of this run: {reason}"
            ) from None

    def restore_newest(self) -> int | None:
        """Puts back the newest state that can be read; a damaged one is reported and removed.

        Returns:
            Its epoch, or None where there is none.
        """
        for epoch in reversed(self.epochs()):
            try:
                self.restore(epoch)
            except BionerError as error:
                _LOG.warning("%s; going back to the one before", error)
                shutil.rmtree(self._path(epoch))
            else:
                return epoch
        return None

    def keep_only(self, epochs: Iterable[int]) -> None:
        """Removes every checkpoint but those after ``epochs``."""
        for epoch in set(self.epochs()) - set(epochs):
            shutil.rmtree(self._path(epoch))

    def _path(self, epoch: int) -> Path:
        return self._directory / _NAME.format(epoch)
