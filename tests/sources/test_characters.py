"""Character look-ups in Python."""

from __future__ import annotations

import numpy as np
import pytest

from bioner_tf.config import ModelConfig
from bioner_tf.corpora.vocabulary import PADDING_ID, UNKNOWN_ID, Vocabulary
from bioner_tf.sources.characters import CharacterSource

CHARACTERS = Vocabulary(("0", "2", "I", "a", "é"))
TOKENS = ["I2a", "", "Gene", "p53", "aaaaaa", "😀", "I"]


def encode(tokens, most):
    return CharacterSource(CHARACTERS, ModelConfig(max_characters=most)).encode_forms(tokens)


@pytest.mark.parametrize(
    ("token", "most", "expected"),
    [
        ("I2a", 5, [4, 3, 5]),
        ("0123", 5, [2, UNKNOWN_ID, 3, UNKNOWN_ID]),
        ("A", 5, [UNKNOWN_ID]),
        ("éa", 1, [6]),
        ("e\u0301", 5, [UNKNOWN_ID, UNKNOWN_ID]),
        ("", 5, []),
    ],
    ids=["known", "digits are kept", "case is kept", "cut", "code points", "empty"],
)
def test_character_ids(token, most, expected):
    encoded = encode([token], most)
    assert encoded["char_ids"].tolist() == [expected + [PADDING_ID] * (most - len(expected))]
    assert encoded["char_lengths"].tolist() == [len(expected)]


@pytest.mark.parametrize("most", [1, 4, 64])
def test_a_row_for_each_token(most):
    ids = encode(TOKENS, most)["char_ids"]
    assert ids.dtype == np.int32
    assert ids.shape == (len(TOKENS), most)
    for row, token in zip(ids, TOKENS):
        np.testing.assert_array_equal(row, encode([token], most)["char_ids"][0])


def test_encode_nothing():
    assert encode([], 3)["char_ids"].shape == (0, 3)
