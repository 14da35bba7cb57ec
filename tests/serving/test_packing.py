"""Packed functions against the original functions."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.serving.packing import PackedWeights, TracedFunction


def variable(*shape, dtype=np.float32):
    return tf.Variable(np.random.default_rng(len(shape)).normal(size=shape).astype(dtype))


@pytest.fixture
def weights():
    return {
        "kernel": variable(3, 5),  # 15 values: a gap follows
        "bias": variable(5),
        "scalar": variable(),
        "table": variable(7, 3),
        "double": variable(5, dtype=np.float64),
        "inner": variable(5, 5),
    }


def make_functions(weights):
    constant = tf.constant([0.5])  # captured, but not a variable

    def embed(ids, mask):
        features = tf.gather(weights["table"], ids) * mask[:, tf.newaxis] + constant
        return [features, tf.cast(weights["double"], tf.float32)]

    def project(features, number):
        sums = features[0] @ weights["kernel"] + weights["bias"] + features[1]
        _, sums = tf.while_loop(
            lambda t, _: t < number,
            lambda t, x: (t + 1, tf.tanh(x @ weights["inner"])),
            (0, sums),
        )
        return {"sums": sums * weights["scalar"], "same": features[0]}

    return embed, project


SPECS = (
    [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32)],
    [
        [tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([5], tf.float32)],
        tf.TensorSpec([], tf.int32),
    ],
)


def test_the_order_of_variables_does_not_depend_on_hashes(weights):
    names = {id(weights[name]): name for name in weights}
    found = [
        [names[id(variable)] for variable in TracedFunction(*pair).variables]
        for pair in zip(make_functions(weights), SPECS)
    ]
    assert found == [["table", "double"], ["kernel", "bias", "inner", "scalar"]]


def test_results_are_the_same_to_the_bit_after_saving_too(weights, tmp_path):
    embed, project = make_functions(weights)
    traced = [TracedFunction(*pair) for pair in zip((embed, project), SPECS)]
    module = PackedWeights(traced)
    packed_embed, packed_project = map(module.bind, traced)

    @tf.function(input_signature=SPECS[0])
    def run(ids, mask):
        return packed_project(packed_embed(ids, mask), 2)

    module.run = run
    tf.saved_model.save(module, str(tmp_path))
    arguments = (tf.constant([0, 6, 2, 2]), tf.constant([1.0, 0.0, 1.0, 1.0]))
    expected = project(embed(*arguments), 2)
    # The functions read the packed copy, so changes of the originals have no effect.
    for name in ("kernel", "bias", "scalar"):
        weights[name].assign(tf.zeros_like(weights[name]))
    loaded = tf.saved_model.load(str(tmp_path))
    for found in (run(*arguments), loaded.run(*arguments)):
        assert set(found) == {"sums", "same"}
        np.testing.assert_array_equal(found["same"], expected["same"])
        np.testing.assert_array_equal(found["sums"], expected["sums"])


def test_only_variables_that_are_read_as_a_whole_are_packed(weights):
    traced = [TracedFunction(*pair) for pair in zip(make_functions(weights), SPECS)]
    module = PackedWeights(traced)
    assert {id(v) for v in module.tables} == {
        id(weights[name]) for name in ("table", "double", "inner")
    }
    # Each of the three starts at a multiple of 16 values.
    assert module.vector.shape == (3 * 16,)
    kept = np.concatenate([weights[name].numpy().ravel() for name in ("kernel", "bias", "scalar")])
    np.testing.assert_array_equal(np.sort(module.vector[module.vector != 0]), np.sort(kept))


def test_functions_without_weights_are_bound_as_they_are():
    spec = [tf.TensorSpec([None], tf.float32)]
    traced = TracedFunction(lambda x: x + 1.0, spec)
    bound = tf.function(PackedWeights([traced]).bind(traced), input_signature=spec)
    assert bound([1.0, 2.0]).numpy().tolist() == [2.0, 3.0]


def test_a_halved_table_rounds_the_rows_and_nothing_else(weights, tmp_path):
    embed, _ = make_functions(weights)
    traced = TracedFunction(embed, SPECS[0])
    module = PackedWeights([traced], half=True)
    module.run = tf.function(module.bind(traced), input_signature=SPECS[0])
    tf.saved_model.save(module, str(tmp_path))
    arguments = (tf.constant([0, 6, 2, 2]), tf.constant([1.0, 0.0, 1.0, 1.0]))
    rounded = weights["table"].numpy().astype(np.float16).astype(np.float32)
    assert not np.array_equal(rounded, weights["table"])
    weights["table"].assign(rounded)
    expected = embed(*arguments)
    weights["table"].assign(rounded + 1)
    loaded = tf.saved_model.load(str(tmp_path))
    for run in (module.run, loaded.run):
        for value, wanted in zip(run(*arguments), expected):
            assert value.dtype == tf.float32
            np.testing.assert_array_equal(value, wanted)
    assert [table.dtype for table in module.tables] == [tf.float16, tf.float64]


def test_a_table_that_is_read_as_a_whole_as_well_is_not_halved(weights):
    embed, _ = make_functions(weights)

    def total():
        return tf.reduce_sum(weights["table"].read_value())

    functions = [TracedFunction(embed, SPECS[0]), TracedFunction(total, [])]
    module = PackedWeights(functions, half=True)
    assert module.tables[0] is weights["table"]
    assert tf.function(module.bind(functions[1]))().numpy() == total().numpy()
