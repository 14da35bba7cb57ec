"""Bi-LSTMs that share their inputs and compute real tokens only, no padding.

``ParallelBiLSTMs`` returns the hidden states of all real tokens without padding; ``ToSentences``
puts them back into padded sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow import keras

from bioner_tf.layers.recurrence import arrange_steps, run_lstm


class BiLSTM(keras.layers.Layer):
    """The weights of one Bi-LSTM, initialised as in ``keras.layers.Bidirectional(LSTM)``.

    Orthogonal recurrent weights, Glorot-uniform input weights, forget bias 1. ``ParallelBiLSTMs``
    runs it.

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
        """Makes the weights for inputs (batch, time, width)."""
        self.bidirectional.build(input_shape)
        super().build(input_shape)

    @property
    def directions(self) -> tuple[keras.layers.Layer, keras.layers.Layer]:
        """The LSTM cells, forward and backward, with their kernel, recurrent kernel and bias."""
        return (self.bidirectional.forward_layer.cell, self.bidirectional.backward_layer.cell)


class ParallelBiLSTMs(keras.layers.Layer):
    """Runs several Bi-LSTMs over the same inputs, independently of each other.

    On a GPU, training runs Keras's cuDNN LSTM instead, with the same variables and results.

    Args:
        bilstms: The Bi-LSTMs.
        precision: Type of the inputs and results of their matmuls: "float32", or "bfloat16", which
            is faster on a processor that supports it (``machine.supports_bfloat16``). Weights,
            gates, cell states and outputs are always float32. On a GPU everything is float32.
    """

    def __init__(self, bilstms: Sequence[BiLSTM], precision: str = "float32", **kwargs):
        super().__init__(**kwargs)
        self.bilstms = list(bilstms)
        self._precision = tf.as_dtype(precision)

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Makes the weights of the Bi-LSTMs that have none yet."""
        for bilstm in self.bilstms:
            if not bilstm.built:
                bilstm.build(input_shape[0])
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """Runs the Bi-LSTMs.

        Args:
            inputs: Features, float32 (batch, time, features), and lengths, int32 (batch,).
            training: Whether a gradient will be computed. If so, the states that it needs are
                kept, and cuDNN is used on a GPU. Exports never use cuDNN and run everywhere.

        Returns:
            For each Bi-LSTM the hidden states of all real tokens, forward then backward, float32
            (tokens, 2 * units), in the order that ``ToSentences`` expects.
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
    """Puts the tokens that ``ParallelBiLSTMs`` returned back into padded sentences."""

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Scatters tokens.

        Args:
            inputs: Tokens, float32 (tokens, width), and the lengths that were passed to
                ``ParallelBiLSTMs``, int32 (batch,).

        Returns:
            float32 (batch, time, width), as long as the longest sentence; 0 on padding.
        """
        tokens, lengths = inputs
        return arrange_steps(lengths).scatter(tokens)
