"""How many cores this process may use, and what the processor can do."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_LOG = logging.getLogger(__name__)

# From this many cores on, a single matmul of a recurrence is worth splitting.
_MANY_CORES = 8

# Multiplies tiles of bfloat16, many times as fast as float32.
_TILES = "amx_bf16"
# Multiplies vectors of bfloat16. Intel runs it at half the rate of AMD; with the cost of packing it
# is then slower than float32 (measured by benchmarks/speed/bilstm.py).
_VECTORS, _FAST_VECTORS = "avx512_bf16", "AuthenticAMD"


def supports_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tells whether matmuls in bfloat16 are faster here than in float32.

    Args:
        cpuinfo: Where Linux lists the processor's features; without it the answer is no.

    Returns:
        Whether the processor has fast instructions for bfloat16 and TensorFlow uses them (it does
        through oneDNN, which ``TF_ENABLE_ONEDNN_OPTS=0`` turns off).
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" or not cpuinfo.exists():
        return False
    lines = (line.partition(":") for line in cpuinfo.read_text(errors="replace").splitlines())
    # The features of the first processor; the others have the same.
    told: dict[str, str] = {}
    for name, _, value in lines:
        told.setdefault(name.strip(), value)
    features = told.get("flags", "").split()
    vectors_are_fast = told.get("vendor_id", "").strip() == _FAST_VECTORS
    return _TILES in features or (vectors_are_fast and _VECTORS in features)


def usable_precision(wanted: str) -> str:
    """Returns the precision to multiply in: what is wanted, or "float32" where that would be slow.

    Args:
        wanted: "float32" or "bfloat16"; a warning is logged where bfloat16 is slow.
    """
    if wanted == "bfloat16" and not supports_bfloat16():
        _LOG.warning("this processor has no fast bfloat16 matmul: float32 is used instead")
        return "float32"
    return wanted


def count_cores() -> int:
    """Returns how many cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(most_cores: int | None = None) -> None:
    """Sets TensorFlow's threads for this machine; must come before its first operation.

    A Bi-LSTM is two chains of small operations, one a direction. On few cores it is fastest to
    leave each operation to one thread and to run both chains at once.

    Args:
        most_cores: Use at most this many cores; by default all that the process may use.
    """
    # Imported here, because TensorFlow takes seconds to import and few commands need it.
    import tensorflow as tf

    cores = count_cores()
    cores = min(cores, most_cores or cores)
    inside = 1 if cores < _MANY_CORES else cores // 2
    tf.config.threading.set_intra_op_parallelism_threads(inside)
    tf.config.threading.set_inter_op_parallelism_threads(min(cores, _MANY_CORES))
