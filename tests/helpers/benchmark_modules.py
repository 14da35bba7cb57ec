"""The benchmarks' modules, which are programs and no package: importable by their names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

DIRECTORY = Path(__file__).parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    """Returns the module ``benchmarks/<name>.py``."""
    if str(DIRECTORY) not in sys.path:
        sys.path.insert(0, str(DIRECTORY))
    return importlib.import_module(name)
