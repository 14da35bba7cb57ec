"""Which auxiliary corpus will help? Indicators from the corpora alone, in seconds, and the ranking.

Source: the paper names as its limitation that nobody can tell before training. These indicators are
ours: they ask whether the auxiliary corpus talks about the same things in the same words, and
whether what it calls an entity is what the main corpus calls one. Types are not compared: the
structures share what the Bi-LSTMs see, not the tags. ``agreement`` adds one that is learned.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.tags import OUTSIDE, to_spans
from bioner_tf.corpora.vocabulary import lower_word, normalise_word
from bioner_tf.experiments.paper.experiments import arrange, corpus_name
from bioner_tf.experiments.reports.collect import Run
from bioner_tf.experiments.reports.groups import default_settings, group_runs

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
        gradients: How far the candidate pulls a shared tagger's weights the main corpus's way (see
            ``agreement``); None where that was not measured.
    """

    words: float
    mentions: float
    labels: float
    contexts: float
    gradients: float | None = None

    def measured(self) -> dict[str, float]:
        """Those that were measured, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def indicators(main: CorpusText, candidate: CorpusText) -> Indicators:
    """Measures how near a candidate is to the main corpus."""
    return Indicators(
        words=_word_similarity(main.train, candidate.train),
        mentions=_new_mentions(main, candidate.train),
        labels=_agreement(main.train, candidate.train, (0,)),
        contexts=_agreement(main.train, candidate.train, (-1, 1)),
    )


def rank(found: Mapping[str, Indicators]) -> dict[str, float]:
    """Scores candidates against each other.

    Args:
        found: The indicators of each, for one main corpus; the same ones measured of all.

    Returns:
        By candidate, best first, the mean over the indicators of how many standard deviations it
        is above the candidates' average; 0 of a single one.
    """
    names = list(found)
    values = np.array([list(found[name].measured().values()) for name in names], np.float64)
    spread = values.std(axis=0)
    deviations = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    scores = dict(zip(names, deviations.mean(axis=1).tolist()))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def describe_mean(values: Sequence[float]) -> str:
    """Writes a mean and its standard error, which a single value has not: ``0.123 ± 0.045``."""
    mean = f"{np.mean(values):.3f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}"


def rank_correlation(values: Sequence[float], others: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties sharing their mean rank; None where it is not defined."""
    if len(values) < 2:
        return None
    ranks = [_ranks(side) for side in (values, others)]
    if any(np.ptp(side) == 0 for side in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, np.float64)
    below = (array[None, :] < array[:, None]).sum(axis=1)
    equal = (array[None, :] == array[:, None]).sum(axis=1)
    return below + (equal - 1) / 2


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
    """How often a token is in an entity, by the word at a place beside it; smoothed."""
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


def measured_scores(runs: Iterable[Run], main: str, candidates: Iterable[str]) -> dict[str, float]:
    """What came out where it was tried: the test F1 of CS-MTM.

    Args:
        runs: The runs of a sweep; of those with different settings the largest set counts.
        main: The main corpus.
        candidates: The auxiliary corpora.

    Returns:
        By candidate the mean F1 over the seeds, a fraction; without those that were not run.
    """
    groups, _ = group_runs(runs)
    arranged = arrange(groups, default_settings())
    if not arranged:
        return {}
    found = {
        name: arranged[0].find("cross_sharing", corpus_name(main), corpus_name(name))
        for name in candidates
    }
    return {name: group.summary("f1").mean for name, group in found.items() if group}
