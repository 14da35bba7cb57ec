"""Growth, memory and pipeline: the arithmetic, and (slow) that the programs run."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.benchmark_modules import DIRECTORY, load
from tests.helpers.synthetic_corpora import write_corpus

growth, memory, pipeline = load("growth"), load("memory"), load("pipeline")


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_a_power_law(power: float) -> None:
    values = [10, 30, 100]
    assert growth.exponent(values, [3 * value**power for value in values]) == pytest.approx(power)


def test_memory_is_judged_by_what_comes_on_top_of_the_smallest_point() -> None:
    points = [
        {"value": value, "ms": 2.0 * value, "megabytes": 500 + 0.1 * value - 1}
        for value in (10, 100, 1000)
    ]
    summary = growth.summarise(points)
    assert summary["time_exponent"] == pytest.approx(1)
    # 9 and 99 more than the first.
    assert summary["memory_exponent"] == pytest.approx(np.log10(11))


def test_padding_is_counted_by_hand() -> None:
    lengths = np.array([1, 3, 2, 2])
    batches = [np.array([0, 1]), np.array([2, 3])]
    # 6 cells for 4 tokens, and 4 for 4.
    assert pipeline.padding_share(lengths, batches) == pytest.approx(0.2)


def test_batches_by_length_hold_less_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 4096)
    shares = pipeline.count_padding(lengths, 16)
    assert shares["drawn"] < 0.1 < 0.3 < shares["shuffling"]


def test_text_is_as_long_as_was_asked(tmp_path) -> None:
    memory.write_text(tmp_path / "text", 2.5)
    assert (tmp_path / "text").stat().st_size == pytest.approx(2.5e6, rel=1e-3)
    assert (tmp_path / "text").read_bytes().endswith(b"\n")


@pytest.mark.slow
def test_programs_run(tmp_path) -> None:
    for name in ("a", "b"):
        write_corpus(tmp_path, name)
    output = tmp_path / "record.json"
    data = [f"--data_dir={tmp_path}", "--corpora=a,b", f"--output={output}"]

    arguments = ["--axes=num_corpora", "--points=2", "--rounds=1", f"--output={output}"]
    growth.main([*arguments, "--structure=fully_shared"])
    (axis,) = json.loads(output.read_text())["axes"].values()
    assert [point["value"] for point in axis["points"]] == [2, 4]

    # In a process of its own: it sets the threads.
    program = [sys.executable, str(DIRECTORY / "speed" / "pipeline.py")]
    subprocess.run([*program, *data, "--turns=3", "--lstm_units=4"], check=True)
    record = json.loads(output.read_text())
    assert 0 <= record["waiting"] <= 1
    assert set(record["padding"]) == {"a", "b"}

    small = ["--keep_fraction=1", "--lstm_units=4", "--tagger_units=4", "--sizes=0.01,0.02"]
    memory.main([*data, *small])
    record = json.loads(output.read_text())
    assert list(record["tagging"]) == ["0.01", "0.02"]
    assert record["training"]["megabytes"] > 100
