"""Starts and stops the process that trains a cell, and records its failure."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bioner_tf.files import PathLike, try_lock, write_json_atomically
from bioner_tf.runs.collection import FAILURE_FILE

LOG_FILE = "console.log"
LOCK_FILE = "sweep.lock"
_TRAINER_MODULE = "bioner_tf.cli.train"
# It is killed when its stdin closes, so that it does not outlive what started it.
TRAINER = (sys.executable, "-m", "bioner_tf.experiments.sweeps.tether", _TRAINER_MODULE)

_GRACE_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class CellProcess:
    """The process that trains a cell.

    Attributes:
        directory: The run directory.
        log_start: Where the output of this process starts in the log, in bytes.
        popen: The process.
    """

    directory: Path
    log_start: int
    popen: subprocess.Popen

    @classmethod
    def start(
        cls,
        directory: Path,
        command: Sequence[str],
        *,
        cores: set[int] | None = None,
        working_dir: PathLike | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> CellProcess | None:
        """Starts the process in its own session; deletes the record of an earlier failure.

        Its stdin is a pipe that stays open until the process is finished or we end.

        Args:
            directory: The run directory; created if missing.
            command: The whole command line.
            cores: The cores that it may use; by default all.
            working_dir: Its working directory; by default ours.
            environment: Environment variables to set in addition to ours.

        Returns:
            The process; None if another process already trains the cell.
        """
        directory.mkdir(parents=True, exist_ok=True)
        # The child inherits the lock and keeps it until it ends, even if we are killed.
        with (directory / LOCK_FILE).open("w") as lock, (directory / LOG_FILE).open("ab") as log:
            if not try_lock(lock):
                return None
            (directory / FAILURE_FILE).unlink(missing_ok=True)
            start = log.tell()
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,
                cwd=working_dir,
                env={**os.environ, **(environment or {})},
            )
        if cores is not None:
            os.sched_setaffinity(popen.pid, cores)
        return cls(directory, start, popen)

    def finish(self) -> str | None:
        """Records a failure in the run directory; call it after the process has ended.

        Returns:
            The error; None if the process succeeded.
        """
        _close_stdin(self.popen)
        code = self.popen.returncode
        if code == 0:
            return None
        error = self._last_words()
        record_failure(self.directory, error, code)
        return error

    def _last_words(self) -> str:
        """Returns the error in the log: the last line with "error: ", else the last line."""
        code = self.popen.returncode
        ending = f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"
        with (self.directory / LOG_FILE).open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode("utf-8", errors="replace").splitlines()
        lines = [line.strip() for line in lines if line.strip()]
        named = [line for line in lines if line.startswith("error: ")]
        words = (named or lines or [""])[-1]
        return f"{words.replace('error: ', '', 1)} ({ending})" if words else ending


def record_failure(directory: Path, error: str, exit_code: int | None = None) -> None:
    """Records in a run directory why its last start failed.

    Args:
        directory: The run directory.
        error: The reason.
        exit_code: The exit code, or minus the signal that killed it; None: unknown.
    """
    failure = {"exit_code": exit_code, "error": error, "log": LOG_FILE}
    write_json_atomically(directory / FAILURE_FILE, failure)


def stop_all(processes: Iterable[CellProcess]) -> None:
    """Stops processes: SIGTERM first, SIGKILL after ``_GRACE_SECONDS``."""
    popens = [process.popen for process in processes]
    for popen in popens:
        popen.terminate()
        _close_stdin(popen)
    deadline = time.monotonic() + _GRACE_SECONDS
    for popen in popens:
        try:
            popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def _close_stdin(popen: subprocess.Popen) -> None:
    if popen.stdin is not None:
        popen.stdin.close()


def is_trained_by_another(directory: Path) -> bool:
    """Whether a process trains a cell, on any machine that shares the directory."""
    path = directory / LOCK_FILE
    if not path.exists():
        return False
    with path.open("w") as lock:
        return not try_lock(lock)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Makes SIGTERM, which job queues send, end the block as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
