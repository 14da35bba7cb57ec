"""The annotation of a text: its entities."""

from __future__ import annotations

from typing import NamedTuple


class Entity(NamedTuple):
    """An entity in a text.

    Attributes:
        start: The offset of its first character in the text, in code points.
        end: The offset after its last character.
        type: Its type.
        text: ``text[start:end]``.
        score: The probability that exactly this span is an entity of this type, in [0, 1].
        corpus: The corpus whose idea of an entity it is; "" where that is not known.
    """

    start: int
    end: int
    type: str
    text: str
    score: float
    corpus: str = ""
