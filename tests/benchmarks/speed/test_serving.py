"""The benchmark of serving: what it measures, and how it judges."""

from __future__ import annotations

import json

import pytest

from tests.helpers import c_programs
from tests.helpers.benchmark_modules import load


@pytest.fixture(scope="module")
def serving():
    return load("serving")


def periods_of(megabytes, p99=(5.0,) * 9):
    return [{"resident_megabytes": m, "p99_ms": p} for m, p in zip(megabytes, p99)]


def test_a_soak_is_judged_by_what_comes_after_warm_up(serving):
    # 360 periods of 10 s are an hour.
    stable = serving.judge_soak(periods_of([10, 60, 90, *[100] * 6]), 10)
    assert stable["stable"]
    assert stable["megabytes_an_hour"] == pytest.approx(0, abs=1e-6)
    leaking = serving.judge_soak(periods_of([0, 0, 0, 100, 101, 102, 103, 104, 105]), 10)
    assert not leaking["stable"]
    assert leaking["megabytes_an_hour"] == pytest.approx(360)
    slower = serving.judge_soak(periods_of([100] * 9, [9, 9, 9, 4, 5, 6, 5, 6, 7]), 10)
    assert slower["p99_drift"] == pytest.approx(0.2)


def test_each_benchmark_prints_a_line_a_measurement(
    serving, served_run, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(serving, "build", lambda directory: c_programs.build() / "bioner_bench")
    monkeypatch.setattr(serving, "_CALLERS", (1,))
    monkeypatch.setattr(serving, "_THREADS", ((1, 2),))
    monkeypatch.setattr(serving, "_BATCHES", (3,))
    monkeypatch.setattr(serving, "_SOAK_PERIODS", 3)
    (tmp_path / "texts").write_text("the gene\nBRCA1\n")
    common = [f"--model={served_run}", f"--texts={tmp_path / 'texts'}", "--seconds=0.1"]
    printed, numbers = {}, {}
    for name in ("speed", "batches", "soak"):
        extra = {"speed": [], "batches": ["--batches"], "soak": ["--soak=0.3"]}[name]
        serving.main([*common, f"--json={tmp_path / name}", *extra])
        lines = capsys.readouterr().out.splitlines()
        printed[name] = [line.split()[0].rstrip(":") for line in lines if line]
        numbers[name] = json.loads((tmp_path / name).read_text())
    assert printed["speed"] == ["load", "first", "callers", "1"]
    assert printed["batches"] == ["threads", "1x2"]
    assert numbers["batches"][0]["batch"] == 3
    assert printed["soak"][:4] == ["after", "0", "0", "0"]
    assert printed["soak"][4] == ("stable" if numbers["soak"]["stable"] else "UNSTABLE")
