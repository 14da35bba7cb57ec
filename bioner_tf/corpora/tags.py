"""The tag schemes IOB2 and IOBES as tables: legal tag sequences, and tags to spans and back.

Only this module knows what a prefix means; the rest of the package uses spans, or boolean tables
over a list of tags.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

OUTSIDE = "O"

BoolArray = npt.NDArray[np.bool_]


class Span(NamedTuple):
    """An entity: the tokens from ``start`` up to but not including ``end``, and its type."""

    start: int
    end: int
    type: str


class LegalTags(NamedTuple):
    """What ``legal_starts``, ``legal_transitions`` and ``legal_ends`` say of a corpus's tags."""

    starts: BoolArray
    transitions: BoolArray
    ends: BoolArray


class _Successors(NamedTuple):
    """The prefixes that may follow a prefix: with any type, and with the same type only."""

    any_type: str
    same_type: str


# A sequence starts as if an O stood before it, and may end wherever an O may follow.
_SUCCESSORS = {
    "IOB2": {
        "O": _Successors("OB", ""),
        "B": _Successors("OB", "I"),
        "I": _Successors("OB", "I"),
    },
    "IOBES": {
        "O": _Successors("OBS", ""),
        "B": _Successors("", "IE"),
        "I": _Successors("", "IE"),
        "E": _Successors("OBS", ""),
        "S": _Successors("OBS", ""),
    },
}

# How an entity of one token is tagged, and the first, inner and last tokens of a longer one.
_SPELLING = {"IOB2": ("B", "B", "I", "I"), "IOBES": ("S", "B", "I", "E")}

_ENTITY_PREFIXES = frozenset("BIES")
_IOBES_ONLY = frozenset("ES")
_BEGINNING = frozenset("BS")
_CONTINUING = frozenset("IE")


@functools.lru_cache(maxsize=4096)
def split_tag(tag: str) -> tuple[str, str]:
    """Splits a tag into its prefix and its entity type.

    Args:
        tag: ``"O"``, or one of ``B``, ``I``, ``E``, ``S``, a hyphen and a type.

    Returns:
        ``("O", "")`` for ``"O"``; ``("B", "x-y")`` for ``"B-x-y"``.

    Raises:
        ValueError: For anything else.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, hyphen, entity_type = tag.partition("-")
    if prefix not in _ENTITY_PREFIXES or not hyphen or not entity_type:
        raise ValueError(
            f'expected "O" or a tag like "B-Gene" (B, I, E or S before the hyphen), got {tag!r}'
        )
    return prefix, entity_type


def scheme_of(tags: Iterable[str]) -> str:
    """Names the scheme of ``tags``: ``"IOBES"`` if an E- or S- occurs, else ``"IOB2"``."""
    return "IOBES" if any(split_tag(tag)[0] in _IOBES_ONLY for tag in set(tags)) else "IOB2"


def to_spans(tags: Iterable[str]) -> list[Span]:
    """Reads the entities of a tag sequence, well-formed or not, as conlleval does.

    An entity begins at B- and S-, wherever the type changes, and at any entity tag after O, E- or
    S-. It ends before the next token that begins an entity or is O.

    Args:
        tags: The tags of one sentence, of either scheme; may be empty.

    Returns:
        The entities in text order; they do not overlap.

    Raises:
        ValueError: If something is not a tag.

    Source:
        conlleval's rules for B- and I-. The original joins two entities of one type at E- B-, and
        does not know S-; here, as in its later ports, E- and S- always end an entity.
    """
    spans = []
    start = 0
    open_type = ""  # the type of the entity that is being read; "" outside
    previous = OUTSIDE
    position = -1
    for position, tag in enumerate(tags):
        if tag == OUTSIDE:
            if open_type:
                spans.append(Span(start, position, open_type))
                open_type = ""
            previous = OUTSIDE
            continue
        prefix, entity_type = split_tag(tag)
        if prefix in _BEGINNING or previous in _IOBES_ONLY or entity_type != open_type:
            if open_type:
                spans.append(Span(start, position, open_type))
            start, open_type = position, entity_type
        previous = prefix
    if open_type:
        spans.append(Span(start, position + 1, open_type))
    return spans


def from_spans(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Writes spans as tags.

    Args:
        spans: Entities in any order, not empty, not overlapping, within the sentence.
        length: Tokens of the sentence, 0 or more.
        scheme: ``"IOB2"`` or ``"IOBES"``.

    Returns:
        ``length`` tags, a legal sequence.

    Raises:
        ValueError: If a span is empty, reaches outside the sentence or overlaps another.
    """
    single, first, inner, last = _SPELLING[scheme]
    tags = [OUTSIDE] * length
    for span in spans:
        start, end, entity_type = span
        if not 0 <= start < end <= length:
            raise ValueError(f"{span} does not lie within a sentence of {length} tokens")
        if any(tag != OUTSIDE for tag in tags[start:end]):
            raise ValueError(f"{span} overlaps another span")
        if end - start == 1:
            tags[start] = f"{single}-{entity_type}"
            continue
        tags[start] = f"{first}-{entity_type}"
        tags[start + 1 : end - 1] = [f"{inner}-{entity_type}"] * (end - start - 2)
        tags[end - 1] = f"{last}-{entity_type}"
    return tags


def repair(tags: Sequence[str], scheme: str) -> tuple[list[str], int]:
    """Makes a tag sequence legal without changing the entities that conlleval reads in it.

    So an I-X without its B-X becomes B-X; in IOBES a B-X that nothing continues becomes S-X, the
    last I-X of an entity becomes E-X, and so on.

    Args:
        tags: The tags of one sentence; may be empty.
        scheme: ``"IOB2"`` or ``"IOBES"``, the scheme of the result.

    Returns:
        The legal sequence, and the number of tags that had to change (0 for a legal sequence).

    Raises:
        ValueError: If something is not a tag.
    """
    repaired = from_spans(to_spans(tags), len(tags), scheme)
    return repaired, sum(old != new for old, new in zip(tags, repaired))


def legal_starts(tags: Sequence[str]) -> BoolArray:
    """Tells which of ``tags`` may start a sentence.

    Args:
        tags: The K distinct tags of a corpus; they also tell the scheme.

    Returns:
        bool (K,).
    """
    return _legal_between([OUTSIDE], tags, scheme_of(tags))[0]


def legal_transitions(tags: Sequence[str]) -> BoolArray:
    """Tells which of ``tags`` may follow which.

    Args:
        tags: The K distinct tags of a corpus; they also show the scheme.

    Returns:
        bool (K, K), indexed ``[from, to]``.
    """
    return _legal_between(tags, tags, scheme_of(tags))


def legal_ends(tags: Sequence[str]) -> BoolArray:
    """Tells which of ``tags`` may end a sentence.

    Args:
        tags: The K distinct tags of a corpus; they also tell the scheme.

    Returns:
        bool (K,).
    """
    return _legal_between(tags, [OUTSIDE], scheme_of(tags))[:, 0]


def legal_tags(tags: Sequence[str]) -> LegalTags:
    """Tells which sequences of ``tags`` are legal."""
    return LegalTags(legal_starts(tags), legal_transitions(tags), legal_ends(tags))


def begins_entity(tags: Sequence[str]) -> BoolArray:
    """Tells which of ``tags`` begin an entity (B and S): bool (K,)."""
    return np.array([split_tag(tag)[0] in _BEGINNING for tag in tags], dtype=np.bool_)


def continues_entity(tags: Sequence[str]) -> BoolArray:
    """Tells which of ``tags`` continue an entity (I and E): bool (K,)."""
    return np.array([split_tag(tag)[0] in _CONTINUING for tag in tags], dtype=np.bool_)


def types_of(tags: Sequence[str]) -> list[str]:
    """Returns the entity type of each of ``tags``; ``""`` for O."""
    return [split_tag(tag)[1] for tag in tags]


def _legal_between(sources: Sequence[str], targets: Sequence[str], scheme: str) -> BoolArray:
    """Returns bool (len(sources), len(targets)): may the target follow the source?"""
    table = np.zeros((len(sources), len(targets)), dtype=np.bool_)
    for row, source in enumerate(sources):
        source_prefix, source_type = split_tag(source)
        successors = _SUCCESSORS[scheme][source_prefix]
        for column, target in enumerate(targets):
            target_prefix, target_type = split_tag(target)
            table[row, column] = target_prefix in successors.any_type or (
                target_prefix in successors.same_type and target_type == source_type
            )
    return table
