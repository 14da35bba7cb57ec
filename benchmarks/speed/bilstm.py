"""Measures Bi-LSTMs forward and backward, and compares with the machine's matmul rate.

    python benchmarks/speed/bilstm.py
    python benchmarks/speed/bilstm.py --counts=1 --length=100

``--counts`` Bi-LSTMs with 256 units in each direction read the same 130 features of each token
(single-task has one Bi-LSTM, cross-sharing of two corpora has three), in a batch of sentences of
similar length. The contenders are the same as in training_step.py; all take turns.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import harness
import numpy as np
from contenders import workload
from harness import Measured, Program

CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bioner": ("contenders.bioner:build_bilstms", {}),
    "bioner_bfloat16": ("contenders.bioner:build_bilstms", {"precision": "bfloat16"}),
    "stock_keras": ("contenders.stock_keras:build_bilstms", {}),
    "pytorch": ("contenders.pytorch:build_bilstms", {}),
    "pytorch_padded": ("contenders.pytorch:build_bilstms", {"packed": False}),
}


# Passes in each round; one takes a few hundredths of a second.
_PASSES = 10


def measure(
    contenders: Sequence[str], count: int, batch_size: int, length: int, rounds: int
) -> dict[str, Measured]:
    """Lets all contenders run ``count`` Bi-LSTMs, one after the other, ``rounds`` times."""
    shape = {"count": count, "batch_size": batch_size, "length": length}
    programs = {"sgemm": harness.SGEMM}
    for name in contenders:
        factory, arguments = CONTENDERS[name]
        programs[name] = Program(factory, {**shape, **arguments})
    return harness.measure(programs, rounds, _PASSES)


def summarise(
    found: Mapping[str, Measured], count: int, batch_size: int, length: int
) -> dict[str, Any]:
    """Computes the values of the table from the times; see ``training_step.summarise``.

    Floating-point operations are counted for real tokens: three times the forward pass.
    """
    _, lengths = workload.make_features(batch_size, length)
    flops = 3 * count * workload.bilstm_flops(int(lengths.sum()))
    sgemm = workload.SGEMM_FLOPS / np.median(found["sgemm"].wall)
    contenders = {}
    for contender, measured in found.items():
        if contender == "sgemm":
            continue
        times = harness.spread(1e3 * np.median(measured.wall, axis=1))
        contenders[contender] = {
            **times,
            "cpu": float(np.median(1e3 * measured.cpu)),
            "share_of_sgemm": float(flops / (times["median"] / 1e3) / sgemm),
        }
        if "bioner" in found:
            contenders[contender]["times_bioner"] = harness.ratio(measured, found["bioner"])
    return {
        "tokens": int(lengths.sum()),
        "padding": float(1 - lengths.sum() / (batch_size * length)),
        "gflop": flops / 1e9,
        "sgemm_gflops": float(sgemm / 1e9),
        "contenders": contenders,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="1,3", help="numbers of Bi-LSTMs, comma-separated")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated")
    parser.add_argument("--batch_size", type=int, default=16, help="sentences")
    parser.add_argument("--length", type=int, default=40, help="tokens of the longest sentence")
    parser.add_argument("--rounds", type=int, default=15, help="times that all take a turn")
    harness.add_output(parser, "bilstm")
    options = parser.parse_args(arguments)
    contenders = harness.usable(harness.choose(parser, options.contenders, CONTENDERS))

    record = {"machine": harness.machine(), "rounds": options.rounds, "counts": {}}
    print(json.dumps(record["machine"]))
    for count in map(int, options.counts.split(",")):
        shape = (count, options.batch_size, options.length)
        summary = summarise(measure(contenders, *shape, options.rounds), *shape)
        record["counts"][str(count)] = summary
        print(
            f"\n{count} Bi-LSTMs: {summary['tokens']} tokens, {summary['gflop']:.2f} GFLOP, "
            f"{summary['padding']:.1%} padding; the machine's rate is "
            f"{summary['sgemm_gflops']:.0f} GFLOP/s"
        )
        harness.show_times("ms", summary["contenders"])
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
