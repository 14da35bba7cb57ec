"""BioC documents as JSON has them; the XML form holds the same things in elements.

Types of annotations are the infon "type"; scores and sources are the infons "score" and "source".
A relation between entities (not between annotations) has no nodes, but the infon "relation" and an
infon for each entity, as in the corpus BC5CDR.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bioner_tf.formats.document import (
    Annotation,
    Document,
    DocumentError,
    Passage,
    Relation,
    check_document,
    check_mention,
    lay_out,
    mention,
)
from bioner_tf.formats.losses import count_notes

# What stands at the start of the files that we write.
SOURCE = "bioner_tf"

_TYPE, _SCORE, _SOURCE, _RELATION = "type", "score", "source", "relation"
_DECIMALS = 6  # of scores


def to_document(value: Any) -> Document:
    """Converts a BioC document.

    Raises:
        DocumentError: If it is malformed or contradicts itself.
    """
    try:
        passages = tuple(_to_passage(passage) for passage in value.get("passages", []))
        text = lay_out(passages)
        skipped: Counter[str] = Counter()
        annotations: list[Annotation] = []
        relations: list[Relation] = []
        for part in _parts(value):
            for annotation in part.get("annotations", []):
                if annotation.get("locations"):
                    annotations.append(_to_annotation(annotation, text))
                else:
                    skipped["annotations without a place"] += 1
            relations += [_to_relation(relation) for relation in part.get("relations", [])]
        return Document(
            str(value.get("id", "")),
            passages,
            tuple(annotations),
            tuple(relations),
            infons=_to_infons(value),
            skipped=skipped,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DocumentError(f"expected a BioC document: {error!r}") from None


def _parts(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All that may have annotations and relations, in the order of the text."""
    for passage in value.get("passages", []):
        yield passage
        yield from passage.get("sentences", [])
    yield value


def _to_passage(value: Mapping[str, Any]) -> Passage:
    infons = _to_infons(value)
    kind = infons.pop(_TYPE, "")
    offset = int(value["offset"])
    text = value.get("text") or ""
    if not text and value.get("sentences"):
        sentences = [
            Passage(int(s["offset"]) - offset, s.get("text") or "") for s in value["sentences"]
        ]
        text = lay_out(sentences).replace("\n", " ")
    return Passage(offset, text, kind, infons)


def _to_annotation(value: Mapping[str, Any], text: str) -> Annotation:
    spans = sorted(
        (int(place["offset"]), int(place["offset"]) + int(place["length"]))
        for place in value["locations"]
    )
    expected = value.get("text")
    found = mention(text, spans) if expected is None else check_mention(text, spans, expected)
    infons = _to_infons(value)
    if not infons.get(_TYPE):
        raise DocumentError(f"expected a type for the annotation {found!r}, got none")
    score = None
    with contextlib.suppress(KeyError, ValueError):
        score = float(infons[_SCORE])
        del infons[_SCORE]
    kind, source = infons.pop(_TYPE), infons.pop(_SOURCE, "")
    return Annotation(tuple(spans), kind, found, score, source, infons, str(value.get("id", "")))


def _to_relation(value: Mapping[str, Any]) -> Relation:
    infons = _to_infons(value)
    nodes = tuple((str(n.get("role", "")), str(n["refid"])) for n in value.get("nodes", []))
    concepts: tuple[tuple[str, str], ...] = ()
    if not nodes and _RELATION in infons:
        kind = infons.pop(_RELATION)
        concepts, infons = tuple(infons.items()), {}
    else:
        kind = infons.pop(_TYPE, "")
    return Relation(kind, nodes, concepts, infons, str(value.get("id", "")))


def _to_infons(value: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: infon if isinstance(infon, str) else json.dumps(infon, ensure_ascii=False)
        for key, infon in (value.get("infons") or {}).items()
        if infon is not None
    }


def from_documents(documents: Iterable[Document], losses: Counter[str]) -> Iterator[dict[str, Any]]:
    """Converts documents; those without an id get their number.

    Args:
        documents: The documents.
        losses: Counts what the format cannot hold.
    """
    for number, document in enumerate(documents, start=1):
        yield _from_document(document, document.id or str(number), losses)


def _from_document(document: Document, name: str, losses: Counter[str]) -> dict[str, Any]:
    check_document(document)
    count_notes(document, losses)
    passages: list[dict[str, Any]] = [
        {
            "offset": passage.offset,
            "infons": _with(passage.infons, **{_TYPE: passage.kind}),
            "text": passage.text,
            "sentences": [],
            "annotations": [],
            "relations": [],
        }
        for passage in document.passages
    ]
    outside: list[dict[str, Any]] = []
    ids = _unique_ids(document.annotations)
    for annotation, annotation_id in zip(document.annotations, ids):
        place = next(
            (
                described["annotations"]
                for passage, described in zip(document.passages, passages)
                if passage.offset <= annotation.start and annotation.end <= passage.end
            ),
            outside,
        )
        place.append(_from_annotation(annotation, annotation_id))
    return {
        "id": name,
        "infons": dict(document.infons),
        "passages": passages,
        "annotations": outside,
        "relations": [
            _from_relation(relation, relation.id or f"R{number}", losses)
            for number, relation in enumerate(document.relations, start=1)
        ],
    }


def _from_annotation(annotation: Annotation, name: str) -> dict[str, Any]:
    score = "" if annotation.score is None else str(round(annotation.score, _DECIMALS))
    own = {_TYPE: annotation.type, _SCORE: score, _SOURCE: annotation.source}
    return {
        "id": name,
        "infons": _with(annotation.infons, **own),
        "text": annotation.text,
        "locations": [{"offset": a, "length": b - a} for a, b in annotation.spans],
    }


def _from_relation(relation: Relation, name: str, losses: Counter[str]) -> dict[str, Any]:
    infons = _with(relation.infons, **{_TYPE: relation.type})
    if relation.concepts and not relation.nodes:
        losses["infons"] += len(relation.infons)
        infons = {_RELATION: relation.type}
        for number, (role, target) in enumerate(relation.concepts, start=1):
            free = not role or role in infons
            infons[f"argument{number}" if free else role] = target
    elif relation.concepts:
        losses["concepts of relations"] += len(relation.concepts)
    nodes = [{"refid": target, "role": role} for role, target in relation.nodes]
    return {"id": name, "infons": infons, "nodes": nodes}


def _with(infons: Mapping[str, str], **own: str) -> dict[str, str]:
    return {**{key: value for key, value in own.items() if value}, **infons}


def _unique_ids(annotations: Iterable[Annotation]) -> list[str]:
    """The ids of annotations; a number for those without one."""
    taken = {annotation.id for annotation in annotations}
    numbers = (str(number) for number in range(1, 1 << 62))
    free = (number for number in numbers if number not in taken)
    return [annotation.id or next(free) for annotation in annotations]
