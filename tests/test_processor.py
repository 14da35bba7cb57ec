"""Which processors get bfloat16."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioner_tf.processor import supports_bfloat16

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
