"""What this machine's processor can do."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_LOG = logging.getLogger(__name__)

# Instructions that multiply matrices of bfloat16; without them float32 is faster.
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}


def supports_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tells whether matmuls in bfloat16 are faster here than in float32.

    Args:
        cpuinfo: Where Linux lists the processor's features; where there is none, the answer is no.

    Returns:
        Whether the processor has instructions for bfloat16 and TensorFlow uses them (it does
        through oneDNN, which ``TF_ENABLE_ONEDNN_OPTS=0`` turns off).
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" or not cpuinfo.exists():
        return False
    return any(
        _BFLOAT16.intersection(line.split())
        for line in cpuinfo.read_text(errors="replace").splitlines()
        if line.startswith("flags")
    )


def usable_precision(wanted: str) -> str:
    """Returns the precision to multiply in: what is wanted, or "float32" where that would be slow.

    Args:
        wanted: "float32" or "bfloat16"; where the latter is refused, a warning says so.
    """
    if wanted == "bfloat16" and not supports_bfloat16():
        _LOG.warning("this processor has no fast bfloat16 matmul: float32 is used instead")
        return "float32"
    return wanted
