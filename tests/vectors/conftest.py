from __future__ import annotations

import numpy as np
import pytest

from bioner_tf.vectors.word_vectors import WordVectors


@pytest.fixture
def vectors():
    """Seven words, three of which become equal when their digits are replaced by 0."""
    return WordVectors(
        ("the", "THE", "p53", "p00", "il-2", "p21", "Äh"),
        np.arange(1, 15, dtype=np.float32).reshape(7, 2),
    )
