"""JSON Lines: one object for each document. Holds everything.

    {"id": "1", "text": "p53 binds.", "entities": [
        {"start": 0, "end": 3, "type": "Gene", "text": "p53", "score": 0.98, "corpus": "BC2GM"}]}

Keys that a document does not need are left out: ``id``, ``passages`` (``start``, ``end``, ``kind``,
``infons``), ``relations``, ``notes``, ``infons``; in an entity ``spans`` (if it is discontinuous),
``infons`` and ``id``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

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
    mention,
)

_DECIMALS = 6  # of scores
_START = re.compile(rb'\{\s*("id"\s*:\s*("[^"]*"|\d+)\s*,\s*)?"text"\s*:')


def looks_like_jsonl(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    head = head.lstrip()
    line, ended, _ = head.partition(b"\n")
    if not ended:  # the line may be cut
        return bool(_START.match(head))
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def read_jsonl(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a file.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        A document for each line that is not blank. Only ``text`` must be there.
    """
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield from_json(line)
            except DocumentError as error:
                yield Reject(f"{name}:{number}", str(error))


def from_json(line: bytes) -> Document:
    """Reads a document from its line.

    Raises:
        DocumentError: If it is malformed or contradicts itself.
    """
    try:
        value = json.loads(line.decode("utf-8-sig"))
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            raise DocumentError('expected an object with a string "text"')
        # A lone surrogate, "\ud800", is no text.
        json.dumps(value, ensure_ascii=False).encode()
        text = value["text"]
        passages = value.get("passages")
        document = Document(
            str(value.get("id", "")),
            _passages(text, passages),
            tuple(_annotation(text, entity) for entity in value.get("entities", [])),
            tuple(_relation(relation) for relation in value.get("relations", [])),
            tuple(Note(*note) for note in value.get("notes", [])),
            _infons(value),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DocumentError(f"expected a document in JSON: {error!r}") from None
    if document.text != text:
        raise DocumentError("expected passages that hold the whole text")
    return document


def _passages(text: str, described: Any) -> tuple[Passage, ...]:
    if described is None:
        return (Passage(0, text),)
    return tuple(
        Passage(p["start"], text[p["start"] : p["end"]], p.get("kind", ""), _infons(p))
        for p in described
    )


def _annotation(text: str, entity: dict[str, Any]) -> Annotation:
    spans = tuple(
        (int(a), int(b)) for a, b in entity.get("spans", [(entity["start"], entity["end"])])
    )
    expected = entity.get("text")
    found = check_mention(text, spans, expected) if expected is not None else mention(text, spans)
    score = entity.get("score")
    return Annotation(
        spans,
        _string(entity["type"]),
        found,
        None if score is None else float(score),
        _string(entity.get("corpus", "")),
        _infons(entity),
        str(entity.get("id", "")),
    )


def _relation(relation: dict[str, Any]) -> Relation:
    nodes, concepts = (
        tuple((_string(role), _string(target)) for role, target in relation.get(key, []))
        for key in ("nodes", "concepts")
    )
    name = str(relation.get("id", ""))
    return Relation(_string(relation["type"]), nodes, concepts, _infons(relation), name)


def _infons(value: dict[str, Any]) -> dict[str, str]:
    return {key: _string(infon) for key, infon in value.get("infons", {}).items()}


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {value!r}")
    return value


def write_jsonl(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes documents; scores have 6 decimals.

    Args:
        documents: The documents.
        losses: Stays as it is.

    Yields:
        The line of each document.
    """
    del losses
    for document in documents:
        yield to_json(document).encode() + b"\n"


def to_json(document: Document) -> str:
    """Returns a document as one line of JSON, without its end."""
    text = check_document(document)
    value: dict[str, Any] = {"id": document.id} if document.id else {}
    value["text"] = text
    if document.passages != (Passage(0, text),):
        value["passages"] = [
            {"start": p.offset, "end": p.end, "kind": p.kind, **_optional(infons=p.infons)}
            for p in document.passages
        ]
    value["entities"] = [_describe(annotation) for annotation in document.annotations]
    relations = [
        {
            "type": r.type,
            **_optional(nodes=r.nodes, concepts=r.concepts, infons=r.infons, id=r.id),
        }
        for r in document.relations
    ]
    value.update(_optional(relations=relations, notes=document.notes, infons=document.infons))
    return json.dumps(value, ensure_ascii=False)


def _describe(annotation: Annotation) -> dict[str, Any]:
    score = annotation.score
    return {
        "start": annotation.start,
        "end": annotation.end,
        "type": annotation.type,
        "text": annotation.text,
        "score": None if score is None else round(score, _DECIMALS),
        "corpus": annotation.source,
        **_optional(
            spans=annotation.spans if len(annotation.spans) > 1 else (),
            infons=annotation.infons,
            id=annotation.id,
        ),
    }


def _optional(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
