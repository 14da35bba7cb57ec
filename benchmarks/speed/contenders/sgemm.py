"""The machine's rate of large matrix products, in float32 and with all cores."""

from __future__ import annotations

import tensorflow as tf
from harness import Task

from contenders.workload import SGEMM_SIZE


def build() -> list[Task]:
    """Returns one multiplication."""
    left, right = (tf.random.normal((SGEMM_SIZE, SGEMM_SIZE)) for _ in range(2))
    return [lambda: tf.matmul(left, right)[0, 0].numpy()]
