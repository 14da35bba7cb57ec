"""A Ray task that trains one cell on the machine where Ray places it."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_process import TRAINER, CellProcess, stop_all
from bioner_tf.experiments.sweeps.cell_state import BUSY, FINISHED, state_of
from bioner_tf.experiments.sweeps.plan import Cell

_POLL_SECONDS = 0.5
# When a machine is lost, a network file system keeps its locks until their lease ends.
_LOCK_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker needs to train a cell on any machine.

    Attributes:
        sweep_dir: The directory of the run directories, absolute.
        working_dir: The working directory of the command.
        data_dir: Where the corpora are, as the user wrote it: the run records this path.
        vectors_dir: Where the files of word vectors are, as the user wrote it.
        cell_cores: Cores per cell.
        cell_gpus: GPUs per cell.
        trainer: The command that trains a cell and is killed when its stdin is closed.
    """

    sweep_dir: Path
    working_dir: str
    data_dir: str
    vectors_dir: str
    cell_cores: int
    cell_gpus: float
    trainer: Sequence[str] | None = None

    def command(self, cell: Cell) -> list[str]:
        """Returns the command line that trains a cell, with this machine's path of Python."""
        run_dir = str(self.sweep_dir / cell.name)
        arguments = cell.arguments(self.data_dir, self.vectors_dir, run_dir)
        return [*(self.trainer or TRAINER), *arguments, f"--cores={self.cell_cores}"]


def follow_cell(cell: Cell, task: Task, lock_seconds: float = _LOCK_SECONDS) -> str:
    """Trains a cell.

    Args:
        cell: The cell; its run directory exists already.
        task: The directories and the command.
        lock_seconds: How long to wait for the end of an earlier try's process.

    Returns:
        ``FINISHED``, or ``BUSY`` if another process trains it.

    Raises:
        BionerError: The process failed, or cannot be started on this machine.
    """
    if state_of(task.sweep_dir, cell).finished:
        # The worker of an earlier try died after its process had ended.
        return FINISHED
    directory = task.sweep_dir / cell.name
    for needed in (directory, Path(task.working_dir)):
        if not needed.is_dir():
            raise BionerError(
                f"{socket.gethostname()}: expected {needed}, from a file system that all "
                "machines share, got none; see --sweep_dir"
            )
    process = _start(cell, task, directory, lock_seconds)
    if process is None:
        return BUSY
    try:
        process.popen.wait()
    finally:
        stop_all([process])
    error = process.finish()
    if error is not None:
        raise BionerError(error)
    return FINISHED


def _start(cell: Cell, task: Task, directory: Path, lock_seconds: float) -> CellProcess | None:
    # Hide the GPUs from a cell without one: Ray may have given them to other cells.
    environment = {} if task.cell_gpus else {"CUDA_VISIBLE_DEVICES": "-1"}
    deadline = time.monotonic() + lock_seconds
    while True:
        process = CellProcess.start(
            directory,
            task.command(cell),
            working_dir=task.working_dir,
            environment=environment,
        )
        if process is not None or time.monotonic() >= deadline:
            return process
        time.sleep(_POLL_SECONDS)
