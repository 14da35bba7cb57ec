"""The benchmark of tagging: its texts, its arithmetic, and that all contenders tag."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bioner_tf.corpora.corpus import TOKEN
from tests.helpers import benchmark_modules

harness = benchmark_modules.load("harness")
tagging = benchmark_modules.load("tagging")
texts = benchmark_modules.load("contenders.texts")
workload = benchmark_modules.load("contenders.workload")


def test_texts_are_sentences_of_usual_length() -> None:
    made = texts.make_texts(200)
    assert made == texts.make_texts(200)
    assert len(set(texts.words())) == texts.NUM_WORDS
    known = {*texts.words(), *texts.characters()}
    tokens = [token for text in made for token in TOKEN.findall(text)]
    assert len(tokens) / len(made) == pytest.approx(28, rel=0.1)
    assert set(tokens) <= known
    assert all(text.endswith(".") and text.count(".") == 1 for text in made)


def test_calls_hold_all_texts() -> None:
    calls = texts.calls([1, 3], 70)
    assert [len(batch) for size, batch in calls if size == 1] == [1] * 64
    assert [text for size, batch in calls if size == 3 for text in batch] == texts.make_texts(70)
    assert texts.count_tokens(["a-a", "bc"]) == (4, 3, 4)
    assert texts.to_corpus("a-b") == "a\tB-Gene\n-\tO\nb\tO\n\n"


def test_the_table_holds_rates_and_latencies(capsys) -> None:
    calls = texts.calls([1, 2], 2)
    tokens, forms, characters = texts.count_tokens(calls[-1][1])
    # Two calls of a text, one of both; the slow round is the second.
    ours = np.array([[0.1, 0.3, 0.2], [0.2, 0.6, 0.4], [0.1, 0.3, 0.2]])
    found = {
        "sgemm": harness.Measured(np.full((3, 1), workload.SGEMM_FLOPS / 1e11), np.ones(1), 0),
        "signature": harness.Measured(ours, ours, 0),
        "pytorch": harness.Measured(3 * ours, ours, 0),
    }
    summary = tagging.summarise(found, "single_task", [1, 2], 2)
    one, two = (summary[size]["contenders"] for size in "12")
    assert one["signature"]["median"] == pytest.approx(tokens / 0.4)
    assert one["signature"]["p50"] == pytest.approx(300 - 50)
    assert one["signature"]["p99"] == pytest.approx(600, rel=0.03)
    assert two["pytorch"]["times_signature"] == pytest.approx(3)
    flops = workload.forward_flops(workload.Setting("single_task"), tokens, characters, forms)
    assert two["signature"]["share_of_sgemm"] == pytest.approx(flops / 0.2 / 1e11)
    tagging.show(summary)
    assert "signature" in capsys.readouterr().out


@pytest.mark.slow
def test_all_contenders_find_about_as_many_entities(tmp_path: Path, monkeypatch) -> None:
    taggers = benchmark_modules.load("contenders.taggers")
    # This process has set its threads.
    monkeypatch.setattr(taggers, "use_threads", lambda: None)
    export = taggers.write_export("single_task", tmp_path)
    sizes = {"batch_sizes": [40], "count": 40}
    (ours,) = taggers.build_load(str(export), **sizes)
    (keras,) = taggers.build_stock_keras("single_task", **sizes)
    tasks = {"load": ours, "stock_keras": keras}
    if harness.usable(["pytorch"]):
        (tasks["pytorch"],) = taggers.build_pytorch("single_task", **sizes)
    tokens, _, _ = texts.count_tokens(texts.make_texts(40))
    for name, task in tasks.items():
        entities = sum(map(len, task()))
        assert 0.01 < entities / tokens < 0.15, name


@pytest.mark.slow
def test_runs(tmp_path: Path) -> None:
    output = tmp_path / "table.json"
    tagging.main(
        [
            "--structure=single_task",
            "--contenders=signature,load",
            "--batch_sizes=1,2",
            "--texts=2",
            "--rounds=1",
            "--command_texts=3",
            "--command_rounds=1",
            f"--output={output}",
        ]
    )
    record = json.loads(output.read_text())
    assert list(record["batches"]["2"]["contenders"]) == ["signature", "load"]
    assert set(record["commands"]) == {"bioner-tag", "bioner-evaluate"}
    assert record["cold_start"]["load"]["total"] > record["cold_start"]["load"]["load"]
