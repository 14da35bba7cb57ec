"""Text with its entities marked, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Callable

from bioner_tf.formats.document import Annotation, Document, check_document
from bioner_tf.formats.losses import count_passages

_BOLD, _DIM, _PLAIN = "\x1b[1;{}m", "\x1b[2m", "\x1b[0m"
_COLOURS = (32, 33, 34, 35, 36, 31)

Mark = Callable[[Annotation], str]


def write_brackets(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes documents with each entity as ``[text|Type 0.98]``.

    Args:
        documents: The documents.
        losses: Counts what is not shown.

    Yields:
        The text of each document.
    """
    return _write(documents, losses, lambda a: f"[{a.text}|{_describe(a)}]")


def write_colours(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes documents with their entities coloured by type, for a terminal.

    Args:
        documents: The documents.
        losses: Counts what is not shown.

    Yields:
        The text of each document.
    """

    def colour(annotation: Annotation) -> str:
        # The colour depends only on the type's name, so it is the same in every text and run.
        number = sum(annotation.type.encode()) % len(_COLOURS)
        shown = f"{_BOLD.format(_COLOURS[number])}{annotation.text}{_PLAIN}"
        return f"{shown} {_DIM}{_describe(annotation)}{_PLAIN}"

    return _write(documents, losses, colour)


def _describe(annotation: Annotation) -> str:
    score = "" if annotation.score is None else f" {annotation.score:.2f}"
    return annotation.type + score


def _write(documents: Iterable[Document], losses: Counter[str], mark: Mark) -> Iterator[bytes]:
    for document in documents:
        text = check_document(document)
        count_passages(document, losses)
        parts, done = [], 0
        for annotation in sorted(document.annotations, key=lambda a: (a.start, -a.end)):
            if len(annotation.spans) > 1:
                losses["discontinuous annotations"] += 1
                continue
            parts += [text[done : annotation.start], mark(annotation)]
            # Of annotations that overlap, each is shown whole.
            done = max(done, annotation.end)
        yield "".join([*parts, text[done:]]).encode() + b"\n"
