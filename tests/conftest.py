"""Shared by all tests: settings of TensorFlow, fixed seeds and the real corpora."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# TensorFlow reads these when it is first imported, which is left to the tests that need it: the
# import takes seconds. One thread within an operation is fastest for small tensors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")

# Programs that tests start import tests.helpers, too.
_REPOSITORY = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(_REPOSITORY), os.environ.get("PYTHONPATH")])
)


# A shell that runs the tests in the background makes them, and what they start, deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout that the tests belong to."""
    return _REPOSITORY


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The directory of the real corpora; skips the test where there is none."""
    return _path_from_environment("BIONER_DATA_DIR")


@pytest.fixture(scope="session")
def documents_dir() -> Path:
    """The directory of the real corpora as documents; skips the test where there is none."""
    return _path_from_environment("BIONER_DOCUMENTS_DIR")


@pytest.fixture(scope="session")
def vectors_path() -> Path:
    """A file of word vectors for the real corpora; skips the test where there is none."""
    return _path_from_environment("BIONER_VECTORS")


@pytest.fixture(scope="session")
def served_tagger(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tagger of ``random_tagger.py``, as it is exported."""
    from tests.helpers import random_tagger

    return random_tagger.build_random_tagger(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="session")
def served_run(served_tagger: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory as far as a server looks at it: ``served_tagger`` as its version 9."""
    from bioner_tf.serving.export import export_tagger

    directory = tmp_path_factory.mktemp("run")
    export_tagger(served_tagger, directory / "export", version=9)
    return directory


def _path_from_environment(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    path = Path(value)
    if not path.exists():
        pytest.fail(f"{variable} names {path}, which does not exist")
    return path
