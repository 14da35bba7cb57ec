"""Both CRFs against enumeration of all tag sequences, scored directly from the weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.layers.crf import CRF, PairwiseCRF, StaticCRF, build_crf
from tests.helpers import reference

LENGTHS = [4, 1, 3]


def score_static(crf: StaticCRF, features: np.ndarray, tags: list[int]) -> float:
    kernel, bias = (weights.numpy() for weights in crf.unary.trainable_variables)
    unary = features @ kernel + bias
    score = crf.start.numpy()[tags[0]] + crf.end.numpy()[tags[-1]]
    score += sum(unary[t, tag] for t, tag in enumerate(tags))
    return score + sum(crf.transitions.numpy()[pair] for pair in zip(tags, tags[1:]))


def score_pairwise(crf: PairwiseCRF, features: np.ndarray, tags: list[int]) -> float:
    """Eq. 8; the state before the first token has the number after the last tag."""
    kernel, bias = (weights.numpy() for weights in crf.pairs.trainable_variables)
    states = [crf.num_tags, *tags]
    columns = [before * crf.num_tags + tag for before, tag in zip(states, tags)]
    return sum(features[t] @ kernel[:, c] + bias[c] for t, c in enumerate(columns))


SCORES = {"static": score_static, "pairwise": score_pairwise}


@pytest.fixture(params=[(kind, n) for kind in SCORES for n in (2, 3, 5)], ids=str)
def crf(request) -> CRF:
    kind, num_tags = request.param
    layer = build_crf(kind, num_tags, name=kind)
    layer((tf.zeros((1, 1, 6)), tf.constant([1])))
    for weights in layer.trainable_variables:
        weights.assign(tf.random.normal(weights.shape))
    return layer


def test_the_likelihood_equals_enumeration(crf: CRF) -> None:
    score = SCORES[crf.name]
    features = tf.random.normal((len(LENGTHS), max(LENGTHS), 6))
    tags = np.random.randint(0, crf.num_tags, (len(LENGTHS), max(LENGTHS)))
    lengths = tf.constant(LENGTHS)
    emissions = crf((features, lengths))
    actual = crf.negative_log_likelihood(emissions, tf.constant(tags, tf.int32), lengths)
    for row, length in enumerate(LENGTHS):
        sentence = features[row, :length].numpy().astype(np.float64)
        sequences = np.ndindex(*[crf.num_tags] * length)
        log_partition = np.logaddexp.reduce([score(crf, sentence, list(s)) for s in sequences])
        expected = log_partition - score(crf, sentence, list(tags[row, :length]))
        assert actual[row].numpy() == pytest.approx(expected, abs=1e-4)


def test_the_potentials_are_the_same_distribution(crf: CRF) -> None:
    features, lengths = tf.random.normal((1, 3, 6)), tf.constant([3])
    emissions = crf((features, lengths))
    distribution = reference.enumerate_sequences(crf.potentials(emissions)[0].numpy())
    tags = tf.constant(distribution.sequences, tf.int32)
    repeated = tf.repeat(emissions, len(tags), axis=0)
    loss = crf.negative_log_likelihood(repeated, tags, tf.fill((len(tags),), 3))
    np.testing.assert_allclose(np.exp(-loss), distribution.probabilities, atol=1e-5)


def test_the_gradient_is_the_numeric_one(crf: CRF) -> None:
    features, lengths = tf.random.normal((2, 3, 6)), tf.constant([3, 2])
    tags = tf.constant([[1, 0, 1], [0, 1, 0]])

    def loss(values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(crf.negative_log_likelihood(crf((values, lengths)), tags, lengths))

    (theoretical,), (numeric,) = tf.test.compute_gradient(loss, [features], delta=1e-2)
    assert np.abs(numeric).max() > 0.1
    np.testing.assert_allclose(theoretical, numeric, atol=5e-3)


def test_padding_changes_nothing(crf: CRF) -> None:
    features, lengths = tf.random.normal((2, 3, 6)), tf.constant([3, 2])
    tags = tf.constant([[1, 0, 1], [0, 1, 0]])
    padded = tf.pad(features, ((0, 0), (0, 2), (0, 0)), constant_values=7.0)
    expected = crf.negative_log_likelihood(crf((features, lengths)), tags, lengths)
    actual = crf.negative_log_likelihood(
        crf((padded, lengths)), tf.pad(tags, ((0, 0), (0, 2))), lengths
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
