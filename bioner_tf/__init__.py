"""bioner_tf: multi-task biomedical named-entity taggers on TensorFlow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioner_tf.tagging.tagger import Tagger

__version__ = "0.1.0"


def load(path: str | os.PathLike[str]) -> Tagger:
    """Loads an exported tagger; needs TensorFlow and NumPy alone.

    Args:
        path: An export, a directory of its versions (the newest is taken) or a run directory.

    Returns:
        The tagger: ``load(path).tag_texts(["..."])`` gives the entities of each text.

    Raises:
        BionerError: There is none, or it cannot be read.
    """
    # Here, so that importing the package does not wait for TensorFlow.
    from bioner_tf.tagging.tagger import Tagger

    return Tagger(path)
