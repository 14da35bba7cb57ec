"""Losses of the adversarial structure: corpus discriminator, overlap with private features."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras


@tf.custom_gradient
def reverse_gradient(inputs: tf.Tensor):
    """Returns the inputs unchanged; reverses the sign of the gradient.

    Source: paper, reference 29 (Ganin and Lempitsky), the gradient reversal layer.
    """
    return tf.identity(inputs), tf.negative


class Discriminator(keras.layers.Layer):
    """Classifies sentences by corpus; its input features are trained to make it fail.

    Args:
        num_corpora: Number of corpora.

    Source: paper, Eq. 15 and 16.
    """

    def __init__(self, num_corpora: int, **kwargs):
        super().__init__(**kwargs)
        self.logits = keras.layers.Dense(num_corpora, name="logits")

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], corpus: int) -> tf.Tensor:
        """Scores sentences of one corpus.

        Args:
            inputs: Shared features, float32 (batch, time, units), and lengths, int32 (batch,).
            corpus: The number of the corpus that the sentences come from.

        Returns:
            float32 (batch,): -log of the probability of that corpus, in nats, from the features of
            the last real token (s_T). The gradient is reversed for the features, and normal for
            the discriminator's weights.
        """
        features, lengths = inputs
        last = tf.gather(features, lengths - 1, axis=1, batch_dims=1)  # (batch, units)
        logits = self.logits(reverse_gradient(last))
        labels = tf.fill(tf.shape(lengths), corpus)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


class Difference(keras.layers.Layer):
    """The overlap of shared and private features, for each sentence.

    Source: paper, Eq. 14.
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Measures the overlap.

        Args:
            inputs: Shared and private features, float32 (batch, time, units), and lengths, int32
                (batch,).

        Returns:
            float32 (batch,): the squared Frobenius norm of SᵀP over a sentence's real tokens.
        """
        shared, private, lengths = inputs
        real = tf.sequence_mask(lengths, tf.shape(shared)[1], dtype=shared.dtype)[:, :, None]
        # (batch, units, units)
        products = tf.matmul(shared * real, private, transpose_a=True)
        return tf.reduce_sum(tf.square(products), axis=(1, 2))
