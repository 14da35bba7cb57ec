"""Measures the parts of an LSTM's forward and backward pass on one core, to find what limits it.

    python benchmarks/speed/limits.py

The parts are those of ``bioner_tf/layers/recurrence.py``: 16 sentences of 40 tokens, 130 features
for each token, 256 units, one direction. Each part is measured in its own graph; matmuls run one
after the other if a step needs the one before. The rate of each matmul is compared with that of a
large one. The difference is due to their sizes, so no other order of the same matmuls removes it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import harness
import numpy as np
from contenders import workload

BATCH, STEPS = 16, 40
WIDTH, UNITS = workload.WORD_DIM + workload.CHAR_FILTERS, workload.LSTM_UNITS
# Multiplications in each step; 0 for parts whose multiplications are too few to count.
MULTIPLICATIONS = {
    "projection": BATCH * (WIDTH + 1) * 4 * UNITS,
    "recurrent product": BATCH * UNITS * 4 * UNITS,
    "gates": 0,
    "backward: recurrent product": BATCH * UNITS * 4 * UNITS,
    "backward: gates": 0,
    "backward: inputs": BATCH * (WIDTH + 1) * 4 * UNITS,
    "backward: kernel": BATCH * (WIDTH + 1) * 4 * UNITS,
    "backward: recurrent kernel": BATCH * UNITS * 4 * UNITS,
}
WHOLE = "whole pass"


def build_parts() -> dict[str, Callable[[], object]]:
    """Returns a function for each part, and for the whole pass, that runs all steps."""
    import tensorflow as tf

    from bioner_tf.layers.recurrence import arrange_steps, run_lstm

    rng = np.random.default_rng(1)

    def draw(*shape: int) -> tf.Tensor:
        return tf.constant(rng.normal(size=shape, scale=0.05), tf.float32)

    tokens, states = draw(BATCH * STEPS, WIDTH + 1), draw(BATCH * STEPS, UNITS)
    sums, row, wide = draw(BATCH * STEPS, 4 * UNITS), draw(BATCH, UNITS), draw(BATCH, 4 * UNITS)
    weights, recurrent = draw(WIDTH + 1, 4 * UNITS), draw(UNITS, 4 * UNITS)
    transposed = tf.transpose(recurrent)
    peephole, bias = tf.zeros(UNITS), tf.zeros(4 * UNITS)

    def chain(step: Callable[[tf.Tensor], tf.Tensor], value: tf.Tensor) -> tf.Tensor:
        for _ in range(STEPS):
            value = step(value)
        return value

    def gates(c: tf.Tensor) -> tf.Tensor:
        i, f, g, o = tf.split(wide + c[:, :1], 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c)

    def gates_backward(dc: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.LSTMBlockCellGrad(
            x=tf.zeros((BATCH, 0)),
            cs_prev=row,
            h_prev=row,
            w=recurrent,
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            b=bias,
            i=row,
            cs=row,
            f=row,
            o=row,
            ci=row,
            co=row,
            cs_grad=dc,
            h_grad=row,
            use_peephole=False,
        )[0]

    def whole() -> list[tf.Tensor]:
        steps = arrange_steps(tf.fill([BATCH], STEPS))
        watched = [tokens, weights[:-1], recurrent, weights[-1]]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            hidden = run_lstm(watched[0], steps, *watched[1:], training=True)
        return tape.gradient(hidden, watched)

    parts = {
        "projection": lambda: tf.matmul(tokens, weights),
        "recurrent product": lambda: chain(lambda h: tf.matmul(h, recurrent)[:, :UNITS], row),
        "gates": lambda: chain(gates, row),
        "backward: recurrent product": lambda: chain(
            lambda h: tf.matmul(tf.tile(h, [1, 4]), transposed), row
        ),
        "backward: gates": lambda: chain(gates_backward, row),
        "backward: inputs": lambda: tf.matmul(sums, weights, transpose_b=True),
        "backward: kernel": lambda: tf.matmul(tokens, sums, transpose_a=True),
        "backward: recurrent kernel": lambda: tf.matmul(states, sums, transpose_a=True),
        WHOLE: whole,
    }
    return {name: tf.function(part, autograph=False) for name, part in parts.items()}


def measure(parts: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Runs all parts in turns; returns the median time of each, in microseconds a step."""
    times: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(rounds + 1):
        for name, part in parts.items():
            started = time.perf_counter()
            part()
            # The first call traces.
            if number:
                times[name].append(time.perf_counter() - started)
    return {name: float(1e6 * np.median(taken) / STEPS) for name, taken in times.items()}


def summarise(microseconds: Mapping[str, float], sgemm: float) -> dict[str, Any]:
    """Computes the values of the table from the times.

    Args:
        microseconds: Time of a step, for each part and for the whole pass.
        sgemm: The rate of a large matmul on one core, operations a second.

    Returns:
        ``sgemm_gflops``; ``parts``, for each part ``microseconds`` a step and, if it multiplies,
        ``gflops`` and ``share_of_sgemm``; and ``bound``, the share that the pass would reach if it
        only did its matmuls, each as fast as measured here.
    """
    operations = {name: 2 * count for name, count in MULTIPLICATIONS.items()}
    operations[WHOLE] = sum(operations.values())
    parts: dict[str, dict[str, float]] = {}
    for name, taken in microseconds.items():
        parts[name] = {"microseconds": taken}
        if operations[name]:
            rate = operations[name] / (taken / 1e6)
            parts[name].update(gflops=rate / 1e9, share_of_sgemm=rate / sgemm)
    products = sum(microseconds[name] for name, count in MULTIPLICATIONS.items() if count)
    bound = operations[WHOLE] / (products / 1e6) / sgemm
    return {"sgemm_gflops": sgemm / 1e9, "parts": parts, "bound": bound}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41, help="number of rounds")
    harness.add_output(parser, "limits")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    square = tf.random.normal((workload.SGEMM_SIZE,) * 2)
    large = measure({"large": tf.function(lambda: tf.matmul(square, square))}, 5)["large"]
    sgemm = workload.SGEMM_FLOPS / (large * STEPS / 1e6)
    record = {
        "machine": harness.machine(),
        "rounds": options.rounds,
        **summarise(measure(build_parts(), options.rounds), sgemm),
    }
    print(json.dumps(record["machine"]))
    print(f"a large product: {record['sgemm_gflops']:.0f} GFLOP/s on one core\n")
    print(f"{'':<28} us a step  GFLOP/s  of sgemm")
    for name, found in record["parts"].items():
        rates = (
            f"{found['gflops']:>9.0f} {found['share_of_sgemm']:>9.0%}" if "gflops" in found else ""
        )
        print(f"{name:<28} {found['microseconds']:>9.1f}{rates}")
    print(f"\nthe products alone: {record['bound']:.0%} of sgemm")
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
