"""The tables of docs/performance.md."""

from __future__ import annotations

import json

import pytest

from tests.helpers.benchmark_modules import load

report = load("report")

MACHINE = {
    "processor": "Abacus",
    "cores": 2,
    "date": "2026-11-24T01:02:03+00:00",
    "python": "3.11.7",
    "versions": {"tensorflow": "2.15.1"},
}
TIMES = {"median": 1.25, "quartiles": [1.0, 2.0], "share_of_sgemm": 0.5}
RECORDS = {
    "training_step": {"structures": {"single_task": {"contenders": {"bioner": TIMES}}}},
    "bilstm": {"counts": {"3": {"contenders": {"pytorch": {**TIMES, "times_bioner": 2.345}}}}},
    "tagging": {
        "batches": {"16": {"contenders": {"load": {**TIMES, "p50": 3.0, "p99": 4.0}}}},
        "commands": {"bioner-tag": {"median": 12345.6, "start_seconds": 5.0}},
        "cold_start": {"load": {"import": 1, "load": 2, "answer": 3, "total": 6}},
    },
    "growth": {
        "axes": {
            "length": {
                "points": [{"value": 1000, "ms": 7.0, "megabytes": 1234.5}],
                "time_exponent": 0.98,
                "memory_exponent": 1.0,
            }
        }
    },
    "pipeline": {
        "padding": {"genes": {"drawn": 0.05, "shuffling": 0.4}},
        "seconds": 0.2,
        "waiting": 0.01,
    },
    "memory": {
        "corpora": ["genes", "drugs"],
        "training": {"megabytes": 900.0, "seconds": 10.0},
        "tagging": {"10": {"megabytes": 600.0, "seconds": 20.0}},
    },
    "limits": {
        "sgemm_gflops": 160.0,
        "parts": {
            "gates": {"microseconds": 40.0},
            "whole": {"microseconds": 400.0, "gflops": 80.0, "share_of_sgemm": 0.5},
        },
        "bound": 0.75,
    },
    "precision": {
        "corpora": ["genes"],
        "structure": "single_task",
        "flags": "--epochs=3",
        "float32": {"scores": {"1": 0.7, "2": 0.71}, "mean": 0.705, "deviation": 0.00707},
        "bfloat16": {"scores": {"1": 0.7, "2": 0.72}, "mean": 0.71, "deviation": 0.0141},
        "difference": 0.005,
        "p": 0.7,
    },
}
EXPECTED = {
    "training": "| single_task | bioner | 1.2 | 1.0 – 2.0 |  | 50% |",
    "bilstm": "| 3 | pytorch | 1.2 | 1.0 – 2.0 | 2.35 | 50% |",
    "tagging": "| `bioner-tag` | 12,346 | 5.0 |",
    "growth": "| length | **exponent** | **0.98** | **1.00** |",
    "pipeline": "| genes | 5.0% | 40.0% |",
    "memory": "| `bioner-tag`, 10 MB of text | 600 | 20 |",
    "limits": "| whole | 400.0 | 80 | 50% |",
    "precision": "| mean | 70.50 ± 0.71 | 71.00 ± 1.41 |",
}


@pytest.mark.parametrize("name", report.TABLES)
def test_a_table_is_replaced_and_the_text_around_it_stays(name, tmp_path) -> None:
    file, _ = report.TABLES[name]
    (tmp_path / f"{file}.json").write_text(json.dumps({"machine": MACHINE, **RECORDS[file]}))
    document = f"before\n<!-- table {name} -->\nstale\n<!-- end -->\nafter\n"
    filled = report.fill(document, tmp_path)
    assert EXPECTED[name] in filled
    assert "stale" not in filled
    assert "Abacus, 2 cores, 2026-11-24, Python 3.11.7, tensorflow 2.15.1" in filled
    assert filled.startswith("before\n")
    assert filled.endswith("<!-- end -->\nafter\n")
    # Filling it again with the same figures changes nothing.
    assert report.fill(filled, tmp_path) == filled


def test_tables_of_benchmarks_that_have_not_run_do_not_change(tmp_path, capsys) -> None:
    document = report.DOCUMENT.read_text(encoding="utf-8")
    assert report.fill(document, tmp_path) == document
    tables = document.count("<!-- table ")
    assert capsys.readouterr().out.count("not run") == tables > 0
