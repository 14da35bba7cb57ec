"""Draws dropout masks on two devices; a process of its own sets devices before TensorFlow starts.

Saves an array (draws, replicas, 8, 8) for ``UPDATES`` and a layer of the same seed made anew.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

from bioner_tf.layers.features import SeededDropout
from bioner_tf.training.distribution import distribute

# The updates at each draw.
UPDATES = (0, 1, 0)


def main(path: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = distribute("mirrored").strategy
    draws = []
    for made in range(2):
        with strategy.scope():
            updates = tf.Variable(
                0, dtype=tf.int64, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
            )
            layer = SeededDropout(0.5, (1, 1), updates, name=f"dropout_{made}")

        @tf.function
        def draw(layer=layer):
            return strategy.run(lambda: layer(tf.ones((8, 8)), training=True))

        for number in UPDATES:
            updates.assign(number)
            draws.append([mask.numpy() for mask in strategy.experimental_local_results(draw())])
    np.save(path, draws)


if __name__ == "__main__":
    main(*sys.argv[1:])
