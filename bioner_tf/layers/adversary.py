"""What makes shared features shared: a discriminator to deceive, and a distance to private ones."""

from __future__ import annotations

import tensorflow as tf
from tensorflow import keras


@tf.custom_gradient
def reverse_gradient(inputs: tf.Tensor):
    """Gives the inputs back, and their gradient with the opposite sign.

    Source: paper, reference 29 (Ganin and Lempitsky), the gradient reversal layer.
    """
    return tf.identity(inputs), tf.negative


class Discriminator(keras.layers.Layer):
    """Tells from which corpus a sentence is; what feeds it is trained to leave it in the dark.

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
            corpus: The number of the corpus that the sentences are from.

        Returns:
            float32 (batch,): -log of the probability of that corpus, in nats, by the features of
            the last real token (s_T). The gradient is the loss's own for the discriminator's
            weights and the opposite for the features.
        """
        features, lengths = inputs
        last = tf.gather(features, lengths - 1, axis=1, batch_dims=1)  # (batch, units)
        logits = self.logits(reverse_gradient(last))
        labels = tf.fill(tf.shape(lengths), corpus)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


class Difference(keras.layers.Layer):
    """How alike shared and private features are, sentence by sentence.

    Source: paper, Eq. 14.
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Measures the likeness.

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
