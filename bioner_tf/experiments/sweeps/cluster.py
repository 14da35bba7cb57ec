"""Runs the cells of an experiment on a Ray cluster: a trial of Ray Tune each, as the same process.

Ray is imported only here and only when it is used: the extra ``ray`` brings it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    progress_line,
    split_finished,
    state_of,
)
from bioner_tf.experiments.sweeps.cell_trial import Task, follow_cell
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike
from bioner_tf.machine import count_cores

# What Tune records, below the sweep directory; who looks for runs passes hidden directories by.
TUNE_DIR = ".ray"
LOCAL = "local"

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 10.0
_KNOCK_SECONDS = 10.0
_OBJECT_STORE_BYTES = 100_000_000

# Two keys of a trial's last report.
_RESULT, _ERROR = "result", "error"

_SETTINGS = {
    # An interrupt shall end the sweep as it does without Ray.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # We print a line about every start and end ourselves.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # Whoever wants to tell Ray's makers about it says so; the question alone is three lines.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers of a Ray of our own, and so trainers, are as urgent as what the user starts by hand.
    "RAY_worker_niceness": "0",
}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Where cells run, and what each of them gets.

    Attributes:
        address: ``auto`` or ``host:port`` of a cluster; ``local`` for a Ray of our own on this
            machine; empty for what ``$RAY_ADDRESS`` names, else a Ray of our own.
        jobs: How many cells run at once, at most; by default as many as there is room for.
        local_cores: How many cores a Ray of our own has; by default all.
        cell_cores: Cores that a cell asks for, and has threads for.
        cell_gpus: GPUs that a cell asks for; also parts of one. A cell without sees none.
    """

    address: str = ""
    jobs: int | None = None
    local_cores: int | None = None
    cell_cores: int = 1
    cell_gpus: float = 0.0

    def __post_init__(self) -> None:
        """Raises UsageError for what no cluster can be."""
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
        """The address that counts."""
        return self.address or os.environ.get("RAY_ADDRESS", "") or LOCAL

    @property
    def is_local(self) -> bool:
        """Whether Ray is started for this sweep alone, on this machine."""
        return self.resolved_address == LOCAL

    @property
    def cores_of_our_own(self) -> int:
        """How many cores a Ray of our own has."""
        there = count_cores()
        return min(there, self.local_cores or there)


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
    """Runs what is not finished; goes on after a failure.

    A trial starts the process that trains a cell, tells Tune its metrics and ends as it does. A
    process dies with its trial: on the way out of here, however that comes, all are stopped, and
    any goes on where it was the next time, with Ray or without.

    Args:
        sweep_dir: The directory of the run directories, which all machines share.
        cells: What to run, in this order.
        cluster: Where.
        data_dir: Where the corpora are, on every machine.
        vectors_dir: Where the files of word vectors are, on every machine.
        retries: How often a cell that failed, or whose worker died, is started again; a machine
            that was preempted does not count.
        report: Is told a line about every start and end.
        trainer: The command that trains a cell, for ``tether``; by default bioner-train.

    Returns:
        What came out, in the order in which it did.

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
    ray, tune = _import_ray()
    tune_dir = root / TUNE_DIR / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{os.getpid()}"
    is_portable = os.path.isabs(data_dir) and os.path.isabs(vectors_dir)
    task = Task(
        sweep_dir=root,
        tune_dir=tune_dir,
        working_dir=str(root) if is_portable else os.getcwd(),
        data_dir=data_dir,
        vectors_dir=vectors_dir,
        cell_cores=cluster.cell_cores,
        cell_gpus=cluster.cell_gpus,
        cells={cell.name: cell for cell in waiting},
        trainer=trainer,
    )
    with _all_stopped_afterwards([root / cell.name for cell in waiting]), _ray(ray, cluster):
        tune_dir.mkdir(parents=True)
        _tell_of_shortage(ray, cluster, report)
        with interrupted_by_sigterm():
            outcomes += _run_trials(tune, task, cluster, retries, report)
    return outcomes


def train_cell(config: Mapping[str, str], task: Task) -> None:
    """A trial: trains one cell.

    Args:
        config: The name of the cell as ``"cell"``.
        task: The rest.

    Raises:
        BionerError: It failed; Tune starts it again or does not.
    """
    from ray import tune

    cell = task.cells[config["cell"]]
    try:
        result = follow_cell(cell, task, tune.report)
    except (BionerError, OSError) as error:
        tune.report({_RESULT: FAILED, _ERROR: str(error)})
        raise
    tune.report({_RESULT: result})


def _import_ray() -> tuple[Any, Any]:
    """Imports Ray and Ray Tune."""
    os.environ.update({name: value for name, value in _SETTINGS.items() if name not in os.environ})
    try:
        import ray
        from ray import tune
    except ImportError as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise BionerError(
            f"--executor=ray: expected Ray Tune, got {reason!r}; "
            "pip install 'bioner_tf[ray]' brings it"
        ) from error
    return ray, tune


@contextmanager
def _ray(ray: Any, cluster: Cluster) -> Iterator[None]:
    """Connects to a cluster, or starts a Ray of our own, for the time of a block."""
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
            # Ray itself would knock for minutes.
            socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
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
    """Says so where no machine has what a cell asks for; one may be about to come.

    Raises:
        UsageError: None can come: this is a Ray of our own.
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
    """Waits, when a block is left, until no process trains in one of some directories."""
    try:
        yield
    finally:
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(map(is_trained_by_another, directories)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def _run_trials(
    tune: Any, task: Task, cluster: Cluster, retries: int, report: Callable[[str], None]
) -> list[Outcome]:
    """Runs a trial for every cell of a task; returns what came out, in that order."""
    outcomes: dict[str, Outcome] = {}
    # The last report of a trial that is running.
    last: dict[str, Mapping[str, Any]] = {}

    def end(cell: Cell, result: str, error: str = "") -> None:
        outcomes[cell.name] = Outcome(cell, result, error)
        report(str(outcomes[cell.name]))

    def cell_of(trial: Any) -> Cell:
        return task.cells[trial.config["cell"]]

    def name_of(trial: Any) -> str:
        return cell_of(trial).name

    class Narrator(tune.Callback):
        """Tells what happens to the cells, and takes note of what comes out of them."""

        def on_trial_start(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            last[trial.trial_id] = {}
            report(progress_line("started", cell_of(trial)))

        def on_trial_result(
            self, iteration: int, trials: list, trial: Any, result: dict, **info: Any
        ) -> None:
            last[trial.trial_id] = result

        def on_trial_recover(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            error = last.get(trial.trial_id, {}).get(_ERROR, "its Ray worker died")
            report(progress_line("retrying", cell_of(trial), error))

        def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            error = last.get(trial.trial_id, {}).get(_ERROR)
            # Where the worker died, why is known at the end.
            if error is not None:
                end(cell_of(trial), FAILED, error)

        def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            end(cell_of(trial), trial.last_result[_RESULT])

    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(train_cell, task=task),
            {"cpu": cluster.cell_cores, "gpu": cluster.cell_gpus},
        ),
        param_space={"cell": tune.grid_search(list(task.cells))},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=cluster.jobs,
            trial_name_creator=name_of,
            trial_dirname_creator=name_of,
        ),
        run_config=tune.RunConfig(
            name=task.tune_dir.name,
            storage_path=str(task.tune_dir.parent),
            failure_config=tune.FailureConfig(max_failures=retries),
            callbacks=[Narrator()],
            verbose=0,
        ),
    )
    for result in tuner.fit():
        cell = task.cells[result.config["cell"]]
        if cell.name in outcomes:
            continue
        if state_of(task.sweep_dir, cell).finished:
            end(cell, FINISHED)
            continue
        error = f"its Ray worker died: {_reason(result.error)}"
        record_failure(task.sweep_dir / cell.name, error)
        end(cell, FAILED, error)
    return list(outcomes.values())


def _reason(error: Exception | None) -> str:
    """An error of Ray in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a worker's traceback the last line says it, of all else the first.
    return lines[-1] if lines and "Traceback" in str(error) else (lines or ["no reason given"])[0]
