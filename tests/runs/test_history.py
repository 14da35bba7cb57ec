"""The record of the epochs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bioner_tf.runs.history import History
from tests.helpers.run_records import F1, history_of


def test_is_one_object_a_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    history_of(path, 0.5, 0.25)
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"epoch": 1, F1: 0.5},
        {"epoch": 2, F1: 0.25},
    ]


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_drops_what_is_beyond_the_checkpoint(tmp_path, epochs):
    path = tmp_path / "metrics.jsonl"
    history_of(path, 0.5, 0.25)
    history = History(path, epochs)
    assert [record["epoch"] for record in history.records] == [1, 2][:epochs]
    history.append({"epoch": epochs + 1, F1: 1.0})
    history.save()
    assert len(path.read_text().splitlines()) == epochs + 1


def test_numbers_come_back_as_they_were(tmp_path):
    values = (0.1 + 0.2, 1 / 3, float(np.float32(0.1)), 1e-300)
    history_of(tmp_path / "m", *values)
    assert tuple(r[F1] for r in History(tmp_path / "m", 4).records) == values


@pytest.mark.parametrize(
    ("scores", "best"),
    [((), None), ((0.0,), 1), ((0.1, 0.3, 0.2), 2), ((0.2, 0.3, 0.3), 2), ((0.0, 0.0), 1)],
)
def test_the_best_epoch_is_the_first_of_the_highest(tmp_path, scores, best):
    assert history_of(tmp_path / "m", *scores).best_epoch(F1) == best


def test_no_best_epoch_without_scores(tmp_path):
    history = History(tmp_path / "m", 0)
    history.append({"epoch": 1, "a/loss": 1.0})
    assert history.best_epoch(F1) is None
    assert not history.has_stalled(F1, 1)


@pytest.mark.parametrize(
    ("scores", "patience", "stalled"),
    [
        ((), 1, False),
        ((0.1,), 1, False),
        ((0.1, 0.1), 1, True),
        ((0.1, 0.2), 1, False),
        ((0.3, 0.1, 0.2), 2, True),
        ((0.3, 0.1, 0.2), 3, False),
    ],
)
def test_stalls_after_so_many_epochs_without_a_better_one(tmp_path, scores, patience, stalled):
    assert history_of(tmp_path / "m", *scores).has_stalled(F1, patience) == stalled
