"""Dropout that a resumed run repeats exactly, and the character CNN.

The batch is the first dimension, padding is on the right, and padding never changes a result.
"""

from __future__ import annotations

import math

import tensorflow as tf
from tensorflow import keras


def sequence_mask(lengths: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Returns 1 on real tokens and 0 on padding, (batch, time, 1), with the dtype of ``like``."""
    return tf.sequence_mask(lengths, tf.shape(like)[1], dtype=like.dtype)[:, :, None]


def uniform_embedding(dim: int) -> keras.initializers.Initializer:
    """The initial distribution of embeddings: uniform in ±sqrt(3 / dim), with variance 1 / dim.

    Source: Ma and Hovy (2016), the paper's reference 16; the paper does not state a distribution.
    """
    bound = math.sqrt(3.0 / dim)
    return keras.initializers.RandomUniform(-bound, bound)


class SeededDropout(keras.layers.Layer):
    """Dropout whose mask depends only on the seed and the step, so that a resumed run repeats it.

    Each value is dropped by eight random bits, so the rate is rounded to a multiple of 1/256.

    Args:
        rate: Probability in [0, 1) that a value is dropped; the others are scaled by 1/(1-rate).
        seed: The seed of the run and the number of this dropout layer in the model.
        updates: int64 scalar variable, the number of training steps so far.
    """

    def __init__(self, rate: float, seed: tuple[int, int], updates: tf.Variable, **kwargs):
        super().__init__(**kwargs)
        # The value is dropped if its random byte is below this number.
        self._dropped = min(round(256 * rate), 255)
        self._seed = seed
        # A function, because Keras would count a variable among the layer's weights.
        self._updates = lambda: updates

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops values in training; returns the inputs otherwise."""
        if not training or self._dropped == 0:
            return inputs
        seed = tf.random.experimental.stateless_fold_in(
            tf.constant(self._seed, tf.int64), self._updates()
        )
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
        kept = _random_bytes(tf.shape(inputs), seed) >= self._dropped
        return inputs * (tf.cast(kept, inputs.dtype) * (256 / (256 - self._dropped)))


def _random_bytes(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws uint8 of ``shape``; drawing floats takes three times as long."""
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([(size + 3) // 4], seed, None, None, dtype=tf.uint32)
    return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)


class WordEmbedding(keras.layers.Embedding):
    """A table of word vectors; in training some words are taken for the unknown word.

    So the unknown word gets a vector, and the rest of the network learns to do without a word.

    Args:
        rows: Rows of the table: padding, the unknown word, then the words.
        dim: Width of a vector.
        unknown_id: The row of the unknown word.
        dropout: Decides which tokens lose their word; None: no word is lost.
        kwargs: As for ``keras.layers.Embedding``.
    """

    def __init__(
        self,
        rows: int,
        dim: int,
        unknown_id: int,
        dropout: keras.layers.Layer | None = None,
        **kwargs,
    ):
        super().__init__(rows, dim, **kwargs)
        self._unknown_id = unknown_id
        self._word_dropout = dropout

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Looks up the words, int32 (batch, time), 0 for padding; returns (batch, time, dim)."""
        if self._word_dropout is not None:
            kept = self._word_dropout(tf.ones(tf.shape(inputs)), training=training) > 0
            inputs = tf.where(kept | (inputs == 0), inputs, self._unknown_id)
        return super().call(inputs)


class CharCNN(keras.layers.Layer):
    """A word's vector from its characters: convolution, maximum over the positions, tanh.

    A form of ``n`` characters is padded with ``width - 1`` zeros on both sides, which gives
    ``n + width - 1`` positions. Only these count, so the result does not depend on other forms.

    Args:
        num_characters: Rows of the character table (padding and unknown included).
        dim: Width of a character's vector.
        filters: Filters of the convolution, the width of the result.
        width: Characters that a filter spans.
        dropout: Layer applied to the characters' vectors.

    Source: paper, "Baseline single-task model", the embedding layer.
    """

    def __init__(
        self,
        num_characters: int,
        dim: int,
        filters: int,
        width: int,
        dropout: keras.layers.Layer,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width = width
        self.embedding = keras.layers.Embedding(
            num_characters, dim, embeddings_initializer=uniform_embedding(dim), name="embedding"
        )
        self.convolution = keras.layers.Conv1D(filters, width, name="convolution")
        self.dropout = dropout

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Encodes each distinct form once and copies the result to its tokens.

        Args:
            inputs: The forms' characters, int32 (forms, max_chars), padded with 0, and the form of
                each token, int32 (batch, time).
            training: Whether dropout is on; one mask for each form, not for each token.

        Returns:
            float32 (batch, time, filters).
        """
        char_ids, form_ids = inputs
        lengths = tf.math.count_nonzero(char_ids, axis=1, dtype=tf.int32)
        vectors = self.embedding(char_ids)
        vectors = self.dropout(vectors * sequence_mask(lengths, vectors), training=training)
        margin = self.width - 1
        # (forms, max_chars + width - 1, filters)
        windows = self.convolution(tf.pad(vectors, ((0, 0), (margin, margin), (0, 0))))
        real = tf.sequence_mask(lengths + margin, tf.shape(windows)[1])[:, :, None]
        windows = tf.where(real, windows, windows.dtype.min)
        return tf.gather(tf.tanh(tf.reduce_max(windows, axis=1)), form_ids)
