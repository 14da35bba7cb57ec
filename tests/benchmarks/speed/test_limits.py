"""The benchmark of what limits an LSTM's pass."""

from __future__ import annotations

import json

import pytest

from tests.helpers.benchmark_modules import load

limits = load("limits")


def test_the_products_are_those_that_the_formula_counts() -> None:
    # Forward, and as much again for either factor; the bias is one more input.
    rows = limits.BATCH * limits.STEPS
    by_formula = 3 * limits.workload.bilstm_flops(rows) / 2
    biases = 3 * 2 * rows * 4 * limits.UNITS
    counted = 2 * limits.STEPS * sum(limits.MULTIPLICATIONS.values())
    assert counted == by_formula + biases


def test_the_bound_is_that_of_the_products_alone() -> None:
    microseconds = dict.fromkeys(limits.MULTIPLICATIONS, 10.0)
    summary = limits.summarise({**microseconds, limits.WHOLE: 160.0}, sgemm=1e12)
    operations = 2 * sum(limits.MULTIPLICATIONS.values())
    assert summary["parts"][limits.WHOLE]["gflops"] == pytest.approx(operations / 160e-6 / 1e9)
    # Six of the eight parts multiply.
    assert summary["bound"] == pytest.approx(operations / 60e-6 / 1e12)
    assert "gflops" not in summary["parts"]["gates"]


def test_runs(tmp_path, capsys) -> None:
    output = tmp_path / "limits.json"
    parts = limits.build_parts()
    assert [*parts] == [*limits.MULTIPLICATIONS, limits.WHOLE]
    microseconds = limits.measure(parts, rounds=1)
    limits.harness.write(limits.summarise(microseconds, 1e11), output)
    assert min(microseconds.values()) > 0
    assert json.loads(output.read_text())["parts"].keys() == parts.keys()
