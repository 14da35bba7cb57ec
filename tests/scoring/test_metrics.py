"""Entity scores against seqeval, which we did not write, and against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from bioner_tf.corpora.tags import repair
from bioner_tf.scoring.metrics import Counts, Scores, format_scores, score_tags

IOB2 = ["O", "B-x", "I-x", "B-y", "I-y", "B-z-z", "I-z-z"]
IOBES = ["O", *(f"{prefix}-{name}" for name in ("x", "y") for prefix in "BIES")]


def pairs_of_sentences(tags):
    """Draws a gold and a predicted tagging of up to four sentences; mostly ill-formed."""
    sentence = st.lists(st.tuples(st.sampled_from(tags), st.sampled_from(tags)), max_size=8)
    return st.lists(sentence, min_size=1, max_size=4).map(
        lambda drawn: tuple([[pair[side] for pair in s] for s in drawn] for side in (0, 1))
    )


def assert_equal_to_seqeval(gold, predicted):
    scores = score_tags(gold, predicted)
    ours = scores.to_json()
    for average in ("micro", "macro"):
        oracle = precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
        part = ours if average == "micro" else ours["macro"]
        np.testing.assert_allclose(
            [part["precision"], part["recall"], part["f1"]], oracle[:3], atol=1e-12, err_msg=average
        )
        assert ours["support"] == oracle[3]
    by_type = precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
    np.testing.assert_allclose(
        [
            [t["precision"], t["recall"], t["f1"], t["support"]]
            for _, t in sorted(ours["types"].items())
        ],
        np.transpose(by_type).reshape(-1, 4),
        atol=1e-12,
    )
    if scores.tokens:
        assert scores.token_accuracy == pytest.approx(accuracy_score(gold, predicted), abs=1e-12)


@pytest.mark.parametrize("tags", [IOB2, IOBES, IOB2 + IOBES], ids=["IOB2", "IOBES", "mixed"])
def test_equals_seqeval_on_any_sequences(tags):
    @settings(derandomize=True, deadline=None, max_examples=150)
    @given(pairs_of_sentences(tags))
    def check(sentences):
        gold, predicted = sentences
        if any(tag != "O" for side in sentences for sentence in side for tag in sentence):
            assert_equal_to_seqeval(gold, predicted)

    check()


@pytest.mark.parametrize("scheme", ["IOB2", "IOBES"])
def test_equals_seqeval_on_well_formed_sequences(scheme):
    # Predictions that mostly agree with the gold tags, so that many entities are correct.
    rng = np.random.default_rng(7)
    tags = {"IOB2": IOB2, "IOBES": IOBES}[scheme]
    gold, predicted = [], []
    for length in rng.integers(1, 30, size=60):
        drawn = rng.choice(tags, length)
        noisy = np.where(rng.random(length) < 0.1, rng.choice(tags, length), drawn)
        gold.append(repair(drawn.tolist(), scheme)[0])
        predicted.append(repair(noisy.tolist(), scheme)[0])
    assert_equal_to_seqeval(gold, predicted)
    assert 0.5 < score_tags(gold, predicted).micro.f1 < 1


# By hand. Gold: x(0,2), y(3,4) | x(0,1). Predicted: x(0,2), x(3,4) | x(0,2), z(2,3).
# So x: 1 of 3 predicted and of 2 gold; y: 0 of 1 gold; z: 0 of 1 predicted. Tokens: 4 of 7 right.
GOLD = [["B-x", "I-x", "O", "B-y"], ["B-x", "O", "O"]]
PREDICTED = [["B-x", "I-x", "O", "B-x"], ["B-x", "I-x", "B-z"]]


def test_by_hand():
    def expect(precision, recall, f1, support, predicted, correct):
        return {
            "precision": pytest.approx(precision),
            "recall": pytest.approx(recall),
            "f1": pytest.approx(f1),
            "support": support,
            "predicted": predicted,
            "correct": correct,
        }

    assert score_tags(GOLD, PREDICTED).to_json() == {
        **expect(1 / 4, 1 / 3, 2 / 7, 3, 4, 1),
        "types": {
            "x": expect(1 / 3, 1 / 2, 2 / 5, 2, 3, 1),
            "y": expect(0, 0, 0, 1, 0, 0),
            "z": expect(0, 0, 0, 0, 1, 0),
        },
        "macro": {
            "precision": pytest.approx(1 / 9),
            "recall": pytest.approx(1 / 6),
            "f1": pytest.approx(2 / 15),
        },
        "token_accuracy": pytest.approx(4 / 7),
    }


def test_json_holds_plain_numbers():
    report = score_tags(GOLD, PREDICTED).to_json()
    assert list(report) == [
        "precision",
        "recall",
        "f1",
        "support",
        "predicted",
        "correct",
        "types",
        "macro",
        "token_accuracy",
    ]
    assert {type(value) for value in report.values()} == {float, int, dict}
    assert list(report["types"]) == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("gold", "predicted", "numbers"),
    [
        # The trap of a score by tokens: the first token is right, the entity is not.
        ("B-x I-x", "B-x O", (0, 1, 1)),
        ("B-x I-x", "B-x B-x", (0, 1, 2)),
        ("B-x I-x", "B-y I-y", (0, 1, 1)),
        ("B-x I-x", "I-x I-x", (1, 1, 1)),
        ("B-x E-x", "B-x I-x", (1, 1, 1)),
        ("S-x O", "I-x O", (1, 1, 1)),
        ("O O", "O O", (0, 0, 0)),
        ("", "", (0, 0, 0)),
    ],
)
def test_counts(gold, predicted, numbers):
    micro = score_tags([gold.split()], [predicted.split()]).micro
    assert (micro.correct, micro.support, micro.predicted) == numbers


def test_entities_do_not_cross_sentences():
    assert score_tags([["B-x"], ["I-x"]], [["B-x"], ["I-x"]]).micro.correct == 2


def test_the_same_span_in_another_sentence_is_not_correct():
    assert score_tags([["B-x"], ["O"]], [["O"], ["B-x"]]).micro == Counts(1, 1, 0)


def test_nothing_to_score():
    report = score_tags([], []).to_json()
    assert report["types"] == {}
    assert report["macro"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert {report[key] for key in ("precision", "recall", "f1", "token_accuracy")} == {0.0}


@pytest.mark.parametrize(
    ("counts", "fractions"),
    [
        (Counts(0, 0, 0), (0, 0, 0)),
        (Counts(0, 3, 0), (0, 0, 0)),
        (Counts(3, 0, 0), (0, 0, 0)),
        (Counts(4, 2, 1), (1 / 2, 1 / 4, 1 / 3)),
        (Counts(2, 2, 2), (1, 1, 1)),
    ],
)
def test_fractions(counts, fractions):
    assert (counts.precision, counts.recall, counts.f1) == pytest.approx(fractions)


def test_takes_iterators_of_tuples():
    gold, predicted = ((tuple(sentence) for sentence in side) for side in (GOLD, PREDICTED))
    assert score_tags(gold, predicted) == score_tags(GOLD, PREDICTED)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([["O"]], [], "1 gold sentences, but 0"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], "sentence 1: 2 gold tags, but 1"),
        ([["O"]], [["B"]], "'B'"),
    ],
)
def test_refuses(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        score_tags(gold, predicted)


def test_table():
    scores = Scores(
        {"cell_line": Counts(8, 4, 1), "x": Counts(1234, 1000, 1000)}, tokens=40, correct_tokens=30
    )
    # By hand from the counts; micro: 1001 of 1004 predicted and of 1242 gold.
    assert format_scores(scores.to_json()).split("\n") == [
        "type       precision  recall      f1  support  predicted  correct",
        "cell_line      25.00   12.50   16.67        8          4        1",
        "x             100.00   81.04   89.53     1234       1000     1000",
        "micro          99.70   80.60   89.14     1242       1004     1001",
        "macro          62.50   46.77   53.10",
        "token accuracy 75.00",
    ]


def test_table_of_nothing():
    assert "micro" in format_scores(score_tags([], []).to_json())
