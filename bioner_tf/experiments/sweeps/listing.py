"""Lists the cells of an experiment with their progress and the hours left."""

from __future__ import annotations

from collections.abc import Sequence

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_check import CellCheck
from bioner_tf.experiments.sweeps.cell_state import state_of
from bioner_tf.experiments.sweeps.estimate import Estimator
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike
from bioner_tf.pages.blocks import LEFT, RIGHT, plain_table
from bioner_tf.runs.collection import collect_runs


def list_cells(sweep_dir: PathLike, cells: Sequence[Cell], data_dir: str, vectors_dir: str) -> str:
    """Returns a plain-text table of cells, their states and the hours left."""
    try:
        runs = collect_runs(sweep_dir).runs
    except BionerError:
        runs = ()
    estimator = Estimator(data_dir, runs)
    check = CellCheck(sweep_dir, data_dir, vectors_dir)
    rows, total, known, notes = [], 0.0, True, []
    for cell in cells:
        state = state_of(sweep_dir, cell)
        difference = check.difference(cell) if state.finished else None
        if difference is not None:
            notes.append(f"\n{difference}")
        hours = 0.0 if state.finished else estimator.hours(cell, state.epochs)
        shown = str(state) if difference is None else "another run"
        rows.append([cell.name, shown, "?" if hours is None else f"{hours:.2f}"])
        total, known = total + (hours or 0), known and hours is not None
    table = plain_table(["cell", "state", "hours left"], rows, [LEFT, LEFT, RIGHT])
    basis = estimator.basis(cell.structure for cell in cells)
    missing = "" if known else f"; ?: a corpus is not in {data_dir}"
    summary = f"{len(cells)} cells, {total:.1f} hours left one after another ({basis}{missing})"
    return f"{table}\n\n{summary}{''.join(notes)}"
