"""PubTator: a title, an abstract and tab-separated annotations, with a blank line in between.

    PMID|t|title
    PMID|a|abstract
    PMID<TAB>start<TAB>end<TAB>mention<TAB>type<TAB>identifier
    PMID<TAB>relation<TAB>identifier<TAB>identifier

Offsets count code points in the title, one separator and the abstract. A seventh column holds the
parts of a composite mention.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from bioner_tf.formats.document import (
    Annotation,
    Document,
    DocumentError,
    Item,
    Passage,
    Reject,
    Relation,
    check_document,
    check_mention,
)
from bioner_tf.formats.losses import count_details, count_notes

IDENTIFIER, MENTIONS = "identifier", "mentions"

_TITLE = re.compile(r"([^|\t]+)\|t\|(.*)", re.DOTALL)
_ABSTRACT = re.compile(r"([^|\t]+)\|a\|(.*)", re.DOTALL)
_ID = re.compile(r"[^|\t\r\n]*[^|\t\r\n\s][^|\t\r\n]*")
_OPTIONAL = (IDENTIFIER, MENTIONS)
_AS_SPACES = str.maketrans("\t\r\n", "   ")
_LINE_BREAKS_AS_SPACES = str.maketrans("\r\n", "  ")


def looks_like_pubtator(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    first = head.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")
    return bool(_TITLE.match(first))


def read_pubtator(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a file.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        A document for each block; identifiers and the parts of composite mentions are infons.
    """
    block: list[bytes] = []
    start = 1
    for number, raw in enumerate(stream, start=1):
        line = raw.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").rstrip(b"\n")
        line = line[:-1] if line.endswith(b"\r") else line
        starts = b"|t|" in line and b"\t" not in line.split(b"|t|", 1)[0]
        if block and (starts or not line.strip()):
            yield _read_block(block, name, start)
            block = []
        if line.strip():
            if not block:
                start = number
            block.append(line)
    if block:
        yield _read_block(block, name, start)


def _read_block(lines: list[bytes], name: str, first: int) -> Item:
    number = first
    try:
        title = _TITLE.fullmatch(_decode(lines[0]))
        if not title:
            raise DocumentError('expected a title, "PMID|t|text"')
        document_id, text = title.groups()
        passages = [Passage(0, text, "title")] if text else []
        annotations, relations = [], []
        for number, raw in enumerate(lines[1:], start=first + 1):
            line = _decode(raw)
            abstract = _ABSTRACT.fullmatch(line) if number == first + 1 else None
            if abstract:
                _check_id(abstract[1], document_id)
                if abstract[2]:
                    text = f"{text}\n{abstract[2]}"
                    passages.append(Passage(len(title[2]) + 1, abstract[2], "abstract"))
                continue
            columns = line.split("\t")
            _check_id(columns[0], document_id)
            if len(columns) > 2 and columns[1].isdecimal() and columns[2].isdecimal():
                annotations.append(_read_annotation(columns, text))
            elif len(columns) > 2:
                relations.append(Relation(columns[1], concepts=tuple(("", c) for c in columns[2:])))
            else:
                raise DocumentError("expected an annotation or a relation, separated by tabs")
        return Document(document_id, tuple(passages), tuple(annotations), tuple(relations))
    except DocumentError as error:
        return Reject(f"{name}:{number}", str(error))


def _read_annotation(columns: list[str], text: str) -> Annotation:
    if not 5 <= len(columns) <= 7 or not columns[4]:
        raise DocumentError(
            "expected 5 to 7 columns (PMID, start, end, mention, type, identifier, mentions), "
            f"got {len(columns)}"
        )
    span = int(columns[1]), int(columns[2])
    found = check_mention(text, [span], columns[3])
    return Annotation((span,), columns[4], found, infons=dict(zip(_OPTIONAL, columns[5:])))


def _check_id(found: str, expected: str) -> None:
    if found != expected:
        raise DocumentError(f"expected a line of document {expected}, got {found!r}")


def _decode(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"expected UTF-8 text: {error}") from None


def write_pubtator(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes documents.

    Args:
        documents: A document without a usable id gets its number.
        losses: Counts what the format cannot hold.

    Yields:
        The block of each document.
    """
    for number, document in enumerate(documents, start=1):
        text = check_document(document)
        document_id = document.id
        if not _ID.fullmatch(document_id):
            losses["document ids"] += bool(document_id)
            document_id = str(number)
        split = _split(document.passages, len(text))
        title, abstract = text[:split], text[split + 1 :]
        losses["passages"] += _changed_passages(document, split)
        losses["line breaks"] += sum(
            passage.text.count("\n") + passage.text.count("\r") for passage in document.passages
        )
        lines = [f"{document_id}|t|{title}", f"{document_id}|a|{abstract}"]
        lines = [line.translate(_LINE_BREAKS_AS_SPACES) for line in lines]
        for annotation in document.annotations:
            if len(annotation.spans) > 1:
                losses["discontinuous annotations"] += 1
                continue
            if not abstract and annotation.end > len(title):
                # There is no line break behind a title alone.
                losses["annotations of line breaks"] += 1
                continue
            columns = [document_id, str(annotation.start), str(annotation.end), annotation.text]
            columns += [annotation.type, *_optional(annotation.infons)]
            lines.append("\t".join(column.translate(_AS_SPACES) for column in columns))
            count_details(annotation, losses, held=_OPTIONAL)
        for relation in document.relations:
            if relation.nodes or not relation.concepts or relation.type.isdecimal():
                losses["relations"] += 1
                continue
            columns = [document_id, relation.type, *(target for _, target in relation.concepts)]
            lines.append("\t".join(column.translate(_AS_SPACES) for column in columns))
            losses["roles in relations"] += any(role for role, _ in relation.concepts)
            losses["infons"] += len(relation.infons)
        count_notes(document, losses)
        losses["infons"] += len(document.infons)
        yield ("\n".join(lines) + "\n\n").encode()


def _optional(infons: Mapping[str, str]) -> list[str]:
    if MENTIONS in infons:
        return [infons.get(IDENTIFIER, ""), infons[MENTIONS]]
    return [infons[IDENTIFIER]] if IDENTIFIER in infons else []


def _split(passages: tuple[Passage, ...], length: int) -> int:
    """The offset of the separator between what becomes the title and what the abstract."""
    if not passages:
        return 0
    first = passages[0]
    split = first.end if first.offset == 0 or first.kind == "title" else first.offset - 1
    if len(passages) > 1 and passages[1].offset == split:  # no room for a separator
        return length
    return split


def _changed_passages(document: Document, split: int) -> int:
    """How many passages are read back otherwise."""
    changed = 0
    for passage in document.passages:
        offset, kind = (0, "title") if passage.offset <= split else (split + 1, "abstract")
        same = passage.offset == offset and passage.kind in ("", kind) and not passage.infons
        changed += not same
    return changed + max(0, len(document.passages) - 2) * (changed == 0)
