"""The machine's rate of large matrix products, in float32 and with all cores."""

from __future__ import annotations

from typing import Callable

import tensorflow as tf

from contenders.workload import SGEMM_SIZE


def build(structure: str, turns: list[object]) -> Callable[[int], None]:
    """Returns a function that multiplies; what is to be trained does not matter."""
    left, right = (tf.random.normal((SGEMM_SIZE, SGEMM_SIZE)) for _ in range(2))

    def multiply(number: int) -> None:
        tf.matmul(left, right)[0, 0].numpy()

    return multiply
