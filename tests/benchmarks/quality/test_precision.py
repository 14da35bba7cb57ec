"""The benchmark of what bfloat16 does to F1."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.helpers.benchmark_modules import load

precision = load("precision")

SCORES = {"float32": {"1": 0.70, "2": 0.72}, "bfloat16": {"1": 0.71, "2": 0.70}}


def test_sums_up_both_precisions_over_the_seeds() -> None:
    summary = precision.summarise(SCORES)
    assert summary["float32"]["mean"] == pytest.approx(0.71)
    assert summary["bfloat16"]["deviation"] == pytest.approx(np.std([0.71, 0.70], ddof=1))
    assert summary["difference"] == pytest.approx(-0.005)
    assert 0.5 < summary["p"] < 0.8


def test_a_single_seed_has_no_p_value() -> None:
    summary = precision.summarise({name: {"1": found["1"]} for name, found in SCORES.items()})
    assert summary["p"] is None
    assert summary["float32"]["deviation"] == 0.0


def test_trains_every_seed_in_both_precisions(tmp_path, monkeypatch, capsys) -> None:
    asked = []

    def train(run_dir, flags):
        asked.append((run_dir.name, flags))
        return SCORES[run_dir.name.split("_")[0]][run_dir.name[-1]]

    monkeypatch.setattr(precision, "train", train)
    output = tmp_path / "precision.json"
    flags = [
        "--data_dir=d",
        "--corpora=genes",
        "--seeds=1,2",
        "--train_flags=--epochs=1 --crf=static",
    ]
    precision.main([*flags, f"--output={output}"])
    assert [name for name, _ in asked] == ["float32_s1", "bfloat16_s1", "float32_s2", "bfloat16_s2"]
    assert asked[3][1] == [
        "--data_dir=d",
        "--corpora=genes",
        "--structure=single_task",
        "--epochs=1",
        "--crf=static",
        "--precision=bfloat16",
        "--seed=2",
    ]
    assert json.loads(output.read_text())["bfloat16"]["scores"] == SCORES["bfloat16"]
    assert "difference -0.50" in capsys.readouterr().out
