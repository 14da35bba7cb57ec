"""BRAT standoff: a text file and, beside it, its annotations, one a line.

    T1<TAB>Type start end;start end<TAB>mention
    R1<TAB>Type Arg1:T1 Arg2:T2

Events, attributes, notes and references (``E``, ``A``, ``M``, ``N``, ``#``, ``*``) are kept as
they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from bioner_tf.formats.document import (
    Annotation,
    Document,
    DocumentError,
    Item,
    Note,
    Passage,
    Reject,
    Relation,
    check_document,
    check_mention,
)
from bioner_tf.formats.losses import count_details, count_notes, count_passages

TEXT_SUFFIX, ANNOTATION_SUFFIX = ".txt", ".ann"

_FORMAT = "brat"
_TEXT_BOUND = re.compile(r"(T\S*)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
_RELATION = re.compile(r"(R\S*)\t(\S+) (\S+:\S+(?: \S+:\S+)*)\s*", re.DOTALL)
_VERBATIM = ("E", "A", "M", "N", "#", "*")
_TEXT_BOUND_ID = re.compile(r"T[0-9]+")
_RELATION_ID = re.compile(r"R[0-9]+")
_UNSAFE = re.compile(r"[^\w.@+=,-]|^\.")


def annotation_path(name: str) -> Path:
    """The file of the annotations of a text file."""
    return Path(name).with_suffix(ANNOTATION_SUFFIX)


def looks_like_brat(name: str, head: bytes) -> bool:
    """Tells whether annotations stand beside a text file."""
    del head
    return Path(name).suffix == TEXT_SUFFIX and annotation_path(name).is_file()


def read_brat(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a text and the annotations beside it.

    Args:
        stream: The text.
        name: The path of the text, ``.txt``; its stem is the document's id.

    Yields:
        The document.
    """
    place = name
    try:
        text = _decode(stream.read())
        annotations, relations, notes = [], [], []
        path = annotation_path(name)
        content = _decode(path.read_bytes()) if path.is_file() else ""
        for number, raw in enumerate(content.split("\n"), start=1):
            place = f"{path}:{number}"
            line = raw[:-1] if raw.endswith("\r") else raw
            if line.startswith("T"):
                annotations.append(_read_text_bound(line, text))
            elif line.startswith("R"):
                relations.append(_read_relation(line))
            elif line.startswith(_VERBATIM):
                notes.append(Note(_FORMAT, line))
            elif line.strip():
                raise DocumentError(
                    f"expected a line that starts with T, R, {', '.join(_VERBATIM)}, got {line!r}"
                )
        passages = (Passage(0, text),) if text else ()
        yield Document(
            Path(name).stem, passages, tuple(annotations), tuple(relations), tuple(notes)
        )
    except DocumentError as error:
        yield Reject(place, str(error))


def _read_text_bound(line: str, text: str) -> Annotation:
    match = _TEXT_BOUND.fullmatch(line)
    if not match:
        raise DocumentError(f'expected "T1<TAB>Type start end<TAB>mention", got {line!r}')
    name, kind, places, expected = match.groups()
    spans = tuple((int(a), int(b)) for a, b in (part.split(" ") for part in places.split(";")))
    return Annotation(spans, kind, check_mention(text, spans, expected), id=name)


def _read_relation(line: str) -> Relation:
    match = _RELATION.fullmatch(line)
    if not match:
        raise DocumentError(f'expected "R1<TAB>Type Arg1:T1 Arg2:T2", got {line!r}')
    name, kind, arguments = match.groups()
    nodes = tuple(tuple(argument.split(":", 1)) for argument in arguments.split(" "))
    return Relation(kind, nodes, id=name)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"expected UTF-8 text: {error}") from None


def write_brat(documents: Iterable[Document], directory: Path, losses: Counter[str]) -> None:
    """Writes two files for each document into a directory.

    Args:
        documents: Their ids name the files; those without an id get their number.
        directory: Where the files go; it exists.
        losses: Counts what the format cannot hold.
    """
    for number, document in enumerate(documents, start=1):
        stem = _UNSAFE.sub("_", document.id)[:200] or str(number)
        if stem != document.id and document.id:
            losses["document ids"] += 1
        path = directory / f"{stem}{TEXT_SUFFIX}"
        if path.exists():
            path = directory / f"{stem}-{number}{TEXT_SUFFIX}"
        text, annotations = to_brat(document, losses)
        path.write_bytes(text.encode())
        annotation_path(str(path)).write_bytes(annotations.encode())


def to_brat(document: Document, losses: Counter[str]) -> tuple[str, str]:
    """Returns the content of a document's two files."""
    text = check_document(document)
    count_passages(document, losses)
    count_notes(document, losses, _FORMAT)
    losses["infons"] += len(document.infons)
    ids = _number([a.id for a in document.annotations], "T", _TEXT_BOUND_ID)
    lines = []
    for annotation, name in zip(document.annotations, ids):
        places = ";".join(f"{start} {end}" for start, end in annotation.spans)
        shown = _one_line(annotation.text)
        lines.append(f"{name}\t{_word(annotation.type, losses)} {places}\t{shown}")
        count_details(annotation, losses)
    names = {a.id: name for a, name in zip(document.annotations, ids) if a.id}
    relation_ids = _number([r.id for r in document.relations], "R", _RELATION_ID)
    for relation, name in zip(document.relations, relation_ids):
        known = relation.nodes and all(target in names for _, target in relation.nodes)
        if not known or relation.concepts or not all(role for role, _ in relation.nodes):
            losses["relations"] += 1
            continue
        arguments = [f"{_word(role, losses)}:{names[target]}" for role, target in relation.nodes]
        lines.append(f"{name}\t{_word(relation.type, losses)} {' '.join(arguments)}")
        losses["infons"] += len(relation.infons)
    lines += [note.line for note in document.notes if note.format == _FORMAT]
    return text, "".join(f"{line}\n" for line in lines)


def _number(ids: list[str], letter: str, pattern: re.Pattern[str]) -> list[str]:
    """Keeps the ids that fit and are unique, and numbers the others."""
    kept: set[str] = set()
    numbered: list[str] = []
    for name in ids:
        fits = bool(pattern.fullmatch(name)) and name not in kept
        kept.add(name if fits else "")
        numbered.append(name if fits else "")
    free = (f"{letter}{number}" for number in range(1, len(ids) + len(kept) + 1))
    free = (name for name in free if name not in kept)
    return [name or next(free) for name in numbered]


def _word(text: str, losses: Counter[str]) -> str:
    word = re.sub(r"[\s:]+", "_", text) or "_"
    losses["exact names of types and roles"] += word != text
    return word


def _one_line(text: str) -> str:
    return text.translate(str.maketrans("\r\n", "  "))
