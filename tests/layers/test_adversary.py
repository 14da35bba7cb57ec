"""The adversarial and the difference loss against NumPy, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.layers.adversary import Difference, Discriminator, reverse_gradient

LENGTHS = [3, 1]


def test_the_discriminator_reads_the_last_real_token() -> None:
    layer = Discriminator(3)
    features = tf.random.normal((2, 3, 4))
    actual = layer((features, tf.constant(LENGTHS)), corpus=2)
    kernel, bias = (weights.numpy() for weights in layer.trainable_variables)
    last = np.stack([features[0, 2], features[1, 0]])
    logits = last @ kernel + bias
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[:, 2]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_the_features_get_the_opposite_gradient_and_the_discriminator_its_own() -> None:
    layer = Discriminator(2)
    features, lengths = tf.Variable(tf.random.normal((2, 3, 4))), tf.constant(LENGTHS)
    layer((features, lengths), corpus=0)
    kernel, bias = layer.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        ours = tf.reduce_sum(layer((features, lengths), corpus=1))
        last = tf.gather(features, lengths - 1, axis=1, batch_dims=1)
        plain = tf.reduce_sum(-tf.nn.log_softmax(last @ kernel + bias)[:, 1])
    own, plain_own = (tape.gradient(loss, [kernel, bias]) for loss in (ours, plain))
    for actual, expected in zip(own, plain_own):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)
    actual, expected = (tape.gradient(loss, features).numpy() for loss in (ours, plain))
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(actual, -expected, rtol=1e-5)


def test_reversal_changes_no_value() -> None:
    values = tf.random.normal((2, 3))
    np.testing.assert_array_equal(reverse_gradient(values), values)


@pytest.mark.parametrize("padding", [0, 2])
def test_the_difference_is_the_squared_norm_over_real_tokens(padding: int) -> None:
    shared, private = tf.random.normal((2, 3, 4)), tf.random.normal((2, 3, 4))
    padded = [
        tf.pad(x, ((0, 0), (0, padding), (0, 0)), constant_values=5.0) for x in (shared, private)
    ]
    actual = Difference()((*padded, tf.constant(LENGTHS)))
    expected = [
        np.linalg.norm(s[:n].numpy().T @ p[:n].numpy()) ** 2
        for s, p, n in zip(shared, private, LENGTHS)
    ]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
