"""Measures an export's latency and throughput with the loader that TensorFlow Serving uses.

    python benchmarks/speed/serving.py --model=runs/genes            # 1, 2 and 4 callers at once
    python benchmarks/speed/serving.py --model=runs/genes --batches  # texts a request, and threads
    python benchmarks/speed/serving.py --model=runs/genes --soak=600 # 10 minutes: is memory stable?

Pass typical texts with --texts, one a line. --json=FILE saves the numbers. TF_NUM_INTRAOP_THREADS
and TF_NUM_INTEROP_THREADS set the threads; by default TensorFlow chooses. With several callers, 1
and the number of cores are good values. --batches tries several settings; the values in
export/batching.config and export/docker-compose.yml are based on its output.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SOURCES = Path(__file__).resolve().parents[2] / "export" / "c"
_CALLERS = (1, 2, 4)
# The batches that batching.config runs at once.
_BATCH_CALLERS = 2
_BATCHES = (1, 2, 4, 8, 16, 32)
# Pairs: threads within an operation, operations at once.
_THREADS = ((1, 2), (2, 1), (2, 2))
_SOAK_PERIODS = 20
# Memory is stable in a soak of ten minutes if it grows by at most this share an hour.
_STABLE_GROWTH = 0.1
_SOAK_CALLERS = 2
_TEXTS = (
    "Mutations of BRCA1 cause breast cancer.",
    "The p53 protein binds MDM2 in HeLa cells, but not in E. coli (Fig. 3).",
    "Interleukin-2 receptor alpha chain expression was analysed in 12 patients with leukaemia by "
    "flow cytometry. We found no difference between the two groups, although the level of tumour "
    "necrosis factor rose twofold after treatment with dexamethasone.",
)


def build(directory: Path) -> Path:
    """Builds bioner_bench into a directory; returns the program."""
    command = ["make", "--silent", "-C", str(_SOURCES), f"BUILD={directory}"]
    subprocess.run([*command, f"PYTHON={sys.executable}"], check=True)
    return directory / "bioner_bench"


def measure(
    program: Path,
    model: Path,
    texts: bytes,
    callers: int,
    seconds: float,
    periods: int = 1,
    batch: int = 1,
    threads: tuple[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Runs bioner_bench; returns its figures for loading, then for each period."""
    environment = dict(os.environ)
    if threads:
        within, at_once = map(str, threads)
        environment.update(TF_NUM_INTRAOP_THREADS=within, TF_NUM_INTEROP_THREADS=at_once)
    arguments = (callers, seconds, periods, batch)
    done = subprocess.run(
        [program, model, *map(str, arguments)],
        input=texts,
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def print_speed(program: Path, model: Path, texts: bytes, seconds: float) -> list[dict[str, Any]]:
    """Prints and returns the cold start, then latency and throughput by number of callers."""
    found = []
    for number, callers in enumerate(_CALLERS):
        # The first period is warm-up.
        start, _, warm = measure(program, model, texts, callers, seconds, periods=2)
        if number == 0:
            found.append(start)
            print(f"load {start['load_seconds']:.2f} s")
            print(f"first answer {start['first_answer_seconds']:.2f} s later\n")
            print("callers  p50 ms  p99 ms  texts/s  memory MB")
        found.append(warm)
        print(
            f"{callers:>7} {warm['p50_ms']:>7.1f} {warm['p99_ms']:>7.1f} "
            f"{warm['texts_per_second']:>8.1f} {warm['resident_megabytes']:>10.0f}",
            flush=True,
        )
    return found


def print_batches(program: Path, model: Path, texts: bytes, seconds: float) -> list[dict[str, Any]]:
    """Prints and returns latency and throughput by number of texts in a request and of threads."""
    found = []
    print("threads  texts a request  p50 ms  p99 ms  texts/s  memory MB")
    for threads in _THREADS:
        for batch in _BATCHES:
            _, _, warm = measure(
                program, model, texts, _BATCH_CALLERS, seconds, 2, batch=batch, threads=threads
            )
            name = "x".join(map(str, threads))
            found.append({"threads": name, **warm})
            print(
                f"{name:>7} {batch:>16} {warm['p50_ms']:>7.1f} {warm['p99_ms']:>7.1f} "
                f"{warm['texts_per_second']:>8.1f} {warm['resident_megabytes']:>10.0f}",
                flush=True,
            )
    return found


def print_soak(program: Path, model: Path, texts: bytes, seconds: float) -> dict[str, Any]:
    """Prints and returns latency and memory over time, and whether memory is stable."""
    period = seconds / _SOAK_PERIODS
    _, *periods = measure(program, model, texts, _SOAK_CALLERS, period, _SOAK_PERIODS)
    print("after s  p50 ms  p99 ms  memory MB")
    for number, found in enumerate(periods, 1):
        print(
            f"{number * period:>7.0f} {found['p50_ms']:>7.1f} {found['p99_ms']:>7.1f} "
            f"{found['resident_megabytes']:>10.1f}"
        )
    verdict = judge_soak(periods, period)
    print(
        f"{'stable' if verdict['stable'] else 'UNSTABLE'}: after warm-up memory changes by "
        f"{verdict['megabytes_an_hour']:+.1f} MB an hour, p99 by {verdict['p99_drift']:+.0%}"
    )
    return {**verdict, "periods": periods}


def judge_soak(periods: Sequence[Mapping[str, float]], seconds: float) -> dict[str, Any]:
    """Decides whether memory grows.

    Args:
        periods: The figures of bioner_bench for each period; ignores the first third as warm-up.
        seconds: Length of a period.

    Returns:
        ``megabytes_an_hour``, the slope of the straight line through the resident memory;
        ``p99_drift``, the relative change of the median p99 latency from the first to the second
        half; and ``stable``: the slope is at most a tenth of the memory an hour.
    """
    warm = periods[len(periods) // 3 :]
    megabytes = np.array([found["resident_megabytes"] for found in warm])
    hours = np.arange(len(warm)) * seconds / 3600
    slope = float(np.polyfit(hours, megabytes, 1)[0])
    latencies = [found["p99_ms"] for found in warm]
    before, after = latencies[: len(warm) // 2], latencies[len(warm) // 2 :]
    return {
        "stable": slope <= _STABLE_GROWTH * float(megabytes.mean()),
        "megabytes_an_hour": slope,
        "p99_drift": float(np.median(after) / np.median(before)) - 1,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns 1 if memory is not stable."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from bioner_tf.files import write_json_atomically
    from bioner_tf.serving.versions import find_saved_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="an export, or a run directory")
    parser.add_argument("--texts", type=Path, help="a file of texts, one a line")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measurement")
    parser.add_argument("--json", type=Path, help="save the numbers here")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--batches", action="store_true", help="vary batch size and threads")
    what.add_argument("--soak", type=float, metavar="SECONDS", help="measure memory this long")
    options = parser.parse_args(arguments)
    model = find_saved_model(options.model)
    texts = options.texts.read_bytes() if options.texts else "\n".join(_TEXTS).encode()
    with tempfile.TemporaryDirectory() as directory:
        program = build(Path(directory))
        found: Any
        if options.soak:
            found = print_soak(program, model, texts, options.soak)
        elif options.batches:
            found = print_batches(program, model, texts, options.seconds)
        else:
            found = print_speed(program, model, texts, options.seconds)
    if options.json:
        write_json_atomically(options.json, found)
    return int(bool(options.soak) and not found["stable"])


if __name__ == "__main__":
    sys.exit(main())
