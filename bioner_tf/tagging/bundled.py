"""The tagger that comes with the package: ``bio5``."""

from __future__ import annotations

from pathlib import Path

import bioner_tf
from bioner_tf.errors import BionerError

NAME = "bio5"


def find_bundled() -> Path:
    """Returns the directory of the bundled tagger.

    Raises:
        BionerError: This installation has none.
    """
    path = Path(bioner_tf.__file__).parent / "data" / NAME
    if not path.is_dir():
        raise BionerError(
            f"{path}: expected the tagger {NAME}, which comes with bioner_tf, got nothing; install "
            "the package again, or name another tagger"
        )
    return path
