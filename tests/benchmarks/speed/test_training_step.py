"""The benchmarks of training: their made-up data, their arithmetic, and one real round."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import benchmark_modules

harness = benchmark_modules.load("harness")
training_step = benchmark_modules.load("training_step")
bilstm = benchmark_modules.load("bilstm")
workload = benchmark_modules.load("contenders.workload")


def test_batches_are_like_those_of_real_corpora() -> None:
    setting = workload.Setting("single_task")
    batches = [turn["main"] for turn in workload.make_turns(setting, 8)]
    works = [workload.work(setting, {"main": batch}) for batch in batches]
    assert np.mean([work.tokens for work in works]) == pytest.approx(465, rel=0.05)
    assert sum(w.padding for w in works) < 0.1 * sum(w.tokens for w in works)
    for batch in batches:
        real = np.arange(batch["word_ids"].shape[1]) < batch["lengths"][:, None]
        for name in ("word_ids", "form_ids"):
            np.testing.assert_array_equal(batch[name] != 0, real)
        # A form for each distinct word, and that of padding.
        assert len(batch["char_ids"]) == 1 + len(np.unique(batch["word_ids"][real]))
        assert not batch["char_ids"][0].any()


def test_batches_are_as_large_as_wanted() -> None:
    setting = workload.Setting("cross_sharing", 3, batch_size=4, length=7, num_words=50_000)
    (turn,) = workload.make_turns(setting, 1)
    assert list(turn) == ["main", "auxiliary1", "auxiliary2"]
    assert {batch["word_ids"].shape for batch in turn.values()} == {(4, 7)}
    assert max(batch["word_ids"].max() for batch in turn.values()) < 50_000


def test_draws_are_repeated() -> None:
    setting = workload.Setting("cross_sharing")
    first, again = (workload.make_turns(setting, 2) for _ in range(2))
    for turn, same in zip(first, again):
        for corpus, batch in turn.items():
            for name, values in batch.items():
                np.testing.assert_array_equal(values, same[corpus][name])


# Of a token: two directions of four gates, and the projection.
ENCODER = 2 * 4 * 256 * (130 + 256) + 512 * 128


@pytest.mark.parametrize(
    ("structure", "a_token", "a_sentence"),
    [
        ("single_task", ENCODER + 128 * 3, 0),
        ("fully_shared", ENCODER + 128 * 3, 0),
        ("shared_private", 2 * ENCODER + 256 * 3, 0),
        ("adversarial", 2 * ENCODER + 256 * 3 + 128 * 128, 128 * 3),
        ("cross_sharing", 4 * ENCODER + 256 * 3 + 2 * 128 * 128, 0),
    ],
)
def test_operations_are_counted_as_by_hand(structure, a_token, a_sentence) -> None:
    batch = {
        "lengths": np.array([2, 1]),
        "word_ids": np.zeros((2, 2), np.int32),
        "char_ids": np.array([[0, 0], [5, 6]]),
    }
    found = workload.work(workload.Setting(structure, num_corpora=3), {"main": batch})
    assert (found.tokens, found.padding) == (3, 1)
    # 2 characters with 2 positions more for each of the two forms.
    assert found.flops == 6 * (3 * a_token + 2 * a_sentence + 6 * 3 * 30 * 30)


def test_the_table_of_steps_holds_medians_and_ratios(capsys) -> None:
    ones = np.ones((3, 2))
    found = {
        "bioner": harness.Measured(0.1 * ones, 0.2 * ones, 0),
        "stock_keras": harness.Measured(ones * [[0.3], [0.2], [0.1]], ones, 0),
        "sgemm": harness.Measured(ones * workload.SGEMM_FLOPS / 1e11, ones, 0),
    }
    summary = training_step.summarise("cross_sharing", found, 2)
    assert summary["sgemm_gflops"] == pytest.approx(100)
    ours, peer = summary["contenders"].values()
    # A turn of two corpora is two steps.
    assert (ours["median"], ours["cpu"]) == (pytest.approx(50), pytest.approx(100))
    assert ours["share_of_sgemm"] == pytest.approx(summary["gflop"] / 0.05 / 100)
    assert (peer["median"], peer["least"]) == (pytest.approx(100), pytest.approx(50))
    assert peer["quartiles"] == [pytest.approx(75), pytest.approx(125)]
    assert peer["times_bioner"] == pytest.approx(2)
    training_step.show("cross_sharing", summary)
    *_, line = capsys.readouterr().out.splitlines()
    assert line.split()[:3] == ["stock_keras", "100.0", "75.0"]


def test_the_table_of_bilstms_holds_shares_of_sgemm() -> None:
    found = {
        "bioner": harness.Measured(np.array([[0.2], [0.1], [0.3]]), np.ones((3, 1)), 0),
        "sgemm": harness.Measured(np.full((3, 1), workload.SGEMM_FLOPS / 1e11), np.ones((3, 1)), 0),
    }
    summary = bilstm.summarise(found, 3, batch_size=2, length=10)
    # Sentences of 10 and 9 tokens.
    assert (summary["tokens"], summary["padding"]) == (19, pytest.approx(0.05))
    operations = 3 * 3 * 19 * 2 * 2 * 4 * 256 * (130 + 256)
    assert summary["contenders"]["bioner"]["share_of_sgemm"] == pytest.approx(operations / 0.2e11)


def test_refuses_what_it_does_not_know(capsys) -> None:
    with pytest.raises(SystemExit):
        training_step.main(["--structures=single"])
    assert "expected some of single_task, " in capsys.readouterr().err


def test_leaves_out_what_the_machine_cannot_run(monkeypatch, capsys) -> None:
    monkeypatch.setattr(harness.importlib.util, "find_spec", lambda name: None)
    assert harness.usable(["bioner", "pytorch", "pytorch_padded"]) == ["bioner"]
    assert "without pytorch, pytorch_padded" in capsys.readouterr().out


def test_a_program_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match=r"json:nothing stopped with exit code 1"):
        harness.measure({"broken": harness.Program("json:nothing", {})}, 1)


def test_every_round_takes_so_many_passes() -> None:
    found = harness.measure({"sgemm": harness.SGEMM}, rounds=2, passes=3)["sgemm"]
    assert found.wall.shape == found.cpu.shape == (2, 3)
    assert (found.wall > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (training_step, ["--structures=single_task", "--turns=1"]),
        (bilstm, ["--counts=1", "--length=5", "--batch_size=2"]),
    ],
    ids=["training_step", "bilstm"],
)
def test_runs(module, arguments, tmp_path: Path) -> None:
    output = tmp_path / "results" / "table.json"
    chosen = ["--contenders=bioner,stock_keras", "--rounds=1", f"--output={output}"]
    module.main([*arguments, *chosen])
    (summary,) = json.loads(output.read_text())[
        "structures" if module is training_step else "counts"
    ].values()
    assert list(summary["contenders"]) == ["bioner", "stock_keras"]
