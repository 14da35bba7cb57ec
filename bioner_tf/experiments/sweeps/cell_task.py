"""A Ray task: trains one cell on whatever machine it is sent to."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_process import TETHERED_TRAINER, CellProcess, stop_all
from bioner_tf.experiments.sweeps.cell_state import BUSY, FINISHED, state_of
from bioner_tf.experiments.sweeps.plan import Cell

_POLL_SECONDS = 0.5
# A lock on a network file system outlives a machine that has gone by the lease of its server.
_LOCK_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker must know to train a cell, wherever it runs.

    Attributes:
        sweep_dir: The directory of the run directories, absolute.
        working_dir: Where the relative paths of the command start.
        data_dir: Where the corpora are, as it was given: a run remembers that.
        vectors_dir: Where the files of word vectors are, likewise.
        cell_cores: Cores of a cell.
        cell_gpus: GPUs of a cell.
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
        """The command line that trains a cell, with the Python of the machine that asks."""
        run_dir = str(self.sweep_dir / cell.name)
        arguments = cell.arguments(self.data_dir, self.vectors_dir, run_dir)
        return [*(self.trainer or TETHERED_TRAINER), *arguments, f"--cores={self.cell_cores}"]


def follow_cell(cell: Cell, task: Task, lock_seconds: float = _LOCK_SECONDS) -> str:
    """Trains a cell.

    Args:
        cell: The cell; the directory of its run is there already.
        task: Where and how.
        lock_seconds: How long to wait until the process of an earlier try has ended.

    Returns:
        ``FINISHED``, or ``BUSY`` where another process trains it.

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
    # A cell without a GPU must not take one that Ray has given to another.
    environment = {} if task.cell_gpus else {"CUDA_VISIBLE_DEVICES": "-1"}
    deadline = time.monotonic() + lock_seconds
    while True:
        process = CellProcess.start(
            directory,
            task.command(cell),
            tethered=True,
            working_dir=task.working_dir,
            environment=environment,
        )
        if process is not None or time.monotonic() >= deadline:
            return process
        time.sleep(_POLL_SECONDS)
