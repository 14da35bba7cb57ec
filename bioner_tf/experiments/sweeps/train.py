"""Trains the cells of an experiment, by processes of this machine or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_process import LOG_FILE
from bioner_tf.experiments.sweeps.cell_state import FAILED
from bioner_tf.experiments.sweeps.cluster import Cluster, run_cells_on_ray
from bioner_tf.experiments.sweeps.local import Resources, run_cells
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike


def train_cells(
    sweep_dir: PathLike,
    cells: Sequence[Cell],
    resources: Resources,
    cluster: Cluster | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Trains the unfinished cells; continues after a failure.

    Args:
        sweep_dir: The directory of the run directories.
        cells: The cells to run.
        resources: The directories and retries; jobs and cores are for this machine alone.
        cluster: Where Ray runs the cells; None: processes of this machine do.
        report: Called with a line for every start and end.

    Raises:
        BionerError: A cell failed, or there is no such cluster.
    """
    if cluster is None:
        outcomes = run_cells(sweep_dir, cells, resources, report)
    else:
        places = resources.data_dir, resources.vectors_dir
        outcomes = run_cells_on_ray(sweep_dir, cells, cluster, *places, resources.retries, report)
    failed = [outcome for outcome in outcomes if outcome.result == FAILED]
    if failed:
        raise BionerError(
            f"{len(failed)} of {len(cells)} cells failed. The first is {failed[0].cell.name}: "
            f"{failed[0].error}; see {LOG_FILE} there, and give the command again to retry"
        )
