"""Which processors get bfloat16, and how many threads TensorFlow gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bioner_tf.machine import supports_bfloat16, use_threads

AMD, INTEL = ("vendor_id\t: AuthenticAMD\n", "vendor_id\t: GenuineIntel\n")

CASES = {
    "Zen 4": (AMD + "flags\t\t: fpu avx512f avx512_bf16 sha_ni\n", True),
    "Zen 3": (AMD + "flags\t\t: fpu avx2 sha_ni\n", False),
    "Sapphire Rapids": (INTEL + "flags\t\t: fpu avx512_bf16 amx_bf16 amx_tile\n", True),
    "Sapphire Rapids without tiles": (INTEL + "flags\t\t: fpu avx512f avx512_bf16\n", False),
    "Skylake": (INTEL + "flags\t\t: fpu avx2 avx512f avx512bw\n", False),
    "a name that says so": (AMD + "model name\t: avx512_bf16\nflags\t\t: fpu\n", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_reads_the_features(text: str, expected: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    assert supports_bfloat16(cpuinfo) is expected


def test_says_no_where_nothing_is_listed(tmp_path: Path) -> None:
    assert not supports_bfloat16(tmp_path / "cpuinfo")


def test_says_no_where_tensorflow_would_not_use_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(CASES["Zen 4"][0])
    assert not supports_bfloat16(cpuinfo)


@pytest.mark.parametrize(
    ("there", "most_cores", "inside", "at_once"),
    [(2, None, 1, 2), (16, None, 8, 8), (16, 7, 1, 7), (16, 8, 4, 8), (2, 7, 1, 2)],
    ids=["few", "many", "many, 7 of them", "many, 8 of them", "fewer than asked for"],
)
def test_threads_are_for_the_cores_that_count(monkeypatch, there, most_cores, inside, at_once):
    told = {}
    import tensorflow as tf

    threading = tf.config.threading
    for name in ("intra", "inter"):
        setter = f"set_{name}_op_parallelism_threads"
        monkeypatch.setattr(
            threading, setter, lambda number, name=name: told.update({name: number})
        )
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(there)))
    use_threads(most_cores)
    assert told == {"intra": inside, "inter": at_once}
