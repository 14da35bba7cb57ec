"""What a tagger says about a text."""

from __future__ import annotations

from typing import NamedTuple


class Entity(NamedTuple):
    """An entity in a text.

    Attributes:
        start: Its first character, in code points from the start of the text.
        end: The position after its last character.
        type: Its type, as the corpus names it.
        text: ``text[start:end]``.
        score: The probability that exactly this span is an entity of this type, in [0, 1].
    """

    start: int
    end: int
    type: str
    text: str
    score: float
