"""The benchmark of the answer for all corpora."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bioner_tf.corpora import tags
from tests.helpers.benchmark_modules import load

all_types = load("all_types")
harness = load("harness")
texts = load("contenders.texts")


def test_the_corpora_are_those_of_the_bundled_tagger():
    assert [len(names) for names in all_types.TAGS.values()] == [3, 11, 3, 5, 3]
    assert {tags.scheme_of(names) for names in all_types.TAGS.values()} == {"IOB2"}


def test_rates_and_ratios(monkeypatch, tmp_path):
    seconds = np.array([[0.1, 0.3, 0.2], [0.2, 0.6, 0.4]])
    found = {
        "tag_text_main": harness.Measured(seconds, seconds, 0),
        "tag_text_all": harness.Measured(seconds * 1.25, seconds, 0),
    }
    monkeypatch.setattr(harness, "measure", lambda programs, rounds: found)
    summary = all_types.measure(tmp_path, [1, 2], 2, 2)
    tokens = texts.count_tokens(texts.make_texts(2))[0]
    assert summary["2"]["tag_text_main"]["median"] == pytest.approx(tokens * (5 + 2.5) / 2)
    for size in ("1", "2"):
        assert summary[size]["tag_text_all"]["times_main"] == pytest.approx(1.25)


@pytest.mark.slow
def test_the_table_has_both_signatures(capsys, tmp_path):
    arguments = ["--batch_sizes=1,4", "--texts=4", "--rounds=1", f"--output={tmp_path / 'out'}"]
    all_types.main(arguments)
    record = json.loads((tmp_path / "out").read_text())
    assert set(record["batches"]) == {"1", "4"}
    assert record["batches"]["4"]["tag_text_all"]["median"] > 0
    assert capsys.readouterr().out.count("tag_text_all") == 2
