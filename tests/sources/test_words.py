"""Words: look-ups in Python, and the same look-ups in the graph."""

from __future__ import annotations

import numpy as np
import pytest

from bioner_tf.config import ModelConfig
from bioner_tf.corpora.vocabulary import UNKNOWN_ID, Vocabulary
from bioner_tf.sources.words import WordSource

WORDS = Vocabulary(("IL-0", "gene", "The", "äh"))


def encode(words, tokens):
    return WordSource(words, ModelConfig(word_dim=2)).encode_forms(tokens)["word_ids"]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("IL-2", 2),
        ("gene", 3),
        ("GENE", 3),
        ("Gene", 3),
        ("The", 4),
        ("the", UNKNOWN_ID),
        ("il-2", UNKNOWN_ID),
        ("äh", 5),
        ("Äh", UNKNOWN_ID),
        ("nothing", UNKNOWN_ID),
        ("", UNKNOWN_ID),
    ],
)
def test_word_id(token, expected):
    assert encode(WORDS, [token]).tolist() == [expected]


def test_the_exact_form_wins_over_lower_case():
    assert encode(Vocabulary(("the", "The")), ("The", "the", "THE")).tolist() == [3, 2, 2]


@pytest.mark.parametrize("tokens", [["I2a", "", "Gene", "p53"], []])
def test_an_id_for_each_token(tokens):
    ids = encode(WORDS, tokens)
    assert ids.shape == (len(tokens),)
    assert ids.dtype == np.int32
    assert ids.tolist() == [encode(WORDS, [token])[0] for token in tokens]
