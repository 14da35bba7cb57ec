"""Relaxed scores of entities: credit for the right place or the right type alone (MUC, SemEval).

A predicted entity and a gold entity that share a token can be paired; each takes part in at most
one pair. What a pair counts depends on the measure:

=========  ===========================================================================
measure    a pair counts
=========  ===========================================================================
strict     1 if the boundaries and the type are right; the headline of every report
exact      1 if the boundaries are right, whatever the type
partial    1 if the boundaries are right, 0.5 if they are not; whatever the type
type       1 if the type is right, whatever the boundaries
=========  ===========================================================================

Precision divides the sum by the predicted entities, recall by the gold entities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Optional

import numpy as np
import numpy.typing as npt

from bioner_tf.corpora.tags import Span, to_spans

MEASURES = ("strict", "exact", "partial", "type")

# Gold entities that overlap a predicted entity, and the predicted entity -> which of them to pair
# it with, and what the pair counts.
_Choose = Callable[[Sequence[Span], Span], tuple[Optional[Span], float]]


def relaxed_counts(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    measure: str,
    entity_type: str | None = None,
) -> npt.NDArray[np.float64]:
    """Counts each sentence's entities by one of the measures.

    Args:
        gold: The tags of each sentence.
        predicted: As many sentences of the same lengths.
        measure: One of ``MEASURES``.
        entity_type: Look at the entities of this type only, gold and predicted; None: at all.

    Returns:
        float64 (sentences, 3): gold entities, predicted ones and what the pairs count; see
        ``statistics.rates``, which turns it into precision, recall and F1.

    Raises:
        ValueError: The numbers of sentences differ.

    Source:
        Segura-Bedmar et al., SemEval-2013 Task 9.1, after the MUC-5 evaluation (Chinchor and
        Sundheim, 1993). Neither says which of several overlapping entities are a pair. Like
        nervaluate, we take the predicted entities in text order. Each takes the gold entity that
        counts 1 (for ``type`` the one whose boundaries are nearest), else the first one that is
        left. Unlike nervaluate, one shared token is always an overlap, however long the entity.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences, but {len(predicted)} predicted ones")
    choose = _CHOICES[measure]
    counts = np.zeros((len(gold), 3))
    for row, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted)):
        right, found = (
            [s for s in to_spans(tags) if entity_type in (None, s.type)]
            for tags in (gold_tags, predicted_tags)
        )
        counts[row] = len(right), len(found), _sum_pairs(right, found, choose)
    return counts


def _sum_pairs(gold: Sequence[Span], predicted: Sequence[Span], choose: _Choose) -> float:
    total = 0.0
    left = list(gold)
    for span in predicted:
        overlapping = [g for g in left if g.start < span.end and span.start < g.end]
        partner, counted = choose(overlapping, span)
        if partner is not None:
            left.remove(partner)
            total += counted
    return total


def _by_boundaries(same_type: bool, otherwise: float) -> _Choose:
    """Pairs entities of the same boundaries, and others at the worth of ``otherwise``."""

    def choose(overlapping: Sequence[Span], span: Span) -> tuple[Span | None, float]:
        for gold in overlapping:
            if gold[:2] == span[:2] and (gold.type == span.type or not same_type):
                return gold, 1.0
        return next(iter(overlapping), None), otherwise

    return choose


def _by_type(overlapping: Sequence[Span], span: Span) -> tuple[Span | None, float]:
    same = [gold for gold in overlapping if gold.type == span.type]
    if same:
        distances = [abs(gold.start - span.start) + abs(gold.end - span.end) for gold in same]
        return same[distances.index(min(distances))], 1.0
    return next(iter(overlapping), None), 0.0


_CHOICES: dict[str, _Choose] = {
    "strict": _by_boundaries(same_type=True, otherwise=0.0),
    "exact": _by_boundaries(same_type=False, otherwise=0.0),
    "partial": _by_boundaries(same_type=False, otherwise=0.5),
    "type": _by_type,
}
