"""The states of the cells of an experiment, and their outcomes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_check import CellCheck
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike
from bioner_tf.runs.collection import Run, read_failure, read_run
from bioner_tf.runs.directory import CONFIG_FILE

FINISHED, FAILED, BUSY = "finished", "failed", "busy"


@dataclasses.dataclass(frozen=True)
class State:
    """The progress of a cell.

    Attributes:
        epochs: The number of trained epochs.
        finished: Whether nothing is left to do.
        error: Why the last start failed; None if it did not.
    """

    epochs: int = 0
    finished: bool = False
    error: str | None = None

    def __str__(self) -> str:
        """Returns one or two words for a list."""
        if self.finished:
            return FINISHED
        if self.error is not None:
            return FAILED
        return f"{self.epochs} epochs" if self.epochs else "to do"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a cell: ``FINISHED``, ``FAILED`` (with the error) or ``BUSY``."""

    cell: Cell
    result: str
    error: str = ""

    def __str__(self) -> str:
        """Returns a line for the terminal."""
        because = "another process trains it" if self.result == BUSY else self.error
        return progress_line(self.result, self.cell, because)


def progress_line(what: str, cell: Cell, because: str = "") -> str:
    """Returns a line for the terminal: what happens to a cell, in one word, and why."""
    reason = f": {because}" if because else ""
    return f"{what:<9} {cell.name}{reason}"


def run_of(sweep_dir: PathLike, cell: Cell) -> Run | None:
    """Reads a cell's run; None if it is missing or damaged."""
    directory = Path(sweep_dir) / cell.name
    if not (directory / CONFIG_FILE).exists():
        return None
    try:
        return read_run(directory, cell.name)
    except (BionerError, OSError):
        # bioner-train reports the problem when it is started in this directory.
        return None


def state_of(sweep_dir: PathLike, cell: Cell) -> State:
    """Reads the progress of a cell."""
    run = run_of(sweep_dir, cell)
    try:
        failure = read_failure(Path(sweep_dir) / cell.name)
    except (BionerError, OSError) as error:
        failure = str(error)
    if run is None:
        return State(error=failure)
    finished = run.finished and run.config.training.epochs == cell.epochs
    return State(len(run.history), finished, failure)


def split_finished(
    sweep_dir: PathLike, cells: Sequence[Cell], check: CellCheck, report: Callable[[str], None]
) -> tuple[list[Cell], list[Outcome]]:
    """Separates unfinished from finished cells, and reports how many are finished.

    Args:
        sweep_dir: The directory of the run directories.
        cells: All cells.
        check: Compares finished runs with their cells.
        report: Called with each line for the terminal.

    Returns:
        The unfinished cells and the outcomes of the others, both in order; ``FAILED`` if a
        finished run differs from its cell.
    """
    check.remember_corpora(cells)
    left = [cell for cell in cells if not state_of(sweep_dir, cell).finished]
    outcomes = [ended_outcome(sweep_dir, cell, check) for cell in cells if cell not in left]
    finished = [outcome for outcome in outcomes if outcome.result == FINISHED]
    if finished:
        report(f"{len(finished)} of {len(cells)} cells are finished already")
    for outcome in outcomes:
        if outcome not in finished:
            report(str(outcome))
    return left, outcomes


def ended_outcome(sweep_dir: PathLike, cell: Cell, check: CellCheck) -> Outcome:
    """Returns the outcome of a cell whose trainer succeeded; ``FAILED`` if its run differs."""
    if not state_of(sweep_dir, cell).finished:
        # Another trainer (in tests) left no record to compare.
        return Outcome(cell, FINISHED)
    difference = check.difference(cell)
    return Outcome(cell, FAILED, difference) if difference else Outcome(cell, FINISHED)
