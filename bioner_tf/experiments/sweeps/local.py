"""Runs the cells of an experiment as processes on this machine."""

from __future__ import annotations

import collections
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bioner_tf.experiments.sweeps.cell_check import CellCheck
from bioner_tf.experiments.sweeps.cell_process import (
    TRAINER,
    CellProcess,
    interrupted_by_sigterm,
    stop_all,
)
from bioner_tf.experiments.sweeps.cell_state import (
    BUSY,
    FAILED,
    Outcome,
    ended_outcome,
    progress_line,
    split_finished,
)
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike

_POLL_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Resources:
    """What the processes may use.

    Attributes:
        data_dir: Where the corpora are.
        vectors_dir: Where the files of word vectors are.
        jobs: How many cells run at once.
        cores: How many cores they share, an equal part for each process; by default all.
        retries: How often a cell that failed is started again.
        trainer: The command that trains a cell.
    """

    data_dir: str
    vectors_dir: str = "."
    jobs: int = 1
    cores: int | None = None
    retries: int = 0
    trainer: Sequence[str] = TRAINER


def run_cells(
    sweep_dir: PathLike,
    cells: Sequence[Cell],
    resources: Resources,
    report: Callable[[str], None] = print,
) -> list[Outcome]:
    """Runs the unfinished cells; continues after a failure.

    Each cell is a process in its own session, so that Ctrl-C reaches it only through this
    function. When the function is left for any reason, all processes are stopped; the next start
    resumes each of them.

    Args:
        sweep_dir: The directory of the run directories.
        cells: The cells to run, in this order; retries come last.
        resources: What the processes may use.
        report: Called with a line for every start and end.

    Returns:
        The outcomes, in the order in which the cells ended.
    """
    check = CellCheck(sweep_dir, resources.data_dir, resources.vectors_dir)
    waiting, outcomes = split_finished(sweep_dir, cells, check, report)
    tries = collections.Counter[Cell]()
    slots = _core_slots(resources)
    free = list(range(len(slots)))
    running: dict[int, tuple[Cell, CellProcess]] = {}

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        report(str(outcome))

    with _stopping(running), interrupted_by_sigterm():
        while waiting or running:
            while waiting and free:
                cell = waiting.pop(0)
                process = _start(Path(sweep_dir), cell, resources, slots[free[0]])
                if process is None:
                    end(Outcome(cell, BUSY))
                    continue
                report(progress_line("started", cell))
                tries[cell] += 1
                running[free.pop(0)] = cell, process
            for slot, (cell, process) in list(running.items()):
                if process.popen.poll() is None:
                    continue
                error = process.finish()
                if error is None:
                    end(ended_outcome(sweep_dir, cell, check))
                elif tries[cell] <= resources.retries:
                    report(progress_line("retrying", cell, error))
                    waiting.append(cell)
                else:
                    end(Outcome(cell, FAILED, error))
                del running[slot]
                free.append(slot)
            if running:
                time.sleep(_POLL_SECONDS)
    return outcomes


def _start(
    sweep_dir: Path, cell: Cell, resources: Resources, cores: set[int] | None
) -> CellProcess | None:
    directory = sweep_dir / cell.name
    arguments = cell.arguments(resources.data_dir, resources.vectors_dir, str(directory))
    return CellProcess.start(directory, [*resources.trainer, *arguments], cores=cores)


def _core_slots(resources: Resources) -> list[set[int] | None]:
    """Returns the cores of each process; None: all."""
    if not hasattr(os, "sched_getaffinity"):
        return [None] * resources.jobs
    there = sorted(os.sched_getaffinity(0))
    cores = there[: resources.cores]
    if resources.jobs == 1 and len(cores) == len(there):
        return [None]
    share = max(1, len(cores) // resources.jobs)
    # With more processes than cores, several processes share a core.
    return [
        {cores[(job * share + core) % len(cores)] for core in range(share)}
        for job in range(resources.jobs)
    ]


@contextmanager
def _stopping(running: Mapping[int, tuple[Cell, CellProcess]]) -> Iterator[None]:
    """Stops all running cells when the block is left for any reason."""
    try:
        yield
    finally:
        stop_all(process for _, process in running.values())
