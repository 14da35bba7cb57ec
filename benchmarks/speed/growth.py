"""Measures how time and memory of a training step grow with its input.

    python benchmarks/speed/growth.py                         # minutes
    python benchmarks/speed/growth.py --axes=length,num_words --structure=single_task

Varies one quantity at a time; the others stay at 16 sentences of 30 tokens, 2 corpora and 20,000
words. Every point has its own process. The last line of each axis is the exponent of a power law,
the slope of a straight line through the logarithms: 1 means proportional, 0 means independent. For
memory, the line is fitted to the memory in addition to that of the axis's smallest point.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import harness
import numpy as np
from contenders import workload
from harness import Program

AXES: dict[str, tuple[int, ...]] = {
    "length": (10, 30, 100, 300, 1000),
    "batch_size": (1, 4, 16, 64, 256),
    "num_corpora": (2, 4, 8),
    "num_words": (10_000, 100_000, 1_000_000),
}
_UNITS = {
    "length": "tokens a sentence",
    "batch_size": "sentences a batch",
    "num_corpora": "corpora",
    "num_words": "words in the table",
}
_BASE = {"batch_size": 16, "length": 30, "num_corpora": 2, "num_words": 20_000}


def measure(structure: str, axis: str, value: int, rounds: int) -> dict[str, float]:
    """Measures one point.

    Returns:
        ``value``, ``ms`` (median, an update of one corpus) and ``megabytes`` (peak, resident).
    """
    setting = {**_BASE, axis: value, "structure": structure}
    program = Program("contenders.bioner:build_training", {"turns": 1, **setting})
    found = harness.measure({"bioner": program}, rounds)["bioner"]
    updates = len(workload.Setting(**setting).corpora)
    return {
        "value": value,
        "ms": float(1e3 * np.median(found.wall) / updates),
        "megabytes": found.peak,
    }


def exponent(values: Sequence[float], costs: Sequence[float]) -> float:
    """Returns b of the power law ``cost = a value^b`` that fits best, by least squares of logs.

    Args:
        values: At least two values, more than 0.
        costs: The cost of each value; costs of 0 or less are left out.
    """
    pairs = [(value, cost) for value, cost in zip(values, costs) if cost > 0]
    if len(pairs) < 2:
        return 0.0
    return float(np.polyfit(*np.log(np.array(pairs).T), 1)[0])


def summarise(points: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Returns the points of an axis with the exponents of time and of memory."""
    values, times, memory = zip(*((p["value"], p["ms"], p["megabytes"]) for p in points))
    return {
        "points": list(points),
        "time_exponent": exponent(values, times),
        "memory_exponent": exponent(values[1:], [m - memory[0] for m in memory[1:]]),
    }


def show(axis: str, summary: Mapping[str, Any]) -> None:
    """Prints an axis's part of the table."""
    print(f"\n{_UNITS[axis]:>18}   ms an update   MB at most")
    for point in summary["points"]:
        print(f"{point['value']:>18,} {point['ms']:>14.1f} {point['megabytes']:>12,.0f}")
    print(
        f"{'exponent':>18} {summary['time_exponent']:>14.2f} {summary['memory_exponent']:>12.2f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--axes", default=",".join(AXES), help="comma-separated")
    parser.add_argument("--structure", default="cross_sharing", choices=sorted(workload.WIRINGS))
    parser.add_argument("--points", type=int, default=5, help="points of each axis, smallest first")
    parser.add_argument("--rounds", type=int, default=5, help="number of measured steps")
    harness.add_output(parser, "growth")
    options = parser.parse_args(arguments)
    axes = harness.choose(parser, options.axes, AXES)
    record: dict[str, Any] = {
        "machine": harness.machine(),
        "rounds": options.rounds,
        "structure": options.structure,
        "axes": {},
    }
    print(json.dumps(record["machine"]))
    for axis in axes:
        points = [
            measure(options.structure, axis, value, options.rounds)
            for value in AXES[axis][: options.points]
        ]
        record["axes"][axis] = summarise(points)
        show(axis, record["axes"][axis])
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
