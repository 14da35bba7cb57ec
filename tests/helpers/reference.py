"""Brute-force oracles: everything by enumeration of all tag sequences, in NumPy float64.

Nothing here is clever, so that it can be read and believed: a CRF over ``K`` tags and ``T`` tokens
has ``K ** T`` sequences, and each oracle looks at every one of them.

``potentials`` are float (T, K, K) of ONE sentence without padding (``potentials[t, i, j]``: tag
``j`` at ``t`` after tag ``i``; row 0 at ``t = 0``); ``legal`` is a predicate on a tuple of tag ids.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bioner_tf.corpora.corpus import TOKEN

TagIds = tuple
Predicate = Callable[[TagIds], bool]


class Distribution(NamedTuple):
    """All tag sequences of one sentence that are allowed, and the probability of each."""

    sequences: np.ndarray  # int (sequences, T)
    probabilities: np.ndarray  # float64 (sequences,)
    log_partition: float


def everything_is_legal(_: TagIds) -> bool:
    """The predicate of an unrestricted CRF."""
    return True


def legal_by_tables(
    starts: Sequence[bool], transitions: Sequence[Sequence[bool]], ends: Sequence[bool]
) -> Predicate:
    """Returns the predicate of three tables of legal tags."""

    def legal(sequence: TagIds) -> bool:
        pairs = zip(sequence, sequence[1:])
        return bool(
            starts[sequence[0]] and ends[sequence[-1]] and all(transitions[i][j] for i, j in pairs)
        )

    return legal


def score(potentials: np.ndarray, sequence: Sequence[int]) -> float:
    """The sum of a sequence's potentials."""
    previous = (0, *sequence)
    return float(sum(potentials[t, previous[t], tag] for t, tag in enumerate(sequence)))


def enumerate_sequences(
    potentials: np.ndarray, legal: Predicate = everything_is_legal
) -> Distribution:
    """Scores every allowed sequence; all other oracles read the result."""
    potentials = np.asarray(potentials, np.float64)
    time, num_tags, _ = potentials.shape
    sequences = [s for s in itertools.product(range(num_tags), repeat=time) if legal(s)]
    scores = np.array([score(potentials, s) for s in sequences])
    log_partition = scores.max() + np.log(np.exp(scores - scores.max()).sum())
    return Distribution(np.array(sequences), np.exp(scores - log_partition), float(log_partition))


def best_sequence(distribution: Distribution) -> list[int]:
    """The most probable sequence."""
    return distribution.sequences[np.argmax(distribution.probabilities)].tolist()


def token_marginals(distribution: Distribution, num_tags: int) -> np.ndarray:
    """float64 (T, num_tags): the probability of every tag at every token."""
    return np.stack(
        [distribution.probabilities @ (distribution.sequences == tag) for tag in range(num_tags)],
        axis=1,
    )


def span_marginal(
    distribution: Distribution, tags: Sequence[str], start: int, end: int, entity_type: str
) -> float:
    """The probability that exactly ``[start, end)`` is an entity of ``entity_type``.

    Reads each (legal) sequence's entities off its tag strings, on its own, without the package.
    """
    holds = [
        (start, end, entity_type) in entities([tags[i] for i in sequence])
        for sequence in distribution.sequences
    ]
    return float(distribution.probabilities @ np.array(holds, np.float64))


def entities(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """The entities of a legal IOB2 or IOBES sequence as (start, end, type), half-open."""
    found = []
    for start, tag in enumerate(tags):
        if tag[0] in "BS":
            end = start + 1
            while end < len(tags) and tags[end][0] in "IE":
                end += 1
            found.append((start, end, tag[2:]))
    return found


def tokenise(text: bytes) -> list[tuple[int, int, str]]:
    """Tokens of a text as (start, end, form): offsets in code points of the decoded text."""
    decoded = text.decode("utf-8", "replace")
    return [(m.start(), m.end(), m.group()) for m in TOKEN.finditer(decoded)]
