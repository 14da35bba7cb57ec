"""Compares the time of a training step with that of other programs.

    python benchmarks/speed/training_step.py                          # the whole table, minutes
    python benchmarks/speed/training_step.py --structures=single_task --rounds=3

A step is one update by a batch of 16 sentences, about 465 tokens, at the paper's sizes; the data is
generated. Every contender has its own process, and all take turns, so that other work on the
machine affects all of them equally. Contenders:

    bioner            bioner_tf
    bioner_bfloat16   bioner_tf with the Bi-LSTMs' matrix products in bfloat16
    stock_keras       the same networks of Keras's layers, Keras's RMSprop, tensorflow-addons' CRF
    pytorch           the same in PyTorch (pip install '.[bench]'), packed sequences
    pytorch_padded    the same without packing, though its backward LSTMs then start in padding

All get the same batches: sentences of similar length, characters once for each distinct word.
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

# The function that builds it; its arguments in addition to the setting and the turns.
CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bioner": ("contenders.bioner:build_training", {}),
    "bioner_bfloat16": ("contenders.bioner:build_training", {"precision": "bfloat16"}),
    "stock_keras": ("contenders.stock_keras:build_training", {}),
    "pytorch": ("contenders.pytorch:build_training", {}),
    "pytorch_padded": ("contenders.pytorch:build_training", {"packed": False}),
}


def measure(
    contenders: Sequence[str], structure: str, turns: int, rounds: int
) -> dict[str, Measured]:
    """Lets each contender train all turns, one contender after the other, ``rounds`` times."""
    programs = {"sgemm": harness.SGEMM}
    for name in contenders:
        factory, arguments = CONTENDERS[name]
        programs[name] = Program(factory, {"structure": structure, "turns": turns, **arguments})
    return harness.measure(programs, rounds)


def summarise(structure: str, found: Mapping[str, Measured], turns: int) -> dict[str, Any]:
    """Computes the values of the table from the times.

    Returns:
        ``tokens`` (real, a step), ``padding`` (share), ``gflop`` (a step, by formula),
        ``sgemm_gflops`` (the machine's rate), and for each contender milliseconds a step:
        ``median`` with its ``quartiles`` over the rounds, ``least``, ``cpu`` (median), and the
        ratios ``times_bioner`` (median over the rounds) and ``share_of_sgemm``.
    """
    setting = workload.Setting(structure)
    steps = turns * len(setting.corpora)
    work = [workload.work(setting, turn) for turn in workload.make_turns(setting, turns)]
    tokens, padding, flops = np.sum(work, axis=0)
    sgemm = workload.SGEMM_FLOPS / np.median(found["sgemm"].wall)
    contenders = {}
    for contender, measured in found.items():
        if contender == "sgemm":
            continue
        # Mean over the turns of a round: milliseconds a step, (rounds,).
        rounds = 1e3 * measured.wall.sum(axis=1) / steps
        contenders[contender] = {
            **harness.spread(rounds),
            # The fastest time of each turn.
            "least": float(1e3 * measured.wall.min(axis=0).sum() / steps),
            "cpu": float(np.median(1e3 * measured.cpu.sum(axis=1) / steps)),
            "share_of_sgemm": float(flops / steps / (np.median(rounds) / 1e3) / sgemm),
        }
        if "bioner" in found:
            contenders[contender]["times_bioner"] = harness.ratio(measured, found["bioner"])
    return {
        "tokens": float(tokens / steps),
        "padding": float(padding / (tokens + padding)),
        "gflop": float(flops / steps / 1e9),
        "sgemm_gflops": float(sgemm / 1e9),
        "contenders": contenders,
    }


def show(structure: str, summary: Mapping[str, Any]) -> None:
    """Prints a structure's part of the table."""
    work = f"{summary['tokens']:.0f} tokens and {summary['gflop']:.2f} GFLOP a step"
    rate = f"the machine's rate is {summary['sgemm_gflops']:.0f} GFLOP/s"
    print(f"\n{structure}: {work}, {summary['padding']:.1%} padding; {rate}")
    harness.show_times("ms a step", summary["contenders"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structures", default=",".join(workload.WIRINGS), help="comma-separated")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated")
    parser.add_argument("--turns", type=int, default=6, help="batches of each corpus")
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds")
    harness.add_output(parser, "training_step")
    options = parser.parse_args(arguments)
    structures = harness.choose(parser, options.structures, workload.WIRINGS)
    contenders = harness.usable(harness.choose(parser, options.contenders, CONTENDERS))
    contenders = harness.without_bfloat16(contenders)

    record = {"machine": harness.machine(), "rounds": options.rounds, "structures": {}}
    print(json.dumps(record["machine"]))
    for structure in structures:
        found = measure(contenders, structure, options.turns, options.rounds)
        record["structures"][structure] = summarise(structure, found, options.turns)
        show(structure, record["structures"][structure])
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
