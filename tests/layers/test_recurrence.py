"""The LSTM and its hand-written gradient against the equations, differentiated in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.layers.recurrence import arrange_steps, run_lstm

UNITS = 3


def by_the_equations(features, kernel, recurrent_kernel, bias, lengths, backward):
    """The six equations of the cell, sentence by sentence and step by step."""
    sentences = []
    for words, length in zip(features, lengths):
        h = c = tf.zeros((1, recurrent_kernel.shape[0]), features.dtype)
        hidden = {}
        for t in reversed(range(length)) if backward else range(length):
            i, f, g, o = tf.split(words[t, None] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hidden[t] = h[0]
        nothing = tf.zeros_like(h[0])
        sentences.append(tf.stack([hidden.get(t, nothing) for t in range(len(words))]))
    return tf.stack(sentences, axis=1)


def by_the_module(features, kernel, recurrent_kernel, bias, lengths, backward, **how):
    features = tf.convert_to_tensor(features)
    steps = arrange_steps(tf.constant(lengths))
    tokens = steps.gather(features)
    hidden = run_lstm(tokens, steps, kernel, recurrent_kernel, bias, backward=backward, **how)
    return tf.transpose(steps.scatter(hidden), (1, 0, 2))


def differentiate(run, inputs, weigh, dtype):
    inputs = [tf.constant(x, dtype) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        hidden = run(*inputs)
        loss = tf.reduce_sum(hidden * tf.constant(weigh, dtype))
    return [hidden, *tape.gradient(loss, inputs)]


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("lengths", [[1], [2], [7], [7, 7, 7], [2, 5, 1]], ids=str)
def test_values_and_gradients_are_those_of_the_equations(
    lengths: list[int], backward: bool, training: bool
) -> None:
    rng = np.random.default_rng(0)
    batch, time = len(lengths), max(lengths)
    shapes = ((batch, time, 2), (2, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))
    inputs = [rng.normal(size=shape) for shape in shapes]
    # Padding gets a weight, too; it must not change a gradient.
    weigh = rng.normal(size=(time, batch, UNITS))

    expected = differentiate(
        lambda *x: by_the_equations(*x, lengths, backward), inputs, weigh, tf.float64
    )
    own = differentiate(
        lambda *x: by_the_module(*x, lengths, backward, training=training),
        inputs,
        weigh,
        tf.float32,
    )
    # The recurrent weights are used from the second step on.
    assert [np.abs(x).max() > 1e-3 for x in expected] == [True, True, True, time > 1, True]
    for ours, reference in zip(own, expected):
        np.testing.assert_allclose(ours, reference, atol=1e-5)


@pytest.mark.parametrize("lengths", [[1], [3, 3], [2, 5, 1, 5, 4]], ids=str)
def test_a_step_holds_the_sentences_that_have_a_token_there_and_no_padding(lengths) -> None:
    steps = arrange_steps(tf.constant(lengths))
    longest_first = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    expected = [[row for row in longest_first if lengths[row] > t] for t in range(max(lengths))]
    cells = steps.cells.numpy().tolist()
    assert cells == [[row, t] for t, rows in enumerate(expected) for row in rows]
    for t, rows in enumerate(expected):
        begin, end = steps.starts.numpy()[t, 0], steps.ends.numpy()[t, 0]
        assert cells[begin:end] == [[row, t] for row in rows]
        assert steps.sizes.numpy()[t, 0] == len(rows)
        later = expected[t + 1] if t + 1 < len(expected) else []
        assert steps.grown.numpy()[t].tolist() == [[0, len(rows) - len(later)], [0, 0]]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_padding_changes_nothing_to_the_last_bit(training: bool, backward: bool) -> None:
    rng = np.random.default_rng(0)
    weights = [
        tf.constant(rng.normal(size=shape, scale=3.0), tf.float32)
        for shape in ((2, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))
    ]
    features = rng.normal(size=(2, 6, 2)).astype(np.float32)

    def run(features):
        return by_the_module(features, *weights, [4, 2], backward, training=training).numpy()

    before = run(features)
    # Large padding values of both signs.
    features[0, 4:], features[1, 2:] = 500.0, -500.0
    np.testing.assert_array_equal(run(features), before)
    np.testing.assert_array_equal(before[4:, 0], 0.0)
    np.testing.assert_array_equal(before[2:, 1], 0.0)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_bfloat16_rounds_only_what_is_multiplied(training: bool) -> None:
    rng = np.random.default_rng(0)
    shapes = ((3, 20, 8), (8, 64), (16, 64), (64,))
    inputs = [rng.normal(size=shape, scale=0.3) for shape in shapes]
    weigh = rng.normal(size=(20, 3, 16))

    def run(*x):
        how = {"training": training, "precision": tf.bfloat16}
        return by_the_module(*x, [20, 20, 20], backward=False, **how)

    expected = differentiate(
        lambda *x: by_the_equations(*x, [20, 20, 20], backward=False), inputs, weigh, tf.float64
    )
    own = differentiate(run, inputs, weigh, tf.float32)
    for ours, reference in zip(own, expected):
        assert ours.dtype == tf.float32
        error = np.linalg.norm(ours.numpy() - reference.numpy()) / np.linalg.norm(reference)
        # bfloat16 has 8 bits: one rounding changes a value by up to 2^-9.
        assert 1e-4 < error < 0.01
