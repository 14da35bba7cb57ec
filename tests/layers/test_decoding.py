"""Decoding against enumeration of all tag sequences (``reference.py``)."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.corpora import tags
from bioner_tf.layers import decoding
from tests.helpers import reference

TAG_SETS = {
    "one": ["O"],
    "iob2": ["O", "B-x", "I-x"],
    "iob2-two-types": ["O", "B-x", "I-x", "I-y", "B-y"],
    "iobes": ["O", "B-x", "I-x", "E-x", "S-x"],
    "iobes-odd-order": ["O", "S-y", "E-x", "I-x", "B-x", "S-x", "I-y"],
    "begin-only": ["O", "B-x"],
}
# (num_tags, lengths of the batch's rows): mixed lengths, the longest first, last and alone.
SHAPES = [(2, [6, 1, 3]), (3, [1, 5, 2]), (4, [4, 4]), (5, [3, 5, 1, 4]), (7, [4]), (3, [1])]
SHAPE_IDS = [f"{k}tags-{'.'.join(map(str, lengths))}" for k, lengths in SHAPES]


def random_potentials(num_tags, lengths, seed=0, scale=2.0):
    """float64 (batch, time, K, K), with huge values where they must be ignored."""
    generator = np.random.default_rng(seed)
    time = max(lengths)
    potentials = generator.normal(scale=scale, size=(len(lengths), time, num_tags, num_tags))
    for row, length in enumerate(lengths):
        potentials[row, length:] = generator.normal(scale=1e4, size=potentials[row, length:].shape)
    potentials[:, 0, 1:] = 1e4
    return potentials


def restricted(potentials, tag_names, lengths):
    """The restricted potentials, and the same restriction as a predicate."""
    tables = (
        tags.legal_starts(tag_names),
        tags.legal_transitions(tag_names),
        tags.legal_ends(tag_names),
    )
    result = decoding.restrict(tf.constant(potentials), *tables, tf.constant(lengths))
    return result, reference.legal_by_tables(*tables)


@pytest.fixture(params=[False, True], ids=["eager", "graph"])
def call(request):
    """Calls a function eagerly or as a graph with unknown shapes, as in an export."""
    if not request.param:
        return lambda function, *args: function(*args)

    def in_graph(function, potentials, lengths):
        num_tags = potentials.shape[-1]
        signature = [
            tf.TensorSpec([None, None, num_tags, num_tags], potentials.dtype),
            tf.TensorSpec([None], tf.int32),
        ]
        return tf.function(function, input_signature=signature)(potentials, lengths)

    return in_graph


@pytest.mark.parametrize(("num_tags", "lengths"), SHAPES, ids=SHAPE_IDS)
def test_unrestricted_crf_equals_enumeration(num_tags, lengths, call):
    potentials = random_potentials(num_tags, lengths)
    tensor, lengths_tensor = tf.constant(potentials), tf.constant(lengths)

    def everything(potentials, lengths):
        chain, log_z = decoding.normalise(potentials, lengths)
        return (
            decoding.viterbi(potentials, lengths),
            log_z,
            decoding.token_marginals(chain, lengths),
            *decoding.decode(potentials, lengths)[:2],
        )

    paths, log_z, marginals, *decoded = call(everything, tensor, lengths_tensor)
    np.testing.assert_array_equal(decoded[0], paths)
    np.testing.assert_allclose(decoded[1], marginals, atol=1e-10)
    for row, length in enumerate(lengths):
        expected = reference.enumerate_sequences(potentials[row, :length])
        assert paths[row, :length].numpy().tolist() == reference.best_sequence(expected)
        assert not paths[row, length:].numpy().any()
        assert log_z[row].numpy() == pytest.approx(expected.log_partition, rel=1e-10)
        np.testing.assert_allclose(
            marginals[row, :length], reference.token_marginals(expected, num_tags), atol=1e-10
        )
        assert not marginals[row, length:].numpy().any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TAG_SETS)
def test_restricted_crf_equals_enumeration(name, seed):
    tag_names, lengths = TAG_SETS[name], [4, 1, 3, 2]
    potentials = random_potentials(len(tag_names), lengths, seed)
    tensor, legal = restricted(potentials, tag_names, lengths)
    chain, log_z = decoding.normalise(tensor, tf.constant(lengths))
    paths = decoding.viterbi(tensor, tf.constant(lengths))
    marginals = decoding.token_marginals(chain, tf.constant(lengths))
    decoded = decoding.decode(tensor, tf.constant(lengths))
    np.testing.assert_array_equal(decoded[0], paths)
    np.testing.assert_allclose(decoded[1], marginals, atol=1e-10)
    scores = decoding.entity_scores(
        tensor,
        *decoded[1:],
        paths,
        tf.constant(lengths),
        tags.begins_entity(tag_names),
        tags.continues_entity(tag_names),
    )
    for row, length in enumerate(lengths):
        expected = reference.enumerate_sequences(potentials[row, :length], legal)
        path = paths[row, :length].numpy().tolist()
        assert path == reference.best_sequence(expected)
        assert log_z[row].numpy() == pytest.approx(expected.log_partition, rel=1e-10)
        np.testing.assert_allclose(
            marginals[row, :length],
            reference.token_marginals(expected, len(tag_names)),
            atol=1e-10,
        )
        expected_scores = np.zeros(max(lengths))
        for start, end, entity_type in reference.entities([tag_names[i] for i in path]):
            expected_scores[start] = reference.span_marginal(
                expected, tag_names, start, end, entity_type
            )
        np.testing.assert_allclose(scores[row], expected_scores, atol=1e-10)


@pytest.mark.parametrize("name", ["iob2-two-types", "iobes"])
def test_the_entities_of_every_legal_path_are_scored(name):
    """All legal paths, not only the Viterbi path, so that long and adjacent spans occur."""
    tag_names, time = TAG_SETS[name], 4
    potentials = random_potentials(len(tag_names), [time], seed=5, scale=1.0)
    tensor, legal = restricted(potentials, tag_names, [time])
    expected = reference.enumerate_sequences(potentials[0], legal)
    paths = expected.sequences
    lengths = tf.fill([len(paths)], time)
    tensor = tf.repeat(tensor, len(paths), axis=0)
    scores = decoding.entity_scores(
        tensor,
        *decoding.decode(tensor, lengths)[1:],
        tf.constant(paths, tf.int32),
        lengths,
        tags.begins_entity(tag_names),
        tags.continues_entity(tag_names),
    ).numpy()
    marginals = {}
    for path, row in zip(paths, scores):
        wanted = np.zeros(time)
        for span in reference.entities([tag_names[i] for i in path]):
            if span not in marginals:
                marginals[span] = reference.span_marginal(expected, tag_names, *span)
            wanted[span[0]] = marginals[span]
        np.testing.assert_allclose(row, wanted, atol=1e-10)
    assert len(marginals) >= 10


@pytest.mark.parametrize(("num_tags", "lengths"), SHAPES, ids=SHAPE_IDS)
def test_padding_changes_nothing(num_tags, lengths):
    potentials = random_potentials(num_tags, lengths).astype(np.float32)
    padded = np.pad(potentials, [(0, 0), (0, 5), (0, 0), (0, 0)], constant_values=-77.0)
    lengths = tf.constant(lengths)
    for values in (potentials, padded):
        chain, log_z = decoding.normalise(tf.constant(values), lengths)
        marginals = decoding.token_marginals(chain, lengths)
        paths = decoding.viterbi(tf.constant(values), lengths)
        if values is potentials:
            wanted = log_z, marginals, paths
    time = potentials.shape[1]
    np.testing.assert_allclose(log_z, wanted[0], rtol=1e-6)
    np.testing.assert_allclose(marginals[:, :time], wanted[1], atol=1e-6)
    np.testing.assert_array_equal(paths[:, :time], wanted[2])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=["float32", "float64"])
def test_long_sentences_keep_their_probabilities(dtype):
    """256 tokens, 21 tags, large scores: probabilities sum to one, float32 agrees with float64."""
    tag_names = ["O"] + [f"{p}-{t}" for t in "abcde" for p in "BIES"]
    lengths = tf.constant([256, 200, 1])
    potentials = np.random.default_rng(0).normal(scale=8.0, size=(3, 256, 21, 21))
    tensor, _ = restricted(potentials, tag_names, lengths)

    def run(tensor):
        chain, log_z = decoding.normalise(tensor, lengths)
        marginals = decoding.token_marginals(chain, lengths)
        paths = decoding.viterbi(tensor, lengths)
        begins, continues = tags.begins_entity(tag_names), tags.continues_entity(tag_names)
        decoded = decoding.decode(tensor, lengths)
        np.testing.assert_array_equal(decoded[0], paths)
        np.testing.assert_allclose(decoded[1], marginals, atol=1e-4)
        scores = decoding.entity_scores(tensor, *decoded[1:], paths, lengths, begins, continues)
        return log_z.numpy(), marginals.numpy(), paths.numpy(), scores.numpy()

    log_z, marginals, paths, scores = run(tf.cast(tensor, dtype))
    exact = run(tensor)
    np.testing.assert_allclose(marginals[0].sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(marginals[1, :200].sum(-1), 1.0, atol=1e-5)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert (scores > 0).sum() > 50
    np.testing.assert_allclose(log_z, exact[0], rtol=1e-5)
    np.testing.assert_allclose(marginals, exact[1], atol=1e-3)
    np.testing.assert_allclose(scores, exact[3], atol=1e-3)
    np.testing.assert_array_equal(paths, exact[2])


def test_sequence_scores_give_likelihoods():
    potentials = random_potentials(3, [4, 2])
    lengths = tf.constant([4, 2])
    paths = tf.constant([[0, 2, 1, 1], [2, 0, 1, 2]])
    values = decoding.sequence_score(tf.constant(potentials), paths, lengths)
    assert values[0].numpy() == pytest.approx(reference.score(potentials[0], [0, 2, 1, 1]))
    assert values[1].numpy() == pytest.approx(reference.score(potentials[1], [2, 0]))


@pytest.mark.parametrize(("num_tags", "lengths"), SHAPES[:2], ids=SHAPE_IDS[:2])
def test_log_partition_has_the_numeric_gradient(num_tags, lengths):
    potentials = tf.constant(
        np.random.default_rng(1).normal(size=(len(lengths), max(lengths), num_tags, num_tags))
    )
    lengths = tf.constant(lengths)
    weights = tf.constant(np.random.default_rng(2).normal(size=len(lengths)))

    def weighted(values):
        return tf.reduce_sum(weights * decoding.log_partition(values, lengths))

    (exact,), (numeric,) = tf.test.compute_gradient(weighted, [potentials])
    np.testing.assert_allclose(exact, numeric, atol=1e-7)
    np.testing.assert_allclose(
        decoding.log_partition(potentials, lengths), decoding.normalise(potentials, lengths)[1]
    )


def test_equal_scores_decode_to_the_lowest_tags():
    arguments = (tf.zeros([2, 3, 4, 4]), tf.constant([3, 2]))
    for paths in (decoding.viterbi(*arguments), decoding.decode(*arguments)[0]):
        assert paths.numpy().tolist() == [[0, 0, 0], [0, 0, 0]]


def test_no_row_loses_digits_to_a_row_with_larger_scores():
    """200 steps of +-10,000 nats: float32 would have no digits left for the other row."""
    rng = np.random.default_rng(0)
    potentials = rng.normal(size=(2, 200, 3, 3)).astype(np.float32)
    potentials += np.array([1e4, -1e4], np.float32)[:, None, None, None]
    lengths = tf.constant([200, 200])
    together = decoding.viterbi(tf.constant(potentials), lengths)
    np.testing.assert_array_equal(decoding.decode(tf.constant(potentials), lengths)[0], together)
    log_z = decoding.log_partition(tf.constant(potentials), lengths)
    for row, values in enumerate(potentials):
        alone = decoding.viterbi(tf.constant(values[None]), lengths[:1])
        np.testing.assert_array_equal(together[row], alone[0])
        # A small difference of large numbers, so from float64.
        _, exact = decoding.normalise(tf.constant(values[None], tf.float64), lengths[:1])
        assert float(log_z[row]) == pytest.approx(float(exact[0]), rel=1e-5)
