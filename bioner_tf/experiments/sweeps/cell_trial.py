"""A trial: trains one cell on whatever machine it is sent to, and reports its epochs."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_process import TETHERED_TRAINER, CellProcess, stop_all
from bioner_tf.experiments.sweeps.cell_state import BUSY, FINISHED, state_of
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.runs.collection import read_history
from bioner_tf.runs.directory import RunDirectory

_POLL_SECONDS = 0.5
# A lock on a network file system outlives a machine that has gone by the lease of its server.
_LOCK_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Task:
    """What a trial must know to train a cell, wherever it runs.

    Attributes:
        sweep_dir: The directory of the run directories, absolute.
        tune_dir: What Tune records about this sweep, absolute: where a machine does not see it,
            it does not share the sweep directory.
        working_dir: Where the relative paths of the command start.
        data_dir: Where the corpora are, as it was given: a run remembers that.
        vectors_dir: Where the files of word vectors are, likewise.
        cell_cores: Cores of a cell.
        cell_gpus: GPUs of a cell.
        cells: The cells by name.
        trainer: The command that trains a cell and is killed when its stdin is closed.
    """

    sweep_dir: Path
    tune_dir: Path
    working_dir: str
    data_dir: str
    vectors_dir: str
    cell_cores: int
    cell_gpus: float
    cells: Mapping[str, Cell]
    trainer: Sequence[str] | None = None

    def command(self, cell: Cell) -> list[str]:
        """The command line that trains a cell, with the Python of the machine that asks."""
        run_dir = str(self.sweep_dir / cell.name)
        arguments = cell.arguments(self.data_dir, self.vectors_dir, run_dir)
        return [*(self.trainer or TETHERED_TRAINER), *arguments, f"--cores={self.cell_cores}"]


def follow_cell(
    cell: Cell,
    task: Task,
    report: Callable[[dict[str, Any]], None],
    lock_seconds: float = _LOCK_SECONDS,
) -> str:
    """Trains a cell and reports its epochs, those of earlier starts too, as they come.

    Args:
        cell: The cell.
        task: Where and how.
        report: Is given each epoch's metrics.
        lock_seconds: How long to wait for the process of a try before to be gone.

    Returns:
        ``FINISHED``, or ``BUSY`` where another process trains it.

    Raises:
        BionerError: The process failed, or cannot be started on this machine.
    """
    if state_of(task.sweep_dir, cell).finished:
        # Whoever watched an earlier try died when the process was through.
        return FINISHED
    for directory in (task.tune_dir, Path(task.working_dir)):
        if not directory.is_dir():
            raise BionerError(
                f"{socket.gethostname()}: expected {directory}, from a file system that all "
                "machines share, got none; see --sweep_dir"
            )
    directory = task.sweep_dir / cell.name
    process = _start(cell, task, directory, lock_seconds)
    if process is None:
        return BUSY
    reported = 0
    try:
        while True:
            # In this order, so that no epoch is missed.
            ended = process.popen.poll() is not None
            records = read_history(RunDirectory(directory).metrics)
            for record in records[reported:]:
                report(epoch_metrics(record, cell.corpora))
            reported = max(reported, len(records))
            if ended:
                break
            time.sleep(_POLL_SECONDS)
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


def epoch_metrics(record: Mapping[str, Any], corpora: Sequence[str]) -> dict[str, Any]:
    """An epoch as Tune is told it: under names, too, that all cells have in common.

    Args:
        record: The epoch's line of ``metrics.jsonl``.
        corpora: The corpora, the main one first.

    Returns:
        The record with ``loss``, the sum over the corpora, and, where devel is scored, with
        ``devel_f1`` of the main corpus.
    """
    metrics = {**record, "loss": sum(record[f"{corpus}/loss"] for corpus in corpora)}
    main_f1 = f"{corpora[0]}/devel_f1"
    if main_f1 in record:
        metrics["devel_f1"] = record[main_f1]
    return metrics
