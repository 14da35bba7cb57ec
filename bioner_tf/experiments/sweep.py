"""Runs the cells of an experiment as processes of this machine, each in its run directory."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.experiments.collect import FAILURE_FILE, Run, read_failure, read_run
from bioner_tf.experiments.plan import Cell
from bioner_tf.files import PathLike, write_json_atomically
from bioner_tf.run_directory import CONFIG_FILE

LOG_FILE = "console.log"
LOCK_FILE = "sweep.lock"
TRAINER = (sys.executable, "-m", "bioner_tf.cli.train")

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 10.0

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


@dataclasses.dataclass(frozen=True)
class Resources:
    """What the processes may use.

    Attributes:
        data_dir: Where the corpora are.
        vectors_dir: Where the files of word vectors are.
        jobs: How many cells run at once.
        cores: How many cores they share; each process keeps to its part of them.
        trainer: The command that trains a cell.
    """

    data_dir: str
    vectors_dir: str = "."
    jobs: int = 1
    cores: int | None = None
    trainer: Sequence[str] = TRAINER


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


def run_cells(
    sweep_dir: PathLike,
    cells: Sequence[Cell],
    resources: Resources,
    report: Callable[[str], None] = print,
) -> list[Outcome]:
    """Runs what is not finished; goes on after a failure.

    Each cell is a process in its own session, so that an interrupt reaches it only through here;
    on the way out, however that comes, all are stopped, and any goes on where it was the next time.

    Args:
        sweep_dir: The directory of the run directories.
        cells: What to run, in this order.
        resources: What the processes may use.
        report: Is told a line about every start and end.

    Returns:
        What came out, in the order in which it did.
    """
    waiting = [cell for cell in cells if not state_of(sweep_dir, cell).finished]
    outcomes = [Outcome(cell, FINISHED) for cell in cells if cell not in waiting]
    if outcomes:
        report(f"{len(outcomes)} of {len(cells)} cells are finished already")
    slots = _core_slots(resources)
    free = list(range(len(slots)))
    running: dict[int, _Process] = {}
    with _stopping(running):
        while waiting or running:
            while waiting and free:
                cell = waiting.pop(0)
                process = _Process.start(Path(sweep_dir), cell, resources, slots[free[0]])
                if process is None:
                    report(f"busy      {cell.name}: another process trains it")
                    outcomes.append(Outcome(cell, BUSY))
                    continue
                report(f"started   {cell.name}")
                running[free.pop(0)] = process
            for slot, process in list(running.items()):
                if process.popen.poll() is not None:
                    outcome = process.finish()
                    outcomes.append(outcome)
                    report(f"{outcome.result:<9} {outcome.cell.name}{_because(outcome.error)}")
                    del running[slot]
                    free.append(slot)
            if running:
                time.sleep(_POLL_SECONDS)
    return outcomes


def _because(error: str) -> str:
    return f": {error}" if error else ""


def _core_slots(resources: Resources) -> list[set[int] | None]:
    """The cores of each process; None where they need not be kept apart."""
    if not hasattr(os, "sched_getaffinity"):
        return [None] * resources.jobs
    there = sorted(os.sched_getaffinity(0))
    cores = there[: resources.cores]
    if resources.jobs == 1 and len(cores) == len(there):
        return [None]
    share = max(1, len(cores) // resources.jobs)
    # More processes than cores take turns on them.
    return [
        {cores[(job * share + core) % len(cores)] for core in range(share)}
        for job in range(resources.jobs)
    ]


@dataclasses.dataclass(frozen=True)
class _Process:
    """A cell that is being trained."""

    cell: Cell
    directory: Path
    log_start: int
    popen: subprocess.Popen

    @classmethod
    def start(
        cls, sweep_dir: Path, cell: Cell, resources: Resources, cores: set[int] | None
    ) -> _Process | None:
        """Starts it; None where another process (of another sweep, say) is at it."""
        directory = sweep_dir / cell.name
        directory.mkdir(parents=True, exist_ok=True)
        arguments = cell.arguments(resources.data_dir, resources.vectors_dir, str(directory))
        # The child inherits the lock and has it for as long as it lives, even if we are killed.
        with (directory / LOCK_FILE).open("w") as lock, (directory / LOG_FILE).open("ab") as log:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            (directory / FAILURE_FILE).unlink(missing_ok=True)
            start = log.tell()
            popen = subprocess.Popen(
                [*resources.trainer, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
        if cores is not None:
            os.sched_setaffinity(popen.pid, cores)
        return cls(cell, directory, start, popen)

    def finish(self) -> Outcome:
        """Says what came out, and records a failure in the run directory."""
        if self.popen.returncode == 0:
            return Outcome(self.cell, FINISHED)
        error = self._last_words()
        write_json_atomically(
            self.directory / FAILURE_FILE,
            {"exit_code": self.popen.returncode, "error": error, "log": LOG_FILE},
        )
        return Outcome(self.cell, FAILED, error)

    def _last_words(self) -> str:
        """The error in the log: the line that names itself one, else the last."""
        code = self.popen.returncode
        ending = f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"
        with (self.directory / LOG_FILE).open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode("utf-8", errors="replace").splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        named = [line for line in lines if line.startswith("error: ")]
        words = (named or lines or [""])[-1]
        return f"{words.replace('error: ', '', 1)} ({ending})" if words else ending


@contextmanager
def _stopping(running: dict[int, _Process]) -> Iterator[None]:
    """Stops what runs when the block is left, also by SIGTERM, which a job queue sends."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        processes = [process.popen for process in running.values()]
        for popen in processes:
            popen.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for popen in processes:
            try:
                popen.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
