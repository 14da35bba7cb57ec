"""Relaxed scores against nervaluate, which we did not write, and against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bioner_tf.corpora.tags import to_spans
from bioner_tf.scoring.relaxed import MEASURES, relaxed_counts
from bioner_tf.scoring.statistics import rates, sentence_counts

# By hand, in SemEval's terms (correct, partial; the rest of the predictions and of the gold).
CASES = {
    "all right": ("B-x I-x", "B-x I-x", (1, 1, 1, 1)),
    "another type": ("B-x I-x O", "B-y I-y O", (0, 1, 1, 0)),
    "too long": ("B-x I-x O", "B-x I-x I-x", (0, 0, 0.5, 1)),
    "too long and another type": ("B-x I-x O", "B-y I-y I-y", (0, 0, 0.5, 0)),
    "apart": ("B-x O", "O B-x", (0, 0, 0, 0)),
    # One gold entity pays for one of the two predictions only.
    "in two halves": ("B-x I-x I-x", "B-x O B-x", (0, 0, 0.5, 1)),
    "two in one": ("B-x O B-x", "B-x I-x I-x", (0, 0, 0.5, 1)),
    # The prediction touches y first, but is of type x: "type" pairs it with x.
    "two types in one": ("B-y B-x", "B-x I-x", (0, 0, 0.5, 1)),
    "IOBES": ("B-x E-x S-y", "S-x O S-y", (1, 1, 1.5, 2)),
    "nothing": ("O O", "O O", (0, 0, 0, 0)),
    "no token": ("", "", (0, 0, 0, 0)),
}


def random_sentences(seed, types, sentences=300):
    """Draws gold tags, and predictions that agree with them in four of five tokens."""
    rng = np.random.default_rng(seed)
    tags = ["O", *(f"{prefix}-{name}" for name in types for prefix in "BI")]
    pairs = []
    for length in rng.integers(1, 15, sentences):
        gold = rng.choice(tags, length)
        noisy = np.where(rng.random(length) < 0.2, rng.choice(tags, length), gold)
        pairs.append((gold.tolist(), noisy.tolist()))
    return [gold for gold, _ in pairs], [predicted for _, predicted in pairs]


@pytest.mark.parametrize("name", CASES)
def test_by_hand(name):
    gold, predicted, counted = CASES[name]
    gold, predicted = [gold.split()], [predicted.split()]
    found = [relaxed_counts(gold, predicted, measure)[0] for measure in MEASURES]
    assert [row[2] for row in found] == list(counted)
    assert {(row[0], row[1]) for row in found} == {
        (len(to_spans(gold[0])), len(to_spans(predicted[0])))
    }


def test_strict_is_that_of_the_metrics():
    gold, predicted = random_sentences(3, "xy")
    counts = relaxed_counts(gold, predicted, "strict")
    np.testing.assert_array_equal(counts, sentence_counts(gold, predicted))


def test_entities_of_one_type():
    gold, predicted = [["B-x", "I-x", "B-y"], ["B-y"]], [["B-x", "O", "B-y"], ["B-x"]]
    counts = relaxed_counts(gold, predicted, "partial", "x")
    np.testing.assert_array_equal(counts, [[1, 1, 0.5], [0, 1, 0]])


def test_needs_as_many_sentences():
    with pytest.raises(ValueError, match="1 gold sentences, but 2"):
        relaxed_counts([["O"]], [["O"], ["O"]], "type")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("types", ["x", "xy", "xyz"])
def test_equals_nervaluate(seed, types):
    nervaluate = pytest.importorskip("nervaluate")
    gold, predicted = random_sentences(seed, types)
    found = nervaluate.Evaluator(*map(_to_dicts, (gold, predicted)), list(types), "dict").evaluate()
    for measure in MEASURES:
        name = {"type": "ent_type"}.get(measure, measure)
        ours = relaxed_counts(gold, predicted, measure)
        assert_equal_to_nervaluate(ours, found["overall"][name])
        for entity_type in types:
            ours = relaxed_counts(gold, predicted, measure, entity_type)
            assert_equal_to_nervaluate(ours, found["entities"][entity_type][name])


def assert_equal_to_nervaluate(counts, oracle):
    support, predicted, counted = counts.sum(axis=0)
    assert (support, predicted) == (oracle.possible, oracle.actual)
    assert counted == oracle.correct + 0.5 * oracle.partial
    ours = rates(counts.sum(axis=0))
    for metric in ("precision", "recall", "f1"):
        assert ours[metric] == pytest.approx(getattr(oracle, metric), abs=1e-12)


def _to_dicts(sentences):
    # Ends are inclusive there.
    return [
        [{"label": s.type, "start": s.start, "end": s.end - 1} for s in to_spans(tags)]
        for tags in sentences
    ]
