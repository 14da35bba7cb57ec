"""The benchmark of a training step: its made-up data, its arithmetic, and one real round."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("training_step")


@pytest.fixture
def workload(benchmark):
    return benchmark.workload


def test_batches_are_like_those_of_real_corpora(workload) -> None:
    batches = [turn["main"] for turn in workload.make_turns("single_task", 8)]
    works = [workload.work("single_task", {"main": batch}) for batch in batches]
    assert np.mean([work.tokens for work in works]) == pytest.approx(465, rel=0.05)
    assert sum(w.padding for w in works) < 0.1 * sum(w.tokens for w in works)
    for batch in batches:
        real = np.arange(batch["word_ids"].shape[1]) < batch["lengths"][:, None]
        for name in ("word_ids", "form_ids"):
            np.testing.assert_array_equal(batch[name] != 0, real)
        # A form for each distinct word, and that of padding.
        assert len(batch["char_ids"]) == 1 + len(np.unique(batch["word_ids"][real]))
        assert not batch["char_ids"][0].any()


def test_draws_are_repeated(workload) -> None:
    first, again = (workload.make_turns("cross_sharing", 2) for _ in range(2))
    for turn, same in zip(first, again):
        assert list(turn) == ["main", "auxiliary"]
        for corpus, batch in turn.items():
            for name, values in batch.items():
                np.testing.assert_array_equal(values, same[corpus][name])


def test_operations_are_counted_as_by_hand(workload) -> None:
    batch = {
        "lengths": np.array([2, 1]),
        "word_ids": np.zeros((2, 2), np.int32),
        "char_ids": np.array([[0, 0], [5, 6]]),
    }
    found = workload.work("single_task", {"main": batch})
    assert (found.tokens, found.padding) == (3, 1)
    # A token: two directions of four gates; the projection; the tags. And 2 characters with 2
    # positions more for each of the two forms.
    token = 2 * 4 * 256 * (130 + 256) + 512 * 128 + 128 * 3
    assert found.flops == 6 * (3 * token + 6 * 3 * 30 * 30)


def test_the_table_holds_medians_and_ratios(benchmark, workload) -> None:
    ones = np.ones((3, 2))
    found = {
        "bioner": benchmark.Measured(0.1 * ones, 0.2 * ones),
        "stock_keras": benchmark.Measured(ones * [[0.3], [0.2], [0.1]], ones),
        "sgemm": benchmark.Measured(ones * workload.SGEMM_FLOPS / 1e11, ones),
    }
    summary = benchmark.summarise("cross_sharing", found, 2)
    assert summary["sgemm_gflops"] == pytest.approx(100)
    ours, peer = summary["contenders"].values()
    # A turn of two corpora is two steps.
    assert (ours["median"], ours["cpu"]) == (pytest.approx(50), pytest.approx(100))
    assert ours["share_of_sgemm"] == pytest.approx(summary["gflop"] / 0.05 / 100)
    assert (peer["median"], peer["least"]) == (pytest.approx(100), pytest.approx(50))
    assert peer["quartiles"] == [pytest.approx(75), pytest.approx(125)]
    assert peer["times_bioner"] == pytest.approx(2)


def test_refuses_what_it_does_not_know(benchmark, capsys) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(["--structures=single"])
    assert "expected some of single_task, " in capsys.readouterr().err


@pytest.mark.slow
def test_runs(benchmark, tmp_path: Path) -> None:
    output = tmp_path / "results" / "table.json"
    benchmark.main(
        [
            "--structures=single_task",
            "--contenders=bioner,stock_keras",
            "--turns=1",
            "--rounds=1",
            f"--output={output}",
        ]
    )
    contenders = json.loads(output.read_text())["structures"]["single_task"]["contenders"]
    assert list(contenders) == ["bioner", "stock_keras"]
