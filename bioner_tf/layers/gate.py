"""The gate of the cross-sharing structure."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras


class GatedInteraction(keras.layers.Layer):
    """The gate of one corpus: scales its private features by those of the other corpora.

    G_k = P_k * sigmoid(sum over j != k of W_{j->k} P_j + b_k).

    Source: paper, Eq. 18 and 19, for two corpora; the sum extends them to more.
    """

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Makes W (the W_{j->k} stacked) and b for inputs [own, *others]."""
        self.gate = keras.layers.Dense(input_shape[0][-1], activation="sigmoid", name="gate")
        self.gate.build((None, sum(shape[-1] for shape in input_shape[1:])))
        super().build(input_shape)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Gates the first of ``inputs``, each float32 (..., units), by the others."""
        own, *others = inputs
        return own * self.gate(tf.concat(others, axis=-1))
