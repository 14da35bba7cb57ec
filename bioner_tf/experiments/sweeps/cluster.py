"""Runs the cells of an experiment on a Ray cluster: each is a task that starts a process.

Ray is imported only here and only when it is used; the extra ``ray`` installs it.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bioner_tf.errors import BionerError, UsageError
from bioner_tf.experiments.sweeps.cell_check import CellCheck
from bioner_tf.experiments.sweeps.cell_process import (
    interrupted_by_sigterm,
    is_trained_by_another,
    record_failure,
)
from bioner_tf.experiments.sweeps.cell_state import (
    BUSY,
    FAILED,
    FINISHED,
    Outcome,
    ended_outcome,
    progress_line,
    split_finished,
    state_of,
)
from bioner_tf.experiments.sweeps.cell_task import Task, follow_cell
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike
from bioner_tf.machine import count_cores

# The executors of a sweep; LOCAL is also the address of our own Ray.
LOCAL, RAY = "local", "ray"

_STARTED = "started"

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 10.0
_CONNECT_TIMEOUT_SECONDS = 10.0
_OBJECT_STORE_BYTES = 100_000_000
# A cell whose machine is lost this often may itself be what kills the machines.
_MOST_LOST_MACHINES = 10

_SETTINGS = {
    # Send no usage statistics and print no question about them, unless the user set this.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Keep the normal priority for workers of our own Ray, and so for the trainers.
    "RAY_worker_niceness": "0",
}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where cells run, and the resources of each cell.

    Attributes:
        address: ``auto`` or ``host:port`` of a cluster; ``local``: start our own Ray on this
            machine; empty: use ``$RAY_ADDRESS`` if it is set, else ``local``.
        jobs: The most cells that run at once; by default as many as the cluster has room for.
        local_cores: The cores of our own Ray; by default all.
        cell_cores: Cores per cell, and threads of its trainer.
        cell_gpus: GPUs per cell; fractions of one are allowed. With 0, a cell sees no GPU.
    """

    address: str = ""
    jobs: int | None = None
    local_cores: int | None = None
    cell_cores: int = 1
    cell_gpus: float = 0.0

    def __post_init__(self) -> None:
        """Raises UsageError where the settings contradict each other."""
        address = self.resolved_address
        if address.startswith("ray://"):
            raise UsageError(
                f"--ray_address: expected auto or host:port, got {address}, a Ray client's; start "
                "bioner-sweep on a machine of the cluster, by `ray job submit` say"
            )
        if self.is_local:
            if (there := self.cores_of_our_own) < self.cell_cores:
                raise UsageError(
                    f"--cell_cores: expected at most the {there} cores that this machine's Ray "
                    f"has, got {self.cell_cores}"
                )
        elif self.local_cores is not None:
            raise UsageError(
                f"--cores: the cluster at {address} has the cores that it has, got "
                f"{self.local_cores}; give --cell_cores, and --jobs to leave some of them alone"
            )
        if self.cell_gpus > 1 and self.cell_gpus % 1:
            raise UsageError(
                f"--cell_gpus: expected a whole number or a part of one GPU, got {self.cell_gpus:g}"
            )

    @property
    def resolved_address(self) -> str:
        """The address after ``$RAY_ADDRESS`` and the default are applied."""
        return self.address or os.environ.get("RAY_ADDRESS", "") or LOCAL

    @property
    def is_local(self) -> bool:
        """Whether this sweep starts its own Ray on this machine."""
        return self.resolved_address == LOCAL

    @property
    def cores_of_our_own(self) -> int:
        """The number of cores of our own Ray."""
        there = count_cores()
        return min(there, self.local_cores or there)


def choose_cluster(
    executor: str,
    jobs: int | None,
    cores: int | None,
    ray_address: str | None,
    cell_cores: int | None,
    cell_gpus: float | None,
) -> Cluster | None:
    """Returns where Ray runs the cells; None if processes of this machine run them.

    The arguments are the flags of ``bioner-sweep`` of the same names; None: not given.

    Raises:
        UsageError: A value means nothing to the executor.
    """
    if executor == RAY:
        return Cluster(ray_address or "", jobs, cores, cell_cores or 1, cell_gpus or 0.0)
    given = {"ray_address": ray_address, "cell_cores": cell_cores, "cell_gpus": cell_gpus}
    for flag, value in given.items():
        if value is not None:
            raise UsageError(
                f"--{flag}: expected --executor={RAY} with it, got --executor={executor}, where "
                "--jobs processes share --cores"
            )
    return None


def run_cells_on_ray(
    sweep_dir: PathLike,
    cells: Sequence[Cell],
    cluster: Cluster,
    data_dir: str,
    vectors_dir: str = ".",
    retries: int = 0,
    report: Callable[[str], None] = print,
    trainer: Sequence[str] | None = None,
) -> list[Outcome]:
    """Runs the unfinished cells; continues after a failure.

    A task starts the process that trains a cell and waits for its end. The process is killed when
    the worker of the task dies, so that all processes end when this function is left for any
    reason. The next start, with Ray or without, resumes each of them.

    Args:
        sweep_dir: The directory of the run directories, which all machines share.
        cells: The cells to run, in this order.
        cluster: Where to run them.
        data_dir: Where the corpora are, on every machine.
        vectors_dir: Where the files of word vectors are, on every machine.
        retries: How often a cell that failed, or whose worker died, is started again. After the
            loss of its machine a cell is started again up to 10 times beside that.
        report: Called with a line for every start and end.
        trainer: The command that trains a cell, for ``tether``; by default bioner-train.

    Returns:
        The outcomes, in the order in which the cells ended.

    Raises:
        BionerError: Ray is not installed, or there is no cluster at the address.
    """
    check = CellCheck(sweep_dir, data_dir, vectors_dir)
    waiting, outcomes = split_finished(sweep_dir, cells, check, report)
    root = Path(sweep_dir).absolute()
    for cell in [cell for cell in waiting if is_trained_by_another(root / cell.name)]:
        waiting.remove(cell)
        outcomes.append(Outcome(cell, BUSY))
        report(str(outcomes[-1]))
    if not waiting:
        return outcomes
    ray = _import_ray()
    is_portable = os.path.isabs(data_dir) and os.path.isabs(vectors_dir)
    task = Task(
        sweep_dir=root,
        working_dir=str(root) if is_portable else os.getcwd(),
        data_dir=data_dir,
        vectors_dir=vectors_dir,
        cell_cores=cluster.cell_cores,
        cell_gpus=cluster.cell_gpus,
        trainer=trainer,
    )
    with _all_stopped_afterwards([root / cell.name for cell in waiting]), _ray(ray, cluster):
        _tell_of_shortage(ray, cluster, report)
        for cell in waiting:
            # A machine on which this directory is missing does not share the sweep directory.
            (root / cell.name).mkdir(parents=True, exist_ok=True)
        with interrupted_by_sigterm():
            outcomes += _run_tasks(ray, task, waiting, cluster, check, retries, report)
    return outcomes


def train_cell(cell: Cell, task: Task) -> Iterator[tuple[str, str]]:
    """Trains one cell, in a worker; yields a result and an error, first ``(_STARTED, "")``."""
    yield _STARTED, ""
    try:
        yield follow_cell(cell, task), ""
    except (BionerError, OSError) as error:
        yield FAILED, str(error)


def _import_ray() -> Any:
    os.environ.update({name: value for name, value in _SETTINGS.items() if name not in os.environ})
    try:
        import ray
    except ImportError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise BionerError(
            f"--executor=ray: expected Ray, got {reason!r}; pip install 'bioner_tf[ray]' brings it"
        ) from error
    return ray


@contextmanager
def _ray(ray: Any, cluster: Cluster) -> Iterator[None]:
    """Connects to a cluster, or starts our own Ray, until the block ends."""
    own: dict[str, Any] = {}
    if cluster.is_local:
        own = {
            "num_cpus": cluster.cores_of_our_own,
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    address = cluster.resolved_address
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdigit():
            # Fail early: Ray itself would try for minutes.
            place = host.strip("[]"), int(port)
            socket.create_connection(place, _CONNECT_TIMEOUT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **own)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise BionerError(
            f"--ray_address={address}: expected a Ray cluster that answers, got: {reason}"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _tell_of_shortage(ray: Any, cluster: Cluster, report: Callable[[str], None]) -> None:
    """Reports if no machine has the resources of a cell; a cluster may still add one.

    Raises:
        UsageError: It is our own Ray, to which no machine can be added.
    """
    asked = {"CPU": cluster.cell_cores, "GPU": cluster.cell_gpus}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(machine.get(name, 0) >= asked[name] for name in asked) for machine in machines):
        return
    if cluster.is_local:
        raise UsageError(
            f"--cell_gpus: expected at most the {machines[0].get('GPU', 0):g} GPUs that this "
            f"machine's Ray has, got {cluster.cell_gpus:g}"
        )
    report(
        f"no machine of the cluster has the {cluster.cell_cores} cores and {cluster.cell_gpus:g} "
        "GPUs of a cell: waiting for one that does"
    )


@contextmanager
def _all_stopped_afterwards(directories: Sequence[Path]) -> Iterator[None]:
    """Waits after the block until no process trains in any of the directories."""
    try:
        yield
    finally:
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(map(is_trained_by_another, directories)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def _run_tasks(
    ray: Any,
    task: Task,
    cells: Sequence[Cell],
    cluster: Cluster,
    check: CellCheck,
    retries: int,
    report: Callable[[str], None],
) -> list[Outcome]:
    """Runs a task for every cell; returns the outcomes in the order in which the cells ended."""
    start = ray.remote(
        num_cpus=cluster.cell_cores,
        num_gpus=cluster.cell_gpus,
        max_retries=0,
        num_returns="streaming",
    )(train_cell).remote
    waiting = list(cells)
    # The stream of results of each running task, with its cell.
    running: list[tuple[Any, Cell]] = []
    failures = collections.Counter[Cell]()
    losses = collections.Counter[Cell]()
    outcomes = []

    def end(cell: Cell, result: str, error: str) -> None:
        if result == FINISHED:
            outcomes.append(ended_outcome(task.sweep_dir, cell, check))
        else:
            outcomes.append(Outcome(cell, result, error))
        report(str(outcomes[-1]))

    while waiting or running:
        while waiting and len(running) < (cluster.jobs or math.inf):
            cell = waiting.pop(0)
            running.append((start(cell, task), cell))
        (ready,), _ = ray.wait([stream for stream, _ in running], num_returns=1)
        [cell] = [cell for stream, cell in running if stream is ready]
        lost = False
        try:
            result, error = ray.get(next(ready))
            told = error
        except (StopIteration, ray.exceptions.RayError) as caught:
            lost = isinstance(caught, ray.exceptions.NodeDiedError)
            told = "its Ray worker died"
            result, error = FAILED, f"{told}: {_reason(caught)}"
            if state_of(task.sweep_dir, cell).finished:
                result = FINISHED
        if result == _STARTED:
            report(progress_line("started", cell))
            continue
        running = [(stream, each) for stream, each in running if stream is not ready]
        losses[cell] += lost
        lost = lost and losses[cell] <= _MOST_LOST_MACHINES
        failures[cell] += result == FAILED and not lost
        if result == FAILED and failures[cell] <= retries:
            report(progress_line("retrying", cell, told))
            waiting.append(cell)
            continue
        if result == FAILED and told != error:
            record_failure(task.sweep_dir / cell.name, error)
        end(cell, result, error)
    return outcomes


def _reason(error: Exception) -> str:
    """Returns an error of Ray as one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # The last line of a traceback names the error; in other messages the first one does.
    return lines[-1] if lines and "Traceback" in str(error) else (lines or ["no reason given"])[0]
