"""Imports the benchmarks, which are programs and not a package, by their names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

DIRECTORY = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    """Returns a module of ``benchmarks/``, ``benchmarks/speed/`` or ``benchmarks/quality/``."""
    for directory in (DIRECTORY, DIRECTORY / "speed", DIRECTORY / "quality"):
        if str(directory) not in sys.path:
            sys.path.insert(0, str(directory))
    return importlib.import_module(name)
