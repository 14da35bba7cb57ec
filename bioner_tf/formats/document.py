"""A document: its text in passages, and what is marked in it.

Offsets count code points from the start of the document's text, half-open. Each format converts
its own offsets when it reads and writes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Union

from bioner_tf.errors import BionerError

# Fills the text between passages.
GAP = "\n"
# The most characters of a document, gaps included: a wrong offset must not fill the memory.
MAX_CHARACTERS = 50_000_000

Spans = tuple[tuple[int, int], ...]


class DocumentError(BionerError):
    """A document contradicts itself, for example an offset beyond its text."""


@dataclasses.dataclass(frozen=True)
class Passage:
    """A stretch of a document's text.

    Attributes:
        offset: Where it starts in the document's text.
        text: Its text.
        kind: What it is, for example "title"; "" if that is not known.
        infons: Further keys and values.
    """

    offset: int
    text: str
    kind: str = ""
    infons: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def end(self) -> int:
        """The offset after its last character."""
        return self.offset + len(self.text)


@dataclasses.dataclass(frozen=True)
class Annotation:
    """A mention of an entity.

    Attributes:
        spans: The start and end of each of its parts, ascending; more than one if it is
            discontinuous.
        type: The type of the entity.
        text: The text of its parts, joined by spaces.
        score: The probability that exactly this is an entity of this type; None if not known.
        source: Where it comes from, for example the corpus of a tagger; "" if not known.
        infons: Further keys and values, for example the identifier of the entity.
        id: Its name within the document; "" for none.
    """

    spans: Spans
    type: str
    text: str
    score: float | None = None
    source: str = ""
    infons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    id: str = ""

    @property
    def start(self) -> int:
        """The offset of its first character."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """The offset after its last character."""
        return self.spans[-1][1]


@dataclasses.dataclass(frozen=True)
class Relation:
    """A relation between mentions or between entities.

    Attributes:
        type: What relates them.
        nodes: The role and the id of each annotation (or relation) that it joins.
        concepts: The role and the identifier of each entity that it joins.
        infons: Further keys and values.
        id: Its name within the document; "" for none.
    """

    type: str
    nodes: tuple[tuple[str, str], ...] = ()
    concepts: tuple[tuple[str, str], ...] = ()
    infons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    id: str = ""


class Note(NamedTuple):
    """A line that only one format knows, kept as it is.

    Attributes:
        format: The format's name.
        line: The line, without its end.
    """

    format: str
    line: str


@dataclasses.dataclass(frozen=True)
class Document:
    """A document.

    Attributes:
        id: Its name; "" if it has none.
        passages: In the order of the text, without overlap.
        annotations: In the order of the file.
        relations: In the order of the file.
        notes: In the order of the file.
        infons: Further keys and values.
        skipped: How often the reader left out something of each kind, for example tables.
    """

    id: str
    passages: tuple[Passage, ...]
    annotations: tuple[Annotation, ...] = ()
    relations: tuple[Relation, ...] = ()
    notes: tuple[Note, ...] = ()
    infons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    skipped: Mapping[str, int] = dataclasses.field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        """The text of all passages, with line breaks between them as their offsets demand."""
        return lay_out(self.passages)


class Reject(NamedTuple):
    """A document that could not be read.

    Attributes:
        place: ``path:line``.
        reason: What was expected and what came.
    """

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


# What readers yield.
Item = Union[Document, Reject]


def lay_out(passages: Iterable[Passage]) -> str:
    """Joins the text of passages; their offsets start at 0.

    Raises:
        DocumentError: If a passage starts inside the one before, or too far behind it.
    """
    parts: list[str] = []
    end = 0
    for passage in passages:
        if passage.offset < end:
            raise DocumentError(
                f"expected a passage at offset {end} or later, got {passage.offset}"
            )
        if passage.end > MAX_CHARACTERS:
            raise DocumentError(f"expected at most {MAX_CHARACTERS} characters, got {passage.end}")
        parts += [GAP * (passage.offset - end), passage.text]
        end = passage.end
    return "".join(parts)


def join_passages(pieces: Iterable[Passage]) -> tuple[Passage, ...]:
    """Places passages one after the other, each one character behind the one before.

    The offsets of the pieces are ignored, and pieces without text are left out.
    """
    placed: list[Passage] = []
    offset = 0
    for piece in pieces:
        if piece.text:
            placed.append(dataclasses.replace(piece, offset=offset))
            offset = placed[-1].end + 1
    return tuple(placed)


def mention(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text of a mention's parts, joined by spaces.

    Raises:
        DocumentError: If the spans are none, empty, overlap, do not ascend, or leave the text.
    """
    if not spans:
        raise DocumentError("expected at least one span, got none")
    end_before = 0
    for start, end in spans:
        if not end_before <= start < end <= len(text):
            raise DocumentError(
                f"expected a span between {end_before} and {len(text)}, got {start} to {end}"
            )
        end_before = end
    return " ".join(text[start:end] for start, end in spans)


def check_mention(text: str, spans: Sequence[tuple[int, int]], expected: str) -> str:
    """Checks that the text at the spans is the mention that a file gives, and returns it.

    A kind of white space may stand for another one, because formats write line breaks as spaces.
    White space around the expected mention does not count, nor any in a discontinuous mention.

    Raises:
        DocumentError: If the text is another one.
    """
    found = mention(text, spans)
    if found != expected:
        same = _spaces_alike(found).strip(" ") == _spaces_alike(expected).strip(" ")
        if not same and len(spans) > 1:
            same = "".join(found.split()) == "".join(expected.split())
        if not same:
            raise DocumentError(
                f"expected the mention {expected!r} at {_places(spans)}, got {found!r}"
            )
    return found


def check_document(document: Document) -> str:
    """Checks the passages and that each annotation's text stands at its offsets.

    Returns:
        The document's text.

    Raises:
        DocumentError: If the document contradicts itself.
    """
    text = document.text
    for annotation in document.annotations:
        if not annotation.type:
            raise DocumentError(f"expected a type for {annotation.text!r}, got none")
        found = mention(text, annotation.spans)
        if found != annotation.text:
            raise DocumentError(
                f"expected the mention {annotation.text!r} at {_places(annotation.spans)}, "
                f"got {found!r}"
            )
    return text


def plain_document(text: str, name: str = "") -> Document:
    """A document of one passage."""
    return Document(name, (Passage(0, text),))


def documents_of(items: Iterable[Item]) -> Iterator[Document]:
    """The documents that a reader yields; the first rejected one is an error.

    Raises:
        BionerError: If a document was rejected.
    """
    for item in items:
        if isinstance(item, Reject):
            raise BionerError(str(item))
        yield item


def _places(spans: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{start}-{end}" for start, end in spans)


def _spaces_alike(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in text)
