"""Bi-LSTMs against Keras's own LSTM."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.layers.bilstm import BiLSTM, ParallelBiLSTMs, ToSentences

LENGTHS = {
    "all full": [4, 4, 4],
    "mixed": [4, 1, 3],
    "one sentence of one token": [1],
}


def run(layer: ParallelBiLSTMs, features: tf.Tensor, lengths: list[int], **how) -> list[tf.Tensor]:
    """Returns each Bi-LSTM's hidden states, (batch, time, 2 * units)."""
    features, lengths = tf.convert_to_tensor(features), tf.constant(lengths)
    hidden = layer((features, lengths), **how)
    return [ToSentences()((tokens, lengths)) for tokens in hidden]


class TestBiLSTM:
    @staticmethod
    def make(count: int) -> ParallelBiLSTMs:
        layer = ParallelBiLSTMs([BiLSTM(5, name=f"lstm_{i}") for i in range(count)])
        layer((tf.zeros((1, 1, 3)), tf.constant([1])))
        for weights in layer.trainable_variables:
            weights.assign(tf.random.normal(weights.shape, stddev=0.5))
        return layer

    @pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
    @pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
    @pytest.mark.parametrize("count", [1, 3])
    def test_values_and_gradients_are_those_of_keras(
        self, count: int, training: bool, lengths: list[int]
    ) -> None:
        layer = self.make(count)
        time = max(lengths)
        features = tf.Variable(tf.random.normal((len(lengths), time, 3)))
        weigh = tf.random.normal((count, len(lengths), time, 10))
        mask = tf.sequence_mask(lengths, time)
        watched = [features, *layer.trainable_variables]

        with tf.GradientTape() as tape:
            own = run(layer, features, lengths, training=training)
            own_loss = tf.reduce_sum(tf.stack(own) * weigh)
        own_gradients = tape.gradient(own_loss, watched)
        with tf.GradientTape() as tape:
            keras_outputs = [
                bilstm.bidirectional(features, mask=mask) * tf.cast(mask, tf.float32)[..., None]
                for bilstm in layer.bilstms
            ]
            keras_loss = tf.reduce_sum(tf.stack(keras_outputs) * weigh)
        keras_gradients = tape.gradient(keras_loss, watched)

        np.testing.assert_allclose(own, keras_outputs, atol=1e-6)
        assert len(watched) == 1 + 6 * count
        for own_gradient, keras_gradient in zip(own_gradients, keras_gradients):
            np.testing.assert_allclose(own_gradient, keras_gradient, atol=1e-5)

    def test_the_path_of_a_gpu_gives_the_same_numbers(self, monkeypatch) -> None:
        layer = self.make(2)
        features, lengths = tf.random.normal((2, 4, 3)), [2, 4]
        portable = run(layer, features, lengths, training=True)
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
        on_gpu = run(layer, features, lengths, training=True)
        np.testing.assert_allclose(on_gpu, portable, atol=1e-6)

    def test_bfloat16_is_as_exact_as_its_bits_allow(self) -> None:
        layer = self.make(2)
        rounded = ParallelBiLSTMs(layer.bilstms, precision="bfloat16")
        features, lengths = tf.random.normal((2, 4, 3)), [2, 4]
        exact, near = (np.array(run(made, features, lengths)) for made in (layer, rounded))
        assert near.dtype == np.float32
        assert 1e-5 < np.abs(near - exact).max() < 0.03

    def test_the_backward_half_at_the_first_token_depends_on_the_last_real_one(self) -> None:
        layer = self.make(1)
        features = tf.random.normal((1, 5, 3)).numpy()
        before = run(layer, features, [3])[0].numpy()
        features[0, 3:] += 1.0
        np.testing.assert_array_equal(run(layer, features, [3])[0], before)
        features[0, 2] += 1.0
        after = run(layer, features, [3])[0].numpy()
        np.testing.assert_array_equal(after[0, 0, :5], before[0, 0, :5])
        assert np.abs(after[0, 0, 5:] - before[0, 0, 5:]).max() > 1e-4

    def test_starts_with_orthogonal_recurrence_and_open_forget_gate(self) -> None:
        layer = ParallelBiLSTMs([BiLSTM(4)])
        layer.build([tf.TensorShape((None, None, 3)), tf.TensorShape((None,))])
        for cell in layer.bilstms[0].directions:
            kernel = cell.recurrent_kernel.numpy()
            np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-5)
            np.testing.assert_array_equal(cell.bias, np.repeat([0.0, 1.0, 0.0, 0.0], 4))
