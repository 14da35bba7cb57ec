"""Merges entities one by one, as the contract words it: slow, plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Found(NamedTuple):
    """An entity of one text; ``corpus`` is the corpus's number."""

    start: int
    end: int
    type: str
    score: float
    corpus: int


def merge(
    candidates: Sequence[Found],
    names: dict[tuple[int, str], str],
    min_score: float,
    overlaps: str,
) -> list[Found]:
    """The merged answer.

    Args:
        candidates: The entities of one text, in any order.
        names: The new name of a type of a corpus, by both; "" drops the type.
        min_score: The least score.
        overlaps: "score", "longest", "corpus" or "all".
    """
    renamed = [e._replace(type=names.get((e.corpus, e.type), e.type)) for e in candidates]
    left = [e for e in renamed if e.type and e.score >= min_score]
    kept: list[Found] = []
    while left:
        first = left[0]
        for other in left:
            if comes_before(other, first, overlaps):
                first = other
        kept.append(first)
        if overlaps == "all":
            gone = [e for e in left if e[:3] == first[:3]]
        else:
            gone = [e for e in left if e.start < first.end and first.start < e.end]
        left = [e for e in left if e not in gone]
    return sorted(kept, key=lambda e: (e.start, e.end, e.corpus))


def comes_before(one: Found, other: Found, overlaps: str) -> bool:
    """Whether ``one`` is looked at before ``other``."""
    lengths = (one.end - one.start, other.end - other.start)
    if overlaps == "longest" and lengths[0] != lengths[1]:
        return lengths[0] > lengths[1]
    if overlaps != "corpus" and one.score != other.score:
        return one.score > other.score
    if overlaps != "corpus" and lengths[0] != lengths[1]:
        return lengths[0] > lengths[1]
    return one.corpus < other.corpus
