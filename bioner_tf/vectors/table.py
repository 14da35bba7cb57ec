"""The initial values of the word embedding, and how many words of a corpus have a vector."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bioner_tf.corpora.vocabulary import FIRST_ID, PADDING_ID, Vocabulary
from bioner_tf.errors import BionerError
from bioner_tf.vectors.word_vectors import FloatArray, WordVectors


@dataclasses.dataclass(frozen=True)
class Share:
    """How much of something has a vector: counts that add up to the total.

    Attributes:
        exact: Found by the normalised form.
        lower: Found by its lower-case form only.
        none: Not found.
    """

    exact: int
    lower: int
    none: int

    @property
    def total(self) -> int:
        """The sum of all counts."""
        return self.exact + self.lower + self.none

    def to_json(self) -> dict[str, Any]:
        """Returns the total and the shares, fractions in [0, 1]; 0 if the total is 0."""
        total = self.total
        shares = {
            name: count / total if total else 0.0
            for name, count in dataclasses.asdict(self).items()
        }
        return {"total": total, **shares}


@dataclasses.dataclass(frozen=True)
class CorpusCoverage:
    """How much of a corpus has a vector.

    Attributes:
        tokens: Counted in occurrences.
        forms: Counted in distinct normalised forms.
    """

    tokens: Share
    forms: Share

    def to_json(self) -> dict[str, Any]:
        """Returns both shares."""
        return {"tokens": self.tokens.to_json(), "types": self.forms.to_json()}


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How much of each corpus has a vector, by the corpus's name."""

    corpora: Mapping[str, CorpusCoverage]

    def to_json(self) -> dict[str, Any]:
        """Returns the shares of each corpus."""
        return {name: coverage.to_json() for name, coverage in self.corpora.items()}

    def __str__(self) -> str:
        return "\n".join(
            f"{name}: {_describe('tokens', coverage.tokens)}; {_describe('types', coverage.forms)}"
            for name, coverage in self.corpora.items()
        )


def build_embedding_table(
    vocabulary: Vocabulary,
    vectors: WordVectors | None,
    dim: int,
    seed: int,
    form_counts: Mapping[str, Mapping[str, int]] | None = None,
) -> tuple[FloatArray, Coverage]:
    """Builds the initial values of the word embedding.

    Args:
        vocabulary: The words.
        vectors: Pretrained vectors; ``None``: all rows are random.
        dim: Numbers in a vector, at least 1.
        seed: 0 or more; the row of a word without vector depends on it and on the row's number.
        form_counts: By corpus, the occurrences of each normalised form, for the coverage report;
            ``None`` reports on the vocabulary instead, each word counted once.

    Returns:
        float32 (len(vocabulary) + 2, dim), and the coverage of each corpus. The row of padding is
        zero. Rows of words with a vector (of their normalised form, else of its lower-case form)
        hold that vector; the others are uniform in ±sqrt(3/dim).

    Raises:
        BionerError: If the vectors are of another dimension.

    Source:
        What the paper's authors' program does.
    """
    if vectors is not None and vectors.dim != dim:
        raise BionerError(
            f"expected word vectors of {dim} numbers, got {vectors.dim}; "
            "name other vectors or another dimension"
        )
    bound = np.float32(math.sqrt(3 / dim))
    # In place and in float32: the table of a large vocabulary is the largest thing in memory.
    table = np.random.default_rng(seed).random((len(vocabulary) + FIRST_ID, dim), dtype=np.float32)
    table *= 2 * bound
    table -= bound
    table[PADDING_ID] = 0
    if vectors is not None:
        found = {
            position + FIRST_ID: row
            for position, entry in enumerate(vocabulary.entries)
            for _, row in [vectors.find(entry)]
            if row is not None
        }
        table[list(found)] = vectors.matrix[list(found.values())]
    if form_counts is None:
        form_counts = {"vocabulary": dict.fromkeys(vocabulary.entries, 1)}
    return table, measure_coverage(vectors, form_counts)


def measure_coverage(
    vectors: WordVectors | None, form_counts: Mapping[str, Mapping[str, int]]
) -> Coverage:
    """Counts how much of each corpus has a vector.

    Args:
        vectors: ``None``: there are none.
        form_counts: By corpus, the occurrences of each normalised form.

    Returns:
        The coverage of each corpus.
    """
    return Coverage(
        {name: _coverage_of_corpus(vectors, counts) for name, counts in form_counts.items()}
    )


def _coverage_of_corpus(vectors: WordVectors | None, counts: Mapping[str, int]) -> CorpusCoverage:
    tokens = dict.fromkeys(("exact", "lower", "none"), 0)
    forms = dict(tokens)
    for form, count in counts.items():
        how = vectors.find(form)[0] if vectors is not None else None
        tokens[how or "none"] += count
        forms[how or "none"] += 1
    return CorpusCoverage(Share(**tokens), Share(**forms))


def _describe(what: str, share: Share) -> str:
    fractions = share.to_json()
    return (
        f"{share.total} {what}, {fractions['exact']:.1%} found exactly, {fractions['lower']:.1%} "
        f"by lower case, {fractions['none']:.1%} not at all"
    )
