"""Indicators of how well an auxiliary corpus fits a main one, from the corpora alone, in seconds.

Source: the paper names as its limitation that nobody can tell before training. These indicators are
ours: they ask whether the auxiliary corpus talks about the same things in the same words, and
whether what it calls an entity is what the main corpus calls one. Types are not compared: the
structures share what the Bi-LSTMs see, not the tags.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.tags import OUTSIDE, to_spans
from bioner_tf.corpora.vocabulary import lower_word, normalise_word

# A word that was seen this often counts half by what was seen and half by the average.
_SMOOTHING = 2.0
_BORDER = ""


@dataclasses.dataclass(frozen=True)
class CorpusText:
    """The training and the held-out sentences of a corpus."""

    train: Sequence[Sentence]
    devel: Sequence[Sentence]


@dataclasses.dataclass(frozen=True)
class Indicators:
    """What speaks for an auxiliary corpus; all in [-1, 1], more is better.

    Attributes:
        words: 1 minus the Jensen-Shannon divergence (in bits) of the words of both texts.
        mentions: The share of the main corpus's held-out mentions, of those that its own training
            text does not have, that are entities in the auxiliary corpus.
        labels: The correlation, over the main corpus's tokens, of being in an entity with how
            often the auxiliary corpus has that word in an entity.
        contexts: The same of the words before and behind.
    """

    words: float
    mentions: float
    labels: float
    contexts: float


def indicators(main: CorpusText, candidate: CorpusText) -> Indicators:
    """Measures how near a candidate is to the main corpus."""
    return Indicators(
        words=_word_similarity(main.train, candidate.train),
        mentions=_new_mentions(main, candidate.train),
        labels=_agreement(main.train, candidate.train, (0,)),
        contexts=_agreement(main.train, candidate.train, (-1, 1)),
    )


@functools.cache
def _word(token: str) -> str:
    return lower_word(normalise_word(token))


def _word_similarity(main: Sequence[Sentence], candidate: Sequence[Sentence]) -> float:
    counts = [
        collections.Counter(_word(token) for s in sentences for token in s.tokens)
        for sentences in (main, candidate)
    ]
    words = list(set(counts[0]) | set(counts[1]))
    p, q = (np.array([count[word] for word in words], np.float64) for count in counts)
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = sum(
        float(np.sum(side[side > 0] * np.log2(side[side > 0] / middle[side > 0]))) / 2
        for side in (p, q)
    )
    return 1 - divergence


def _mentions(sentences: Iterable[Sentence]) -> list[tuple[str, ...]]:
    return [
        tuple(_word(token) for token in s.tokens[span.start : span.end])
        for s in sentences
        for span in to_spans(s.tags)
    ]


def _new_mentions(main: CorpusText, candidate: Sequence[Sentence]) -> float:
    known = set(_mentions(main.train))
    unknown = [mention for mention in _mentions(main.devel) if mention not in known]
    theirs = set(_mentions(candidate))
    return sum(mention in theirs for mention in unknown) / max(1, len(unknown))


def _agreement(
    main: Sequence[Sentence], candidate: Sequence[Sentence], places: Sequence[int]
) -> float:
    """The correlation of the main corpus's labels with the candidate's view of nearby words."""
    views = [_entity_rates(candidate, place) for place in places]
    labels: list[float] = []
    expected: list[float] = []
    for sentence in main:
        for at, tag in enumerate(sentence.tags):
            labels.append(float(tag != OUTSIDE))
            expected.append(
                sum(view(_neighbour(sentence.tokens, at + p)) for view, p in zip(views, places))
            )
    if np.ptp(labels) == 0 or np.ptp(expected) == 0:
        return 0.0
    return float(np.corrcoef(labels, expected)[0, 1])


def _entity_rates(sentences: Sequence[Sentence], place: int) -> Callable[[str], float]:
    """Returns the smoothed rate at which tokens are in an entity, by the word beside them."""
    seen: collections.Counter[str] = collections.Counter()
    inside: collections.Counter[str] = collections.Counter()
    for sentence in sentences:
        for at, tag in enumerate(sentence.tags):
            word = _neighbour(sentence.tokens, at + place)
            seen[word] += 1
            inside[word] += tag != OUTSIDE
    average = sum(inside.values()) / max(1, sum(seen.values()))

    rates = {
        word: (inside[word] + _SMOOTHING * average) / (count + _SMOOTHING)
        for word, count in seen.items()
    }
    return lambda word: rates.get(word, average)


def _neighbour(tokens: Sequence[str], at: int) -> str:
    return _word(tokens[at]) if 0 <= at < len(tokens) else _BORDER
