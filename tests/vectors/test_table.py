"""The word table: its initial values, and how many words have a vector."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bioner_tf.corpora.vocabulary import Vocabulary, build_words
from bioner_tf.errors import BionerError
from bioner_tf.vectors.table import Coverage, Share, build_embedding_table, measure_coverage
from bioner_tf.vectors.word_vectors import WordVectors

VOCABULARY = Vocabulary(("The", "nothing", "p00", "IL-0", "THE"))


def test_table_without_vectors():
    table, _ = build_embedding_table(VOCABULARY, None, dim=300, seed=3)
    assert table.shape == (7, 300)
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table[0], 0)
    # Uniform in ±sqrt(3/300) = ±0.1: standard deviation 0.1/sqrt(3), extremes near the bound.
    drawn = table[1:]
    assert 0.099 < drawn.max() <= 0.1
    assert -0.1 <= drawn.min() < -0.099
    assert drawn.mean() == pytest.approx(0, abs=0.004)
    assert drawn.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.03)
    assert len(np.unique(drawn)) > 0.99 * drawn.size


def test_table_with_vectors(vectors):
    table, _ = build_embedding_table(VOCABULARY, vectors, dim=2, seed=3)
    chance, _ = build_embedding_table(VOCABULARY, None, dim=2, seed=3)
    np.testing.assert_array_equal(table[[2, 4, 5, 6]], vectors.matrix[[0, 2, 4, 1]])
    np.testing.assert_array_equal(table[[0, 1, 3]], chance[[0, 1, 3]])
    assert np.abs(chance).max() <= math.sqrt(3 / 2)


def test_table_depends_on_the_seed():
    tables = [build_embedding_table(VOCABULARY, None, dim=4, seed=seed)[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(tables[0], tables[1])
    assert not np.isin(tables[0][1:], tables[2][1:]).any()


def test_table_is_a_copy(vectors):
    before = vectors.matrix.copy()
    table, _ = build_embedding_table(VOCABULARY, vectors, dim=2, seed=3)
    table += 1
    np.testing.assert_array_equal(vectors.matrix, before)


def test_table_of_an_empty_vocabulary(vectors):
    table, coverage = build_embedding_table(Vocabulary(()), vectors, dim=2, seed=3)
    assert table.shape == (2, 2)
    assert coverage.to_json()["vocabulary"]["tokens"]["exact"] == 0.0


def test_table_refuses_another_dimension(vectors):
    with pytest.raises(BionerError, match="expected word vectors of 200 numbers, got 2"):
        build_embedding_table(VOCABULARY, vectors, dim=200, seed=3)


COUNTS = {
    "One": {"The": 3, "THE": 1, "p00": 2, "odd": 4},
    "Two": {"p00": 1},
}


def test_coverage(vectors):
    coverage = measure_coverage(vectors, COUNTS)
    assert coverage.corpora["One"].tokens == Share(exact=3, lower=3, none=4)
    assert coverage.corpora["One"].forms == Share(exact=2, lower=1, none=1)
    assert coverage.to_json() == {
        "One": {
            "tokens": {"total": 10, "exact": 0.3, "lower": 0.3, "none": 0.4},
            "types": {"total": 4, "exact": 0.5, "lower": 0.25, "none": 0.25},
        },
        "Two": {
            "tokens": {"total": 1, "exact": 1.0, "lower": 0.0, "none": 0.0},
            "types": {"total": 1, "exact": 1.0, "lower": 0.0, "none": 0.0},
        },
    }
    assert str(coverage).split("\n") == [
        "One: 10 tokens, 30.0% found exactly, 30.0% by lower case, 40.0% not at all; "
        "4 types, 50.0% found exactly, 25.0% by lower case, 25.0% not at all",
        "Two: 1 tokens, 100.0% found exactly, 0.0% by lower case, 0.0% not at all; "
        "1 types, 100.0% found exactly, 0.0% by lower case, 0.0% not at all",
    ]


def test_coverage_without_vectors():
    assert measure_coverage(None, COUNTS).corpora["One"].tokens == Share(0, 0, 10)
    assert measure_coverage(None, {}) == Coverage({})


def test_table_reports_coverage(vectors):
    assert build_embedding_table(VOCABULARY, vectors, 2, 3, COUNTS)[1] == measure_coverage(
        vectors, COUNTS
    )
    of_vocabulary = build_embedding_table(VOCABULARY, vectors, 2, 3)[1].corpora["vocabulary"]
    assert of_vocabulary.tokens == of_vocabulary.forms == Share(exact=2, lower=2, none=1)


def test_words_of_the_vectors_get_their_vectors():
    vectors = WordVectors(
        ("the", "Gene", "1990", "β-cat"), np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    )
    words = build_words([("gene", "The")], vectors.words, max_vector_words=3)
    assert words.entries == ("gene", "The", "the", "Gene", "0000")
    table, _ = build_embedding_table(words, vectors, dim=3, seed=0)
    np.testing.assert_array_equal(table[3:], vectors.matrix[[0, 0, 1, 2]])
