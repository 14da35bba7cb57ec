"""Word look-ups in Python."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

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


def test_the_graph_looks_up_what_python_looks_up(tmp_path):
    # The first entry is number 0: found, and no reason to try the lower case.
    source = WordSource(Vocabulary(("The", "the", "gene", "IL-0")), ModelConfig(word_dim=2))
    source.save(tmp_path)
    tokens = ["The", "the", "THE", "Gene", "IL-7", "il-7", "nothing"]
    form_ids = np.array([[1, 2, 3, 4], [5, 6, 7, 0]], np.int32)
    found = source.graph_encoder(tmp_path)(tf.constant(tokens), tf.constant(form_ids))["word_ids"]
    forms = {"word_ids": np.array([0, *source.encode_forms(tokens)["word_ids"]], np.int32)}
    expected = source.make_batch(forms, form_ids)["word_ids"]
    assert expected.tolist() == [[2, 3, 3, 4], [5, UNKNOWN_ID, UNKNOWN_ID, 0]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("tokens", [["I2a", "", "Gene", "p53"], []])
def test_an_id_for_each_token(tokens):
    ids = encode(WORDS, tokens)
    assert ids.shape == (len(tokens),)
    assert ids.dtype == np.int32
    assert ids.tolist() == [encode(WORDS, [token])[0] for token in tokens]
