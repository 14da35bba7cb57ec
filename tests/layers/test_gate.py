"""The gate against NumPy, written from the paper's formula."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from bioner_tf.layers.gate import GatedInteraction


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_gate_of_three_corpora_sums_over_the_others() -> None:
    layer = GatedInteraction()
    own, first, second = (tf.random.normal((2, 3, 4)) for _ in range(3))
    layer([own, first, second])
    weights, bias = layer.trainable_variables
    bias.assign(tf.random.normal(bias.shape))
    to_first, to_second = np.split(weights.numpy(), 2)
    expected = own.numpy() * sigmoid(first.numpy() @ to_first + second.numpy() @ to_second + bias)
    np.testing.assert_allclose(layer([own, first, second]), expected, atol=1e-6)
