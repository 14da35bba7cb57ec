"""bioner_tf: multi-task biomedical named-entity taggers on TensorFlow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioner_tf.tagging.tagger import Tagger

__version__ = "0.1.0"


def load(path: str | os.PathLike[str] | None = None) -> Tagger:
    """Loads a tagger; needs TensorFlow and NumPy alone.

    Args:
        path: An export, a directory of its versions (the newest is taken) or a run directory. By
            default the tagger that comes with the package: genes, diseases, chemicals, species and
            cells.

    Returns:
        The tagger: ``load().tag_texts(["..."])`` gives the entities of each text.

    Raises:
        BionerError: There is none, or it cannot be read.
    """
    # Else TensorFlow prints lines about CUDA and oneDNN that a user cannot act on.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Here, so that importing the package does not wait for TensorFlow.
    from bioner_tf.tagging.tagger import Tagger

    return Tagger(path)
