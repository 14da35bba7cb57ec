"""The hand-written gradient of the recurrence against numeric differentiation in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.recurrence import run_lstms


@pytest.mark.parametrize("time", [1, 4])
@pytest.mark.parametrize("count", [1, 2])
def test_the_gradient_is_the_numeric_one(count: int, time: int) -> None:
    projected = tf.random.normal((time, count, 2, 12), dtype=tf.float64)
    kernels = tf.random.normal((count, 3, 12), dtype=tf.float64)
    weigh = tf.random.normal((time, count, 2, 3), dtype=tf.float64)

    theoretical, numeric = tf.test.compute_gradient(
        lambda p, k: tf.reduce_sum(run_lstms(p, k) * weigh), [projected, kernels], delta=1e-5
    )
    # The first step has no step before it: the recurrent weights matter from the second on.
    assert [np.abs(reference).max() > 1e-3 for reference in numeric] == [True, time > 1]
    for ours, reference in zip(theoretical, numeric):
        np.testing.assert_allclose(ours, reference, atol=1e-8)
