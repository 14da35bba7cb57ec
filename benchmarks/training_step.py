"""How long a training step takes, side by side with what one would use instead.

    python benchmarks/training_step.py                          # the whole table, minutes
    python benchmarks/training_step.py --structures=single_task --rounds=3

A step is one update by a batch of 16 sentences, about 465 tokens, at the paper's sizes; the data is
made up. Every contender is a process of its own, and all take turns, so that what else the machine
does meets all alike. Contenders:

    bioner            bioner_tf
    bioner_bfloat16   bioner_tf with the Bi-LSTMs' matrix products in bfloat16
    stock_keras       the same networks of Keras's layers, Keras's RMSprop, tensorflow-addons' CRF
    pytorch           the same in PyTorch (pip install '.[bench]'), packed sequences
    pytorch_padded    the same without packing, though its backward LSTMs then start in padding

All get the same batches: sentences of like length together, characters once a distinct word.
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
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np
from contenders import workload

CONTENDERS = {
    "bioner": ("contenders.bioner", "build"),
    "bioner_bfloat16": ("contenders.bioner", "build_bfloat16"),
    "stock_keras": ("contenders.stock_keras", "build"),
    "pytorch": ("contenders.pytorch", "build"),
    "pytorch_padded": ("contenders.pytorch", "build_padded"),
}
# Not a contender: the machine's own rate, measured among them.
SGEMM = ("contenders.sgemm", "build")
STRUCTURES = ("single_task", "fully_shared", "shared_private", "adversarial", "cross_sharing")
# The structures that the others were written for.
_PEERS_HAVE = ("single_task", "cross_sharing")
# For a process's threads to come to rest before the next one's begin.
_PAUSE_SECONDS = 0.3


class Measured(NamedTuple):
    """Seconds of each turn, (rounds, turns): by the clock, and of the processor."""

    wall: np.ndarray
    cpu: np.ndarray


class Worker:
    """A contender in a process of its own, which takes turns when told to."""

    def __init__(self, contender: str, structure: str, turns: int):
        arguments = [f"--contender={contender}", f"--structures={structure}", f"--turns={turns}"]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        )
        self._read()

    def round(self) -> list[tuple[float, float]]:
        """Takes all turns once; returns the seconds of each, by the clock and of the processor."""
        print("round", file=self._process.stdin, flush=True)
        return self._read()

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a contender stopped with exit code {self._process.wait()}")
        return json.loads(line)


def serve(contender: str, structure: str, turns: int) -> None:
    """What a worker's process does: a line in for every round, a line of times out."""
    # What libraries print must not come between the lines.
    answers, sys.stdout = sys.stdout, sys.stderr
    module, function = SGEMM if contender == "sgemm" else CONTENDERS[contender]
    data = workload.make_turns(structure, turns)
    take = getattr(importlib.import_module(module), function)(structure, data)
    for number in range(turns):
        take(number)
    print(json.dumps("ready"), file=answers, flush=True)
    for _ in sys.stdin:
        print(
            json.dumps([_time(take, number) for number in range(turns)]), file=answers, flush=True
        )


def _time(take: Callable[[int], None], number: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    take(number)
    return time.perf_counter() - wall, time.process_time() - cpu


@contextlib.contextmanager
def _workers(contenders: Sequence[str], structure: str, turns: int) -> Iterator[dict[str, Worker]]:
    workers: dict[str, Worker] = {}
    try:
        for contender in contenders:
            workers[contender] = Worker(contender, structure, turns)
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def measure(
    contenders: Sequence[str], structure: str, turns: int, rounds: int
) -> dict[str, Measured]:
    """Lets all contenders take all turns, one contender after the other, ``rounds`` times."""
    found: dict[str, list[Any]] = {contender: [] for contender in contenders}
    with _workers(contenders, structure, turns) as workers:
        for _ in range(rounds):
            for contender, worker in workers.items():
                time.sleep(_PAUSE_SECONDS)
                found[contender].append(worker.round())
    return {
        contender: Measured(*np.moveaxis(np.array(times), -1, 0))
        for contender, times in found.items()
    }


def summarise(structure: str, found: dict[str, Measured], turns: int) -> dict[str, Any]:
    """Turns times into what the table shows.

    Returns:
        ``tokens`` (real, a step), ``padding`` (share), ``gflop`` (a step, by formula),
        ``sgemm_gflops`` (the machine's rate), and for each contender milliseconds a step:
        ``median`` with its ``quartiles`` over the rounds, ``least``, ``cpu`` (median), and the
        ratios ``times_bioner`` (median over the rounds) and ``share_of_sgemm``.
    """
    data = workload.make_turns(structure, turns)
    steps = turns * len(data[0])
    tokens, padding, flops = np.sum([workload.work(structure, turn) for turn in data], axis=0)
    sgemm = workload.SGEMM_FLOPS / np.median(found["sgemm"].wall)
    contenders = {}
    for contender, measured in found.items():
        if contender == "sgemm":
            continue
        # A round's turns together: milliseconds a step, (rounds,).
        rounds = 1e3 * measured.wall.sum(axis=1) / steps
        contenders[contender] = {
            "median": float(np.median(rounds)),
            "quartiles": [float(quartile) for quartile in np.quantile(rounds, (0.25, 0.75))],
            # Each turn at its best.
            "least": float(1e3 * measured.wall.min(axis=0).sum() / steps),
            "cpu": float(np.median(1e3 * measured.cpu.sum(axis=1) / steps)),
            "share_of_sgemm": float(flops / steps / (np.median(rounds) / 1e3) / sgemm),
        }
        if "bioner" in found:
            ratios = measured.wall.sum(axis=1) / found["bioner"].wall.sum(axis=1)
            contenders[contender]["times_bioner"] = float(np.median(ratios))
    return {
        "tokens": float(tokens / steps),
        "padding": float(padding / (tokens + padding)),
        "gflop": float(flops / steps / 1e9),
        "sgemm_gflops": float(sgemm / 1e9),
        "contenders": contenders,
    }


def show(structure: str, summary: dict[str, Any]) -> None:
    """Prints a structure's part of the table."""
    work = f"{summary['tokens']:.0f} tokens and {summary['gflop']:.2f} GFLOP a step"
    rate = f"the machine's rate is {summary['sgemm_gflops']:.0f} GFLOP/s"
    print(f"\n{structure}: {work}, {summary['padding']:.1%} padding; {rate}")
    print(f"{'':<16} ms a step   quartiles      least     cpu   x bioner   of sgemm")
    for contender, values in summary["contenders"].items():
        first, third = values["quartiles"]
        ratio = format(values["times_bioner"], ".2f") if "times_bioner" in values else ""
        print(
            f"{contender:<16} {values['median']:>9.1f} {first:>7.1f} -{third:>6.1f} "
            f"{values['least']:>8.1f} {values['cpu']:>7.1f} "
            f"{ratio:>10} {values['share_of_sgemm']:>10.0%}",
            flush=True,
        )


def machine() -> dict[str, Any]:
    """Says where and when the numbers are from."""
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structures", default="single_task,cross_sharing", help="comma-separated")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated")
    parser.add_argument("--turns", type=int, default=8, help="different batches a corpus")
    parser.add_argument("--rounds", type=int, default=11, help="times that all take all turns")
    default = Path(__file__).parent / "results" / "training_step.json"
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.contender:
        serve(options.contender, options.structures, options.turns)
        return

    structures, contenders = options.structures.split(","), options.contenders.split(",")
    for given, known in ((structures, STRUCTURES), (contenders, CONTENDERS)):
        if set(given) - set(known):
            parser.error(f"expected some of {', '.join(known)}, got {', '.join(given)}")
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: without PyTorch (pip install '.[bench]' brings it)")
        contenders = [name for name in contenders if not name.startswith("pytorch")]
    record: dict[str, Any] = {"machine": machine(), "rounds": options.rounds, "structures": {}}
    print(json.dumps(record["machine"]))
    for structure in structures:
        able = [
            name for name in contenders if structure in _PEERS_HAVE or name.startswith("bioner")
        ]
        found = measure([*able, "sgemm"], structure, options.turns, options.rounds)
        record["structures"][structure] = summarise(structure, found, options.turns)
        show(structure, record["structures"][structure])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten: {options.output}")


if __name__ == "__main__":
    main()
