r"""Compares F1 of the same training in float32 and bfloat16, over several seeds.

    python benchmarks/quality/precision.py --data_dir=corpora --corpora=Ex-PTM-IOB --seeds=1,2,3 \
        --train_flags="--crf=pairwise --vectors=vectors/words.bin --epochs=40"

Uses bfloat16 even if it is slow here and ``bioner-train`` would use float32; the results are the
same on every processor that has the instructions. Each training runs ``bioner-train``. With
--runs_dir the runs are kept, and finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The modules that the benchmarks of quality and of speed share.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from speed import harness

PRECISIONS = ("float32", "bfloat16")
_TRAIN = """
from bioner_tf import machine as processor
processor.supports_bfloat16 = lambda: True
from bioner_tf.cli import train
train.entry()
"""


def train(run_dir: Path, flags: Sequence[str]) -> float:
    """Trains if the run is not finished; returns F1 on the main corpus's test split, in [0, 1].

    Raises:
        SystemExit: If the training fails.
    """
    command = [sys.executable, "-c", _TRAIN, f"--run_dir={run_dir}", *flags]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"bioner-train failed: {shlex.join(flags)}")
    report = json.loads((run_dir / "report.json").read_text())
    return next(iter(report["scores"].values()))["test"]["f1"]


def summarise(scores: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Summarises the scores of each precision by seed.

    Returns:
        For each precision its ``scores`` by seed, ``mean`` and ``deviation``; the ``difference``,
        the second mean minus the first; and ``p``, the p-value of Welch's test for this difference
        (None if it cannot be computed).
    """
    from bioner_tf.scoring.statistics import welch_test

    tested = welch_test(*([*scores[precision].values()] for precision in reversed(PRECISIONS)))
    summary: dict[str, Any] = {
        precision: {
            "scores": found,
            "mean": statistics.fmean(found.values()),
            "deviation": statistics.stdev(found.values()) if len(found) > 1 else 0.0,
        }
        for precision, found in scores.items()
    }
    first, second = (summary[precision]["mean"] for precision in PRECISIONS)
    return {**summary, "difference": second - first, "p": tested.p if tested else None}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the scores and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="where the corpora are")
    parser.add_argument("--corpora", required=True, help="comma-separated, the main one first")
    parser.add_argument("--structure", default="single_task", help="the sharing structure")
    parser.add_argument("--seeds", default="1,2,3", help="comma-separated")
    parser.add_argument("--train_flags", default="", help="further flags of bioner-train")
    parser.add_argument("--runs_dir", type=Path, help="a directory to keep the runs in")
    harness.add_output(parser, "precision")
    options = parser.parse_args(arguments)
    given = [f"--{name}={getattr(options, name)}" for name in ("data_dir", "corpora", "structure")]
    given += shlex.split(options.train_flags)
    scores: dict[str, dict[str, float]] = {precision: {} for precision in PRECISIONS}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in options.seeds.split(","):
            for precision in PRECISIONS:
                run_dir = (options.runs_dir or Path(temporary)) / f"{precision}_s{seed}"
                f1 = train(run_dir, [*given, f"--precision={precision}", f"--seed={seed}"])
                scores[precision][seed] = f1
                print(f"seed {seed} {precision:<9} F1 {100 * f1:.2f}", flush=True)
    record = {
        "machine": harness.machine(),
        "structure": options.structure,
        "corpora": options.corpora.split(","),
        "flags": options.train_flags,
        **summarise(scores),
    }
    chance = "" if record["p"] is None else f", p = {record['p']:.2f}"
    print(f"difference {100 * record['difference']:+.2f}{chance}")
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
