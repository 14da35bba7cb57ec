"""The recurrence and its hand-written gradient against the equations, differentiated in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.recurrence import run_lstm


def by_the_equations(features, kernel, recurrent_kernel, bias):
    """The six equations of the cell, one step after the other."""
    h = c = tf.zeros((features.shape[1], recurrent_kernel.shape[0]), features.dtype)
    hidden = []
    for x in tf.unstack(features):
        i, f, g, o = tf.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        hidden.append(h)
    return tf.stack(hidden)


def differentiate(run, inputs, weigh, dtype):
    inputs = [tf.constant(x, dtype) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        hidden = run(*inputs)
        loss = tf.reduce_sum(hidden * tf.constant(weigh, dtype))
    return [hidden, *tape.gradient(loss, inputs)]


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("time", [1, 2, 7])
def test_values_and_gradients_are_those_of_the_equations(
    time: int, batch: int, training: bool
) -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape) for shape in ((time, batch, 2), (2, 12), (3, 12), (12,))]
    weigh = rng.normal(size=(time, batch, 3))

    expected = differentiate(by_the_equations, inputs, weigh, tf.float64)
    own = differentiate(lambda *x: run_lstm(*x, training=training), inputs, weigh, tf.float32)
    # The first step has no step before it: the recurrent weights matter from the second on.
    assert [np.abs(x).max() > 1e-3 for x in expected] == [True, True, True, time > 1, True]
    for ours, reference in zip(own, expected):
        np.testing.assert_allclose(ours, reference, atol=1e-5)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_bfloat16_rounds_what_is_multiplied_and_no_more(training: bool) -> None:
    rng = np.random.default_rng(0)
    shapes = ((20, 3, 8), (8, 64), (16, 64), (64,))
    inputs = [rng.normal(size=shape, scale=0.3) for shape in shapes]
    weigh = rng.normal(size=(20, 3, 16))

    def run(*x):
        return run_lstm(*x, training=training, precision=tf.bfloat16)

    expected = differentiate(by_the_equations, inputs, weigh, tf.float64)
    own = differentiate(run, inputs, weigh, tf.float32)
    for ours, reference in zip(own, expected):
        assert ours.dtype == tf.float32
        error = np.linalg.norm(ours.numpy() - reference.numpy()) / np.linalg.norm(reference)
        # bfloat16 has 8 bits: 2^-9 by one rounding.
        assert 1e-4 < error < 0.01
