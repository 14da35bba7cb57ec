"""Text with its entities marked, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from bioner_tf.formats.annotation import Entity

_BOLD, _DIM, _PLAIN = "\x1b[1;{}m", "\x1b[2m", "\x1b[0m"
_COLOURS = (32, 33, 34, 35, 36, 31)


def to_brackets(text: str, entities: Sequence[Entity]) -> str:
    """A text with each entity as ``[text|Type 0.98]``."""
    return _mark(text, entities, lambda e: f"[{e.text}|{e.type} {e.score:.2f}]")


def to_colours(text: str, entities: Sequence[Entity]) -> str:
    """A text with its entities coloured by type, for a terminal."""

    def colour(entity: Entity) -> str:
        # The colour depends only on the type's name, so it is the same in every text and run.
        number = sum(entity.type.encode()) % len(_COLOURS)
        shown = f"{_BOLD.format(_COLOURS[number])}{entity.text}{_PLAIN}"
        return f"{shown} {_DIM}{entity.type} {entity.score:.2f}{_PLAIN}"

    return _mark(text, entities, colour)


def _mark(text: str, entities: Sequence[Entity], mark: Callable[[Entity], str]) -> str:
    parts, done = [], 0
    for entity in entities:
        parts += [text[done : entity.start], mark(entity)]
        # Of entities that overlap, each is shown whole.
        done = max(done, entity.end)
    return "".join([*parts, text[done:]])
