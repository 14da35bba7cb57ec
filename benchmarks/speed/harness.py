"""Measures programs that take turns; each has its own process.

A program is a function, named as ``module:function``, that prepares and returns *tasks*: functions
without arguments. A worker calls it in a new process, runs every task once to warm up, and then
runs all tasks, one after the other, in every round. Because the programs take turns, other work on
the machine affects all of them equally. Run short tasks several times in a round: the first time is
slower, because other programs used the caches.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

RESULTS = Path(__file__).parents[1] / "results"

# Lets the threads of a process become idle before the next process starts.
_PAUSE_SECONDS = 0.3

Task = Callable[[], object]


class Program(NamedTuple):
    """A program that a worker runs.

    Attributes:
        factory: ``module:function``; the function returns the tasks.
        arguments: Its keyword arguments, as JSON values.
    """

    factory: str
    arguments: Mapping[str, Any]


class Measured(NamedTuple):
    """The times of a program's tasks, each (rounds, passes * tasks), and the process's memory.

    Attributes:
        wall: Elapsed seconds.
        cpu: Seconds of processor time, summed over the cores.
        peak: Peak resident memory in megabytes (10^6 bytes).
    """

    wall: np.ndarray
    cpu: np.ndarray
    peak: float


class Worker:
    """A program in its own process, which starts to prepare at once."""

    def __init__(self, program: Program):
        self._program = program
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        )

    def wait(self) -> None:
        """Returns when the program is ready."""
        self._read()

    def round(self, passes: int) -> dict[str, Any]:
        """Runs all tasks ``passes`` times.

        Returns:
            The ``seconds`` of each task (wall, cpu), and the ``peak``.
        """
        print(passes, file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _read(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise SystemExit(f"{self._program.factory} stopped with exit code {code}")
        return json.loads(line)


def serve(program: Program) -> None:
    """Runs a worker's process: reads the passes of each round, prints a line of times."""
    # Libraries must not print between the lines.
    answers, sys.stdout = sys.stdout, sys.stderr
    module, function = program.factory.split(":")
    tasks = getattr(importlib.import_module(module), function)(**program.arguments)
    for task in tasks:
        task()
    print(json.dumps("ready"), file=answers, flush=True)
    for passes in map(int, sys.stdin):
        seconds = [_time(task) for _ in range(passes) for task in tasks]
        answer = {"seconds": seconds, "peak": _peak_megabytes()}
        print(json.dumps(answer), file=answers, flush=True)


def _time(task: Task) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - cpu


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


@contextlib.contextmanager
def _workers(programs: Mapping[str, Program]) -> Iterator[dict[str, Worker]]:
    workers: dict[str, Worker] = {}
    try:
        for name, program in programs.items():
            workers[name] = Worker(program)
        for worker in workers.values():
            worker.wait()
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def measure(programs: Mapping[str, Program], rounds: int, passes: int = 1) -> dict[str, Measured]:
    """Lets the programs take turns: in each round, each runs its tasks ``passes`` times."""
    found: dict[str, list[Any]] = {name: [] for name in programs}
    with _workers(programs) as workers:
        for _ in range(rounds):
            for name, worker in workers.items():
                time.sleep(_PAUSE_SECONDS)
                found[name].append(worker.round(passes))
    return {
        name: Measured(
            *np.moveaxis(np.array([answer["seconds"] for answer in answers]), -1, 0),
            max(answer["peak"] for answer in answers),
        )
        for name, answers in found.items()
    }


# Not a contender: the machine's matmul rate, which is measured in the same rounds.
SGEMM = Program("contenders.sgemm:build", {})


def spread(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """Returns the ``median``, the ``quartiles`` and the ``least`` of some measurements."""
    first, median, third = np.quantile(values, (0.25, 0.5, 0.75))
    return {
        "median": float(median),
        "quartiles": [float(first), float(third)],
        "least": float(np.min(values)),
    }


def ratio(measured: Measured, other: Measured) -> float:
    """Returns the time divided by that of ``other``: the median over the rounds."""
    return float(np.median(measured.wall.sum(axis=1) / other.wall.sum(axis=1)))


def show_times(unit: str, contenders: Mapping[str, Mapping[str, Any]]) -> None:
    """Prints a line a contender: its times, its ratio to bioner's, its share of sgemm."""
    print(f"{'':<16} {unit:>10}   quartiles      least     cpu   x bioner   of sgemm")
    for contender, values in contenders.items():
        first, third = values["quartiles"]
        times = format(values["times_bioner"], ".2f") if "times_bioner" in values else ""
        print(
            f"{contender:<16} {values['median']:>10.1f} {first:>7.1f} -{third:>6.1f} "
            f"{values['least']:>8.1f} {values['cpu']:>7.1f} "
            f"{times:>10} {values['share_of_sgemm']:>10.0%}",
            flush=True,
        )


def machine() -> dict[str, Any]:
    """Describes the machine and the time of the measurement."""
    names = [
        line.split(":", 1)[1].strip()
        for line in _read_lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    versions = {}
    for package in ("tensorflow", "torch", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions,
    }


def _read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def usable(contenders: Sequence[str]) -> list[str]:
    """Leaves out PyTorch, with a message, if it is not installed."""
    missing = [name for name in contenders if "pytorch" in name]
    if not missing or importlib.util.find_spec("torch") is not None:
        return list(contenders)
    print(f"without {', '.join(missing)}: no torch here (pip install '.[bench]')")
    return [name for name in contenders if name not in missing]


def without_bfloat16(contenders: Sequence[str]) -> list[str]:
    """Leaves out bfloat16, with a message, if bioner_tf would use float32 instead."""
    from bioner_tf.machine import supports_bfloat16

    missing = [name for name in contenders if "bfloat16" in name]
    if not missing or supports_bfloat16():
        return list(contenders)
    print(f"without {', '.join(missing)}: bfloat16 is not fast here")
    return [name for name in contenders if name not in missing]


def choose(parser: argparse.ArgumentParser, given: str, known: Iterable[str]) -> list[str]:
    """Reads a comma-separated choice of known names; ends the program at an unknown name."""
    chosen = given.split(",")
    if set(chosen) - set(known):
        parser.error(f"expected some of {', '.join(known)}, got {given}")
    return chosen


def add_output(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the flag --output, by default ``results/<name>.json``."""
    default = RESULTS / f"{name}.json"
    parser.add_argument("--output", type=Path, default=default, help="where to write JSON")


def write(record: Mapping[str, Any], output: Path) -> None:
    """Writes a benchmark's record as JSON."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=2) + "\n")
    print(f"\nwrote {output}")


if __name__ == "__main__":
    serve(Program(*json.loads(sys.argv[1])))
