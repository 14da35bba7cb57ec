"""How fast an export answers, cold and warm, through the loader that TensorFlow Serving uses.

    python benchmarks/serving.py --model=runs/genes                 # 1, 2 and 4 callers at once
    python benchmarks/serving.py --model=runs/genes --soak=600      # 10 minutes: is memory stable?

Every request is one text. Give texts like yours with --texts, one a line. The number of threads is
TensorFlow's to choose unless TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS say; with several
callers 1 and the number of cores is a good choice.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SOURCES = Path(__file__).resolve().parents[1] / "export" / "c"
_CALLERS = (1, 2, 4)
_SOAK_PERIODS = 20
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
    program: Path, model: Path, texts: bytes, callers: int, seconds: float, periods: int = 1
) -> list[dict[str, Any]]:
    """Runs bioner_bench; returns what it says of loading, then of each period."""
    done = subprocess.run(
        [program, model, str(callers), str(seconds), str(periods)],
        input=texts,
        stdout=subprocess.PIPE,
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def print_speed(program: Path, model: Path, texts: bytes, seconds: float) -> None:
    """Prints cold start and, for more and more callers, latency and throughput."""
    for number, callers in enumerate(_CALLERS):
        # The first period warms up.
        start, _, warm = measure(program, model, texts, callers, seconds, periods=2)
        if number == 0:
            print(f"load {start['load_seconds']:.2f} s")
            print(f"first answer {start['first_answer_seconds']:.2f} s later\n")
            print("callers  p50 ms  p99 ms  texts/s  memory MB")
        print(
            f"{callers:>7} {warm['p50_ms']:>7.1f} {warm['p99_ms']:>7.1f} "
            f"{warm['requests_per_second']:>8.1f} {warm['resident_megabytes']:>10.0f}",
            flush=True,
        )


def print_soak(program: Path, model: Path, texts: bytes, seconds: float) -> None:
    """Prints latency and memory as time goes by."""
    period = seconds / _SOAK_PERIODS
    _, *periods = measure(program, model, texts, _SOAK_CALLERS, period, _SOAK_PERIODS)
    print("after s  p50 ms  p99 ms  memory MB")
    for number, found in enumerate(periods, 1):
        print(
            f"{number * period:>7.0f} {found['p50_ms']:>7.1f} {found['p99_ms']:>7.1f} "
            f"{found['resident_megabytes']:>10.1f}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    from bioner_tf.tagger import find_saved_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="an export, or a run directory")
    parser.add_argument("--texts", type=Path, help="a file of texts, one a line")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="measure that long instead")
    options = parser.parse_args(arguments)
    model = find_saved_model(options.model)
    texts = options.texts.read_bytes() if options.texts else "\n".join(_TEXTS).encode()
    with tempfile.TemporaryDirectory() as directory:
        program = build(Path(directory))
        if options.soak:
            print_soak(program, model, texts, options.soak)
        else:
            print_speed(program, model, texts, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
