"""Merging against a slow reference in plain Python."""

from __future__ import annotations

import time

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from bioner_tf.serving.merging import Candidates, in_order, merge
from bioner_tf.serving.rules import OVERLAPS
from tests.helpers import slow_merging
from tests.helpers.slow_merging import Found

# Few values, so that many are equal.
SCORES = [0.0, 0.25, 0.5, 0.5000001, 0.75, 1.0]
TYPES = ["Gene", "protein", "DNA", "Gène"]
POLICIES = list(OVERLAPS)


def to_candidates(entities):
    entities = sorted(entities, key=lambda e: (e.corpus, e.start))
    starts, ends, types, scores, corpora = zip(*entities) if entities else [[]] * 5
    return Candidates(
        tf.constant(corpora, tf.int32),
        tf.constant(starts, tf.int64),
        tf.constant(ends, tf.int64),
        tf.constant(types, tf.string),
        tf.constant(scores, tf.float32),
    )


def to_entities(candidates):
    corpora, starts, ends, types, scores = (values.numpy().tolist() for values in candidates)
    return [
        Found(*values)
        for values in zip(starts, ends, [kind.decode() for kind in types], scores, corpora)
    ]


def merged(entities, names, min_score, overlaps, function=merge):
    renamed = [e._replace(type=names.get((e.corpus, e.type), e.type)) for e in entities]
    candidates = to_candidates(renamed)
    return to_entities(candidates.take(function(candidates, min_score, overlaps)))


def as_float32(entities):
    return [e._replace(score=float(np.float32(e.score))) for e in entities]


@strategies.composite
def texts(draw, max_corpora=5):
    """Entities of one text: of each corpus some, without overlap."""
    entities = []
    for corpus in range(draw(strategies.integers(1, max_corpora))):
        end = 0
        for _ in range(draw(strategies.integers(0, 6))):
            start = end + draw(strategies.integers(0, 3))
            end = start + draw(strategies.integers(1, 5))
            kind = draw(strategies.sampled_from(TYPES))
            score = draw(strategies.sampled_from(SCORES))
            entities.append(Found(start, end, kind, score, corpus))
    return as_float32(entities)


NAMES = strategies.dictionaries(
    strategies.tuples(strategies.integers(0, 4), strategies.sampled_from(TYPES)),
    strategies.sampled_from(["", "Gene", "Other"]),
    max_size=6,
)


@pytest.mark.parametrize("overlaps", POLICIES)
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"max_examples": 40, "derandomize": True}, id="few"),
        pytest.param({"max_examples": 5000}, id="many", marks=pytest.mark.slow),
    ],
)
def test_equals_the_slow_reference(overlaps, settings):
    @hypothesis.settings(deadline=None, database=None, **settings)
    @hypothesis.given(texts(), NAMES, strategies.sampled_from([0.0, 0.25, 0.5, 1.0]))
    def test(entities, names, min_score):
        expected = slow_merging.merge(entities, names, min_score, overlaps)
        assert merged(entities, names, min_score, overlaps) == expected

    test()


@pytest.mark.parametrize("overlaps", POLICIES)
@hypothesis.settings(deadline=None, database=None, max_examples=30, derandomize=True)
@hypothesis.given(strategies.lists(texts(), min_size=2, max_size=4))
def test_texts_together_get_what_each_gets_alone(overlaps, several):
    moved, expected, offset = [], [], 0
    for entities in several:
        alone = slow_merging.merge(entities, {}, 0.3, overlaps)
        for group, result in ((entities, moved), (alone, expected)):
            result += [e._replace(start=e.start + offset, end=e.end + offset) for e in group]
        offset += 50
    assert merged(moved, {}, 0.3, overlaps) == expected


@pytest.mark.parametrize("overlaps", POLICIES)
def test_equals_the_slow_reference_on_long_texts_in_a_graph(overlaps):
    generator = np.random.default_rng(0)
    entities = []
    for corpus in range(7):
        bounds = np.unique(generator.integers(0, 2000, 500)).tolist()
        entities += [
            Found(start, end, generator.choice(TYPES), generator.choice(SCORES), corpus)
            for start, end in zip(bounds[::2], bounds[1::2])
        ]
    entities = as_float32(entities)
    expected = slow_merging.merge(entities, {}, 0.2, overlaps)
    assert len(expected) > 100
    in_graph = tf.function(merge)
    assert merged(entities, {}, 0.2, overlaps, in_graph) == expected


@pytest.mark.parametrize("overlaps", POLICIES)
def test_nothing_gives_nothing(overlaps):
    assert merged([], {}, 0.0, overlaps) == []
    assert merged([Found(0, 2, "Gene", 0.5, 0)], {(0, "Gene"): ""}, 0.0, overlaps) == []
    assert merged([Found(0, 2, "Gene", 0.5, 0)], {}, 0.6, overlaps) == []


@pytest.mark.parametrize(
    ("overlaps", "expected"),
    [
        ("score", [(0, 1), (1, 4)]),
        ("longest", [(0, 9)]),
        ("corpus", [(0, 9)]),
        ("all", [(0, 1), (0, 9), (1, 4)]),
    ],
)
def test_policies(overlaps, expected):
    """By hand."""
    entities = as_float32(
        [Found(0, 9, "Gene", 0.5, 0), Found(0, 1, "DNA", 0.6, 1), Found(1, 4, "DNA", 0.9, 2)]
    )
    assert [e[:2] for e in merged(entities, {}, 0.0, overlaps)] == expected


def test_identical_spans_of_one_type_come_once_with_the_higher_score():
    entities = as_float32(
        [Found(0, 2, "a", 0.5, 0), Found(0, 2, "b", 0.25, 1), Found(0, 2, "c", 0.75, 2)]
    )
    names = {(0, "a"): "x", (2, "c"): "x"}
    assert merged(entities, names, 0.0, "all") == [
        Found(0, 2, "b", 0.25, 1),
        Found(0, 2, "x", 0.75, 2),
    ]


def test_order_is_start_end_corpus():
    entities = [Found(3, 5, "a", 0.5, 0), Found(1, 5, "a", 0.5, 1), Found(1, 4, "a", 0.5, 2)]
    entities.append(Found(1, 4, "a", 0.5, 3))
    candidates = to_candidates(entities)
    found = to_entities(candidates.take(in_order(candidates)))
    assert [(e.start, e.end, e.corpus) for e in found] == [
        (1, 4, 2),
        (1, 4, 3),
        (1, 5, 1),
        (3, 5, 0),
    ]


def chains(num_sentences, sentence_tokens):
    """Sentences whose entities can only be settled one after the other."""
    offsets = np.arange(num_sentences)[:, np.newaxis] * 1000
    steps = np.arange(0, sentence_tokens - 2, 2)
    starts = np.concatenate([(offsets + steps).ravel(), (offsets + steps + 1).ravel()])
    scores = (
        1
        - np.concatenate([np.tile(steps, num_sentences), np.tile(steps + 1, num_sentences)]) / 1000
    )
    return Candidates(
        tf.constant(np.repeat([0, 1], len(starts) // 2), tf.int32),
        tf.constant(starts, tf.int64),
        tf.constant(starts + 2, tf.int64),
        tf.fill([len(starts)], "Gene"),
        tf.constant(scores, tf.float32),
    )


@pytest.mark.parametrize("overlaps", POLICIES)
def test_hundred_thousand_chained_entities_take_seconds(overlaps):
    candidates = chains(400, 256)
    assert len(candidates.starts) > 100_000
    started = time.monotonic()
    found = merge(candidates, 0.0, overlaps)
    assert time.monotonic() - started < 20
    expected = len(candidates.starts) // (1 if overlaps == "all" else 2)
    assert len(found) == expected
