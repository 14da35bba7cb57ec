"""The CRF layer against the enumeration of all tag sequences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.crf import StaticCRF
from tests import reference

LENGTHS = [4, 1, 3]


@pytest.fixture(params=[2, 3, 5], ids="{} tags".format)
def crf(request) -> StaticCRF:
    layer = StaticCRF(request.param)
    layer((tf.zeros((1, 1, 6)), tf.constant([1])))
    for weights in layer.trainable_variables:
        weights.assign(tf.random.normal(weights.shape))
    return layer


def brute_force_score(crf: StaticCRF, features: np.ndarray, tags: list[int]) -> float:
    """The score of a sequence, straight from the weights."""
    kernel, bias = (weights.numpy() for weights in crf.unary.trainable_variables)
    unary = features @ kernel + bias
    score = crf.start.numpy()[tags[0]] + crf.end.numpy()[tags[-1]]
    score += sum(unary[t, tag] for t, tag in enumerate(tags))
    return score + sum(crf.transitions.numpy()[pair] for pair in zip(tags, tags[1:]))


def test_the_likelihood_is_that_of_the_enumeration(crf: StaticCRF) -> None:
    features = tf.random.normal((len(LENGTHS), max(LENGTHS), 6))
    tags = np.random.randint(0, crf.num_tags, (len(LENGTHS), max(LENGTHS)))
    lengths = tf.constant(LENGTHS)
    emissions = crf((features, lengths))
    actual = crf.negative_log_likelihood(emissions, tf.constant(tags, tf.int32), lengths)
    for row, length in enumerate(LENGTHS):
        sentence = features[row, :length].numpy()
        scores = [
            brute_force_score(crf, sentence, list(sequence))
            for sequence in np.ndindex(*[crf.num_tags] * length)
        ]
        expected = np.logaddexp.reduce(scores) - brute_force_score(
            crf, sentence, list(tags[row, :length])
        )
        assert actual[row].numpy() == pytest.approx(expected, abs=1e-4)


def test_the_potentials_are_the_same_distribution(crf: StaticCRF) -> None:
    features, lengths = tf.random.normal((1, 3, 6)), tf.constant([3])
    emissions = crf((features, lengths))
    distribution = reference.enumerate_sequences(crf.potentials(emissions)[0].numpy())
    for tags, probability in zip(distribution.sequences, distribution.probabilities):
        loss = crf.negative_log_likelihood(emissions, tf.constant([tags], tf.int32), lengths)
        assert np.exp(-loss.numpy()[0]) == pytest.approx(probability, abs=1e-5)


def test_padding_changes_nothing(crf: StaticCRF) -> None:
    features, lengths = tf.random.normal((2, 3, 6)), tf.constant([3, 2])
    tags = tf.constant([[1, 0, 1], [0, 1, 0]])
    padded = tf.pad(features, ((0, 0), (0, 2), (0, 0)), constant_values=7.0)
    expected = crf.negative_log_likelihood(crf((features, lengths)), tags, lengths)
    actual = crf.negative_log_likelihood(
        crf((padded, lengths)), tf.pad(tags, ((0, 0), (0, 2))), lengths
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
