"""How TensorFlow uses the processor's cores."""

from __future__ import annotations

import os

import tensorflow as tf

# From this many cores on, a single matmul of a recurrence is worth splitting.
_MANY_CORES = 8


def use_threads(most_cores: int | None = None) -> None:
    """Sets the threads for this machine; must come before TensorFlow's first operation.

    A Bi-LSTM is two chains of small operations, one a direction. On few cores it is fastest to
    leave each operation to one thread and to run both chains at once.

    Args:
        most_cores: As if the machine had no more cores than these; by default all count that the
            process may use.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(cores, most_cores or cores)
    inside = 1 if cores < _MANY_CORES else cores // 2
    tf.config.threading.set_intra_op_parallelism_threads(inside)
    tf.config.threading.set_inter_op_parallelism_threads(min(cores, _MANY_CORES))
