from __future__ import annotations

import json

import pytest

from bioner_tf.scoring.metrics import score_tags
from bioner_tf.scoring.relaxed import relaxed_counts
from bioner_tf.scoring.statistics import METRICS, bootstrap_intervals, rates, sentence_counts
from bioner_tf.scoring.summary import format_summary, summarise

GOLD = [["B-x", "I-x", "O", "B-y"], ["B-x", "O", "O"], ["O", "O"]]
PREDICTED = [["B-x", "O", "O", "B-x"], ["B-x", "I-x", "B-z"], ["O", "B-y"]]


def test_strict_scores_are_those_of_the_report():
    scores = summarise(GOLD, PREDICTED)
    assert set(scores.pop("relaxed")) == {"exact", "partial", "type"}
    assert scores == score_tags(GOLD, PREDICTED).to_json()


def test_relaxed_scores_by_type():
    scores = summarise(GOLD, PREDICTED)["relaxed"]
    # Three gold entities, five predicted ones. Exact: y(3,4). Partial: that and two halves.
    assert scores["exact"]["precision"] == pytest.approx(1 / 5)
    assert scores["partial"]["recall"] == pytest.approx(2 / 3)
    assert scores["type"]["f1"] == pytest.approx(4 / 8)
    assert list(scores["type"]["types"]) == ["x", "y", "z"]
    counts = relaxed_counts(GOLD, PREDICTED, "type", "x").sum(axis=0)
    assert scores["type"]["types"]["x"] == {m: float(v) for m, v in rates(counts).items()}
    assert scores["type"]["types"]["x"]["recall"] == 1


def test_intervals_of_sentences_and_of_documents():
    scores = summarise(GOLD, PREDICTED, draws=50, seed=3)
    assert scores["draws"] == {"number": 50, "of": "sentences"}
    counts = sentence_counts(GOLD, PREDICTED)
    assert scores["intervals"] == bootstrap_intervals(counts, 50, 3)
    counts = relaxed_counts(GOLD, PREDICTED, "partial", "x")
    found = scores["relaxed"]["partial"]["types"]["x"]["intervals"]
    assert found == bootstrap_intervals(counts, 50, 3)

    by_document = summarise(GOLD, PREDICTED, documents=[0, 2], draws=50, seed=3)
    assert by_document["draws"] == {"number": 50, "of": "documents"}
    intervals = [s["relaxed"]["partial"]["intervals"] for s in (scores, by_document)]
    assert intervals[0] != intervals[1]
    assert summarise(GOLD, PREDICTED, [0], 50, 3) == scores
    assert json.loads(json.dumps(scores))["intervals"]["f1"] == list(scores["intervals"]["f1"])


def test_tables():
    lines = format_summary(summarise(GOLD, PREDICTED)).split("\n")
    assert lines[-5:] == [
        "measure  precision  recall      f1",
        "strict        0.00    0.00    0.00",
        "exact        20.00   33.33   25.00",
        "partial      40.00   66.67   50.00",
        "type         40.00   66.67   50.00",
    ]
    lines = format_summary(summarise([["B-x"]], [["B-x"]], draws=1000)).split("\n")
    assert "exact       100.00  100.00  100.00  [100.00, 100.00]" in lines
    assert lines[-4:] == [
        "95% intervals, by 1,000 draws of the sentences",
        *(f"{metric:<9}  100.00  [100.00, 100.00]" for metric in METRICS),
    ]
