"""RMSprop and clipping against dense NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.training.optimizer import RMSprop, clip_by_global_norm


def rows_gradient(rows: list[int], values: np.ndarray) -> tf.IndexedSlices:
    return tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(rows), (4, 2))


def densify(rows: list[int], values: np.ndarray) -> np.ndarray:
    dense = np.zeros((4, 2))
    np.add.at(dense, rows, values)
    return dense


def test_rows_are_updated_as_the_dense_rule_says() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 2))
    table = tf.Variable(start, dtype=tf.float32)
    updates = tf.Variable(0, dtype=tf.int64)
    optimizer = RMSprop(0.01, 0.9, updates)
    optimizer.build([table], row_wise=table)
    expected, velocity = start.copy(), np.zeros((4, 2))
    # Row 3 is never touched, row 2 rests for three steps, row 0 occurs twice in one step.
    for rows in ([0, 2], [0, 1, 0], [1], [0, 1], [2, 0]):
        values = rng.normal(size=(len(rows), 2))
        gradients, _ = clip_by_global_norm([rows_gradient(rows, values)], 100.0)
        optimizer.apply_gradients(zip(gradients, [table]))
        dense = densify(rows, values)
        velocity = 0.9 * velocity + 0.1 * dense**2
        expected -= 0.01 * dense / (np.sqrt(velocity) + 1e-8)
    np.testing.assert_allclose(table, expected, rtol=1e-5)
    np.testing.assert_array_equal(table[3], start[3].astype(np.float32))
    assert updates.numpy() == 5


def test_a_second_table_leaves_the_ages_of_the_first_alone() -> None:
    rng = np.random.default_rng(0)
    starts = rng.normal(size=(4, 2)), rng.normal(size=(6, 2))
    tables = [tf.Variable(start, dtype=tf.float32) for start in starts]
    optimizer = RMSprop(0.01, 0.9, tf.Variable(0, dtype=tf.int64))
    optimizer.build(tables, row_wise=tables[0])
    expected, velocities = [start.copy() for start in starts], [np.zeros_like(s) for s in starts]
    # Rows that both have, and one that only the second has.
    for touched in (([0, 2], [0, 5]), ([1], [1, 0, 1]), ([2, 0], [2])):
        gradients = []
        for number, rows in enumerate(touched):
            values = rng.normal(size=(len(rows), 2))
            shape = starts[number].shape
            slices = tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(rows), shape)
            gradients.append(slices)
            dense = np.zeros(shape)
            np.add.at(dense, rows, values)
            velocities[number] = 0.9 * velocities[number] + 0.1 * dense**2
            expected[number] -= 0.01 * dense / (np.sqrt(velocities[number]) + 1e-8)
        gradients, _ = clip_by_global_norm(gradients, 100.0)
        optimizer.apply_gradients(zip(gradients, tables))
    for table, values in zip(tables, expected):
        np.testing.assert_allclose(table, values, rtol=1e-5)


def test_a_dense_variable_follows_the_same_rule() -> None:
    variable = tf.Variable([1.0, -2.0])
    optimizer = RMSprop(0.1, 0.5, tf.Variable(0, dtype=tf.int64))
    optimizer.build([variable])
    for gradient in ([1.0, 4.0], [-2.0, 0.0]):
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
    # By hand: v = .5, 8 and then .25 + 2 = 2.25, 4.
    expected = [1 - 0.1 / np.sqrt(0.5) + 0.2 / 1.5, -2 - 0.4 / np.sqrt(8)]
    np.testing.assert_allclose(variable, expected, rtol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.5, 1e6], ids=["clips", "leaves"])
def test_the_norm_counts_a_row_once(clip_norm: float) -> None:
    rows, values = [1, 3, 1], np.array([[1.0, 2.0], [3.0, 0.0], [2.0, -2.0]])
    other = np.array([[0.5]])
    norm = np.sqrt(np.sum(densify(rows, values) ** 2) + 0.25)
    gradients, found = clip_by_global_norm(
        [rows_gradient(rows, values), tf.constant(other, tf.float32)], clip_norm
    )
    scale = min(1.0, clip_norm / norm)
    assert found.numpy() == pytest.approx(norm)
    np.testing.assert_allclose(
        tf.convert_to_tensor(gradients[0]), scale * densify(rows, values), rtol=1e-5
    )
    np.testing.assert_allclose(gradients[1], scale * other, rtol=1e-5)


def test_no_step_passes_over_the_whole_table() -> None:
    table, dense = tf.Variable(tf.ones((4, 2))), tf.Variable([1.0])
    optimizer = RMSprop(0.1, 0.5, tf.Variable(0, dtype=tf.int64))
    optimizer.build([table, dense], row_wise=table)

    @tf.function
    def step():
        gradients = rows_gradient([1], np.ones((1, 2))), tf.constant([1.0])
        optimizer.apply_gradients(zip(gradients, [table, dense]))

    graph = step.get_concrete_function().graph
    (handle,) = (inside for outside, inside in graph.captures if outside is table.handle)
    assert {operation.type for operation in handle.consumers()} == {"ResourceScatterSub"}


@pytest.mark.parametrize("row_wise", [True, False], ids=["rows", "dense"])
def test_epsilon_is_added_to_the_root(row_wise: bool) -> None:
    table = tf.Variable(tf.zeros((4, 2)))
    optimizer = RMSprop(0.01, 0.9, tf.Variable(0, dtype=tf.int64))
    optimizer.build([table], row_wise=table if row_wise else None)
    # So small that the root of the mean square is no larger than epsilon.
    optimizer.apply_gradients([(rows_gradient([1], np.full((1, 2), 2e-8)), table)])
    expected = -0.01 * 2e-8 / (np.sqrt(0.1) * 2e-8 + 1e-8)
    np.testing.assert_allclose(table[1], [expected, expected], rtol=1e-4)
