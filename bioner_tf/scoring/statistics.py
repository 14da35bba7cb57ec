"""How far scores can be trusted: intervals, and tests of whether a difference is more than chance.

Chance enters in two ways. Another test set would give other scores: ``bootstrap_intervals`` and
``paired_randomisation`` vary the sentences and keep the models. Another seed would give another
model: ``welch_test`` compares seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from bioner_tf.corpora.tags import to_spans

METRICS = ("precision", "recall", "f1")

# Numbers of random draws that are held in memory at a time.
_CHUNK = 1 << 22


class Difference(NamedTuple):
    """A difference of a metric between two models, and its p-value."""

    difference: float
    p: float


def sentence_counts(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> np.ndarray:
    """Counts each sentence's entities.

    Args:
        gold: The tags of each sentence.
        predicted: As many sentences of the same lengths.

    Returns:
        int64 (sentences, 3): gold entities, predicted ones, and those that are in both with the
        same span and type; conlleval's reading of ill-formed sequences.

    Raises:
        ValueError: The numbers of sentences differ.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences, but {len(predicted)} predicted ones")
    counts = np.zeros((len(gold), 3), np.int64)
    for row, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted)):
        right, found = set(to_spans(gold_tags)), set(to_spans(predicted_tags))
        counts[row] = len(right), len(found), len(right & found)
    return counts


def rates(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Turns counts into precision, recall and F1.

    Args:
        counts: (..., 3), as of ``sentence_counts``, summed over the sentences.

    Returns:
        By metric float64 (...), fractions in [0, 1]; 0 where there is nothing to divide by.
    """
    support, predicted, correct = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return {
        "precision": _ratio(correct, predicted),
        "recall": _ratio(correct, support),
        "f1": _ratio(2 * correct, predicted + support),
    }


def bootstrap_intervals(
    counts: np.ndarray, samples: int = 1000, seed: int = 1, confidence: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Confidence intervals by the percentile bootstrap over sentences.

    Args:
        counts: (sentences, 3), as of ``sentence_counts``; at least one sentence.
        samples: How many test sets of the same size are drawn, with replacement.
        seed: Seed of the draws.
        confidence: In (0, 1).

    Returns:
        By metric the bounds, fractions in [0, 1].

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Sentences are
        drawn, not entities: the entities of a sentence are not independent.
    """
    return percentile_intervals(bootstrap_totals(counts, samples, seed), confidence)


def bootstrap_totals(counts: np.ndarray, samples: int = 1000, seed: int = 1) -> np.ndarray:
    """Draws test sets of the same size, with replacement, and adds up their counts.

    Args:
        counts: (sentences, ..., 3), or a row for each document; at least one row.
        samples: How many test sets are drawn.
        seed: Seed of the draws.

    Returns:
        float64 (samples, ..., 3).
    """
    generator = np.random.default_rng(seed)
    rows = len(counts)
    totals = []
    for drawn in _chunks(samples, rows):
        chosen = generator.integers(rows, size=(drawn, rows))
        # How often each row was drawn: one matrix product then adds up all the counts.
        chosen += rows * np.arange(drawn)[:, np.newaxis]
        times = np.bincount(chosen.ravel(), minlength=drawn * rows).reshape(drawn, rows)
        totals.append(times.astype(np.float64) @ counts.reshape(rows, -1))
    return np.concatenate(totals).reshape(samples, *counts.shape[1:])


def percentile_intervals(
    totals: np.ndarray, confidence: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Turns the totals of drawn test sets into confidence intervals.

    Args:
        totals: (samples, 3), as of ``bootstrap_totals``.
        confidence: In (0, 1).

    Returns:
        By metric the bounds, fractions in [0, 1].
    """
    tail = (1 - confidence) / 2
    return {
        metric: (float(np.quantile(values, tail)), float(np.quantile(values, 1 - tail)))
        for metric, values in rates(totals).items()
    }


def sum_by_document(counts: np.ndarray, documents: Sequence[int]) -> np.ndarray:
    """Adds up the counts of the sentences of each document.

    Args:
        counts: (sentences, ...).
        documents: The index of the first sentence of each document, ascending from 0.

    Returns:
        (documents, ...).
    """
    return np.add.reduceat(counts, np.asarray(documents), axis=0)


def paired_randomisation(
    counts: np.ndarray, others: np.ndarray, trials: int = 10_000, seed: int = 1
) -> dict[str, Difference]:
    """Tests whether two models differ on the same sentences, by approximate randomisation.

    If the models were equally good, it would not matter which answer to a sentence comes from
    which model. So answers are swapped at random: how often is the difference at least as large?

    Args:
        counts: int (sentences, 3) of one model, as of ``sentence_counts``.
        others: The same of the other model, on the same sentences.
        trials: How many random swaps are tried.
        seed: Seed of the swaps.

    Returns:
        By metric the difference (the first model's value minus the other's) and its two-sided
        p-value, never 0: the swap that changes nothing counts, too.

    Raises:
        ValueError: The numbers of sentences differ.

    Source:
        Noreen, Computer-Intensive Methods for Testing Hypotheses (1989); Yeh, More accurate tests
        for the statistical significance of result differences (COLING 2000).
    """
    if counts.shape != others.shape:
        raise ValueError(f"{len(counts)} sentences of one model, but {len(others)} of the other")
    generator = np.random.default_rng(seed)
    observed = _differences(counts.sum(axis=0), others.sum(axis=0))
    changes = others - counts
    # A sentence with the same counts makes no difference when it is swapped.
    changes = changes[np.any(changes != 0, axis=1)]
    reached = dict.fromkeys(METRICS, 0)
    for rows in _chunks(trials, len(changes)):
        swapped = generator.random((rows, len(changes))) < 0.5
        moved = swapped.astype(np.float64) @ changes
        drawn = _differences(counts.sum(axis=0) + moved, others.sum(axis=0) - moved)
        for metric in METRICS:
            # Rounding must not turn an equal difference into a smaller one.
            enough = np.abs(drawn[metric]) >= abs(observed[metric]) - 1e-12
            reached[metric] += int(np.count_nonzero(enough))
    return {
        metric: Difference(float(observed[metric]), (reached[metric] + 1) / (trials + 1))
        for metric in METRICS
    }


def welch_test(values: Sequence[float], others: Sequence[float]) -> Difference | None:
    """Tests whether two sets of independent numbers have different means.

    Args:
        values: One number a seed.
        others: Another setting's, as many or not.

    Returns:
        The difference of the means and its two-sided p-value; None where a side has fewer than two
        numbers, or none of them varies.

    Source:
        Welch, Biometrika 34 (1947): Student's t without the assumption of equal variances.
    """
    if min(len(values), len(others)) < 2 or np.ptp(values) == np.ptp(others) == 0:
        return None
    difference = float(np.mean(values) - np.mean(others))
    # From the moments: ``ttest_ind`` warns where one side does not vary.
    moments = [(np.mean(side), np.std(side, ddof=1), len(side)) for side in (values, others)]
    test = stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False)
    return Difference(difference, float(test.pvalue))


def rank_correlation(values: Sequence[float], others: Sequence[float]) -> float | None:
    """Returns Spearman's rank correlation; None where it is not defined.

    It is not defined for fewer than two pairs, or where all numbers of one side are equal.
    """
    if len(values) < 2 or 0 in (np.ptp(values), np.ptp(others)):
        return None
    return float(stats.spearmanr(values, others).statistic)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusts p-values for multiple tests.

    Args:
        p_values: The p-values, by any names.

    Returns:
        By the same names, Holm's adjusted values: one of at most 0.05 is significant at the level
        of 5 % for all of them together.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for rank, (name, p) in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - rank) * p))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def _differences(counts: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
    ours, theirs = rates(counts), rates(others)
    return {metric: ours[metric] - theirs[metric] for metric in METRICS}


def _chunks(total: int, width: int) -> list[int]:
    """Splits ``total`` rows of ``width`` numbers into parts that fit into memory."""
    rows = max(1, _CHUNK // max(1, width))
    return [min(rows, total - start) for start in range(0, total, rows)]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
