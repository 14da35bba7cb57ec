"""The layers that the sharing structures are assembled from.

Sequences lie batch first with padding on the right, and no layer lets padding change a result. What
``SideBySide`` returns has none: all real tokens, which ``ToSentences`` pads again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from bioner_tf.layers.recurrence import arrange_steps, run_lstm


def sequence_mask(lengths: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Returns 1 on real tokens and 0 on padding, shaped (batch, time, 1) for ``like``."""
    return tf.sequence_mask(lengths, tf.shape(like)[1], dtype=like.dtype)[:, :, None]


def uniform_embedding(dim: int) -> keras.initializers.Initializer:
    """The initial distribution of embeddings: uniform in ±sqrt(3 / dim), hence of variance 1 / dim.

    Source: Ma and Hovy (2016), the paper's reference 16; the paper itself names none.
    """
    bound = math.sqrt(3.0 / dim)
    return keras.initializers.RandomUniform(-bound, bound)


class SeededDropout(keras.layers.Layer):
    """Dropout whose mask is a function of (seed, updates so far): a resumed run draws it again.

    A value is dropped by eight random bits, so the rate is rounded to a multiple of 1/256.

    Args:
        rate: Probability in [0, 1) that a value is dropped; the others are scaled by 1/(1-rate).
        seed: Two whole numbers, different for every place of dropout in a model and every run.
        updates: int64 scalar variable that no two training steps find at the same value.
    """

    def __init__(self, rate: float, seed: tuple[int, int], updates: tf.Variable, **kwargs):
        super().__init__(**kwargs)
        # How many of the 256 values of eight bits drop.
        self._dropped = min(round(256 * rate), 255)
        self._seed = seed
        # Not an attribute of the layer's own: Keras would count it among its weights.
        self._updates = lambda: updates

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drops values while training; gives the inputs back otherwise."""
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
    """Draws uint8 of ``shape``; drawing floats instead costs three times as much."""
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([(size + 3) // 4], seed, None, None, dtype=tf.uint32)
    return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)


class CharCNN(keras.layers.Layer):
    """A word's vector from its characters: convolution, maximum over the positions, tanh.

    A form of ``n`` characters has ``n + width - 1`` positions: it is padded with ``width - 1``
    zeros on both sides. The maximum is over these only, so that a longer neighbour changes nothing.

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
        """Encodes each distinct form once and hands the result to its tokens.

        Args:
            inputs: The forms' characters, int32 (forms, max_chars), padded with 0, and the form of
                each token, int32 (batch, time).
            training: Whether dropout is on; its mask is drawn for a form, not for each token.

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


class BiLSTM(keras.layers.Layer):
    """The weights of one Bi-LSTM: those of ``keras.layers.Bidirectional(LSTM)``.

    Orthogonal recurrent weights, Glorot-uniform input weights, forget bias 1. ``SideBySide`` runs
    it.

    Args:
        units: Units in each direction.

    Source: paper, "Bi-directional long short-term memory".
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.bidirectional = keras.layers.Bidirectional(
            keras.layers.LSTM(units, return_sequences=True), name="bidirectional"
        )

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the weights for inputs (batch, time, features)."""
        self.bidirectional.build(input_shape)
        super().build(input_shape)

    @property
    def directions(self) -> tuple[keras.layers.Layer, keras.layers.Layer]:
        """The LSTM cells, forward and backward, with their kernel, recurrent kernel and bias."""
        return (self.bidirectional.forward_layer.cell, self.bidirectional.backward_layer.cell)


class SideBySide(keras.layers.Layer):
    """Runs several Bi-LSTMs over the same inputs; none waits for another.

    On a GPU a training step runs Keras's cuDNN LSTM instead: the same variables, the same numbers.

    Args:
        bilstms: The Bi-LSTMs.
        precision: What their matmuls take and give: "float32" or "bfloat16", which a processor that
            has it (``processor.supports_bfloat16``) multiplies faster. Weights, gates, cell states
            and the outputs are float32 either way. Keras's LSTM on a GPU takes float32 only.
    """

    def __init__(self, bilstms: Sequence[BiLSTM], precision: str = "float32", **kwargs):
        super().__init__(**kwargs)
        self.bilstms = list(bilstms)
        self._precision = tf.as_dtype(precision)

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Makes the weights of those that have none yet."""
        for bilstm in self.bilstms:
            if not bilstm.built:
                bilstm.build(input_shape[0])
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """Runs the Bi-LSTMs.

        Args:
            inputs: Features, float32 (batch, time, features), and lengths, int32 (batch,).
            training: Whether a gradient is wanted: what it needs is kept only then, and only then a
                GPU's own LSTM is used, so that an exported graph runs everywhere.

        Returns:
            For each Bi-LSTM the hidden states of all real tokens, forward then backward, float32
            (tokens, 2 * units). ``ToSentences`` knows whose they are.
        """
        features, lengths = inputs
        steps = arrange_steps(lengths)
        if training and tf.config.list_physical_devices("GPU"):
            mask = tf.sequence_mask(lengths, tf.shape(features)[1])
            padded = (bilstm.bidirectional(features, mask=mask) for bilstm in self.bilstms)
            return [tf.gather_nd(hidden, steps.cells) for hidden in padded]
        tokens = steps.gather(features)
        outputs = []
        for bilstm in self.bilstms:
            hidden = [
                run_lstm(
                    tokens,
                    steps,
                    cell.kernel,
                    cell.recurrent_kernel,
                    cell.bias,
                    training=training,
                    backward=backward,
                    precision=self._precision,
                )
                for cell, backward in zip(bilstm.directions, (False, True))
            ]
            outputs.append(tf.concat(hidden, axis=-1))
        return outputs


class ToSentences(keras.layers.Layer):
    """Puts what ``SideBySide`` returned, or what was made of it, back into sentences."""

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Scatters tokens.

        Args:
            inputs: Tokens, float32 (tokens, width), and the lengths that ``SideBySide`` was called
                with, int32 (batch,).

        Returns:
            float32 (batch, time, width), as long as the longest sentence; 0 on padding.
        """
        tokens, lengths = inputs
        return arrange_steps(lengths).scatter(tokens)


class GatedInteraction(keras.layers.Layer):
    """The gate of one corpus: the others' features tell how much of its private features passes.

    G_k = P_k * sigmoid(sum over j != k of W_{j->k} P_j + b_k): with two corpora the paper's own.

    Source: paper, Eq. 18 and 19.
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
