"""How far the cells of an experiment are, and what comes out of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike
from bioner_tf.runs.collection import Run, read_failure, read_run
from bioner_tf.runs.directory import CONFIG_FILE

FINISHED, FAILED, BUSY = "finished", "failed", "busy"


@dataclasses.dataclass(frozen=True)
class State:
    """How far a cell is.

    Attributes:
        epochs: Epochs that are done.
        finished: Whether there is nothing left to do.
        error: Why its last start failed, if it did.
    """

    epochs: int = 0
    finished: bool = False
    error: str | None = None

    def __str__(self) -> str:
        """One word or two for a list."""
        if self.finished:
            return FINISHED
        if self.error is not None:
            return FAILED
        return f"{self.epochs} epochs" if self.epochs else "to do"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came out of a cell: ``FINISHED``, ``FAILED`` (with the error) or ``BUSY``."""

    cell: Cell
    result: str
    error: str = ""

    def __str__(self) -> str:
        """A line for a person."""
        because = "another process trains it" if self.result == BUSY else self.error
        return progress_line(self.result, self.cell, because)


def progress_line(what: str, cell: Cell, because: str = "") -> str:
    """A line that tells a person what happens to a cell, in one word, and why."""
    reason = f": {because}" if because else ""
    return f"{what:<9} {cell.name}{reason}"


def run_of(sweep_dir: PathLike, cell: Cell) -> Run | None:
    """Reads a cell's run; None while there is nothing to read."""
    directory = Path(sweep_dir) / cell.name
    if not (directory / CONFIG_FILE).exists():
        return None
    try:
        return read_run(directory, cell.name)
    except BionerError:
        # Whatever is wrong, bioner-train says it when it is started there.
        return None


def state_of(sweep_dir: PathLike, cell: Cell) -> State:
    """Finds out how far a cell is."""
    run = run_of(sweep_dir, cell)
    failure = read_failure(Path(sweep_dir) / cell.name)
    if run is None:
        return State(error=failure)
    finished = run.finished and run.config.training.epochs == cell.epochs
    return State(len(run.history), finished, failure)


def split_finished(
    sweep_dir: PathLike, cells: Sequence[Cell], report: Callable[[str], None]
) -> tuple[list[Cell], list[Outcome]]:
    """Parts what is left to do from what is finished, and tells how much that is.

    Returns:
        The cells that are left, and the outcomes of the others, both in order.
    """
    left = [cell for cell in cells if not state_of(sweep_dir, cell).finished]
    finished = [Outcome(cell, FINISHED) for cell in cells if cell not in left]
    if finished:
        report(f"{len(finished)} of {len(cells)} cells are finished already")
    return left, finished
