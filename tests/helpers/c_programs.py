"""Builds and runs the C programs of export/c, for the tests that need a loader without Python."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "export" / "c"


@functools.lru_cache(maxsize=1)
def build() -> Path:
    """The directory of the built programs; skips the test where they cannot be built."""
    for tool in ("make", "cc"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here, which export/c needs")
    import tensorflow as tf

    if not (Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2").exists():
        pytest.skip("this TensorFlow brings no libtensorflow_cc.so.2")
    directory = Path(tempfile.mkdtemp(prefix="bioner-c-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    command = ["make", "-C", str(SOURCES), f"BUILD={directory}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory


def run(program: str, *arguments: object, stdin: bytes = b"") -> list[Any]:
    """The JSON objects that a program prints, one a line."""
    done = subprocess.run(
        [build() / program, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]
