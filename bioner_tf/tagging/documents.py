"""Tags documents: passage by passage, and together with the annotations that they have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

from bioner_tf.formats.annotation import Entity
from bioner_tf.formats.document import Annotation, Document

# (texts) -> the entities of each.
Tag = Callable[[list[str]], list[list[Entity]]]

# The most characters that are tagged at once, unless a single document has more.
_BATCH_CHARACTERS = 1_000_000


def tag_documents(
    tag: Tag, documents: Iterable[Document], batch_size: int, existing: str
) -> Iterator[list[Document]]:
    """Tags documents.

    Args:
        tag: Finds the entities of texts.
        documents: Any number.
        batch_size: The most documents in a batch, at least 1.
        existing: A name in ``EXISTING``.

    Yields:
        The documents with their annotations in the order of the text, in batches.
    """
    for batch in _batches(documents, batch_size):
        found = iter(tag([passage.text for d in batch for passage in d.passages]))
        yield [
            EXISTING[existing](document, _shift(document, [next(found) for _ in document.passages]))
            for document in batch
        ]


def _batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += sum(len(passage.text) for passage in document.passages)
        if len(batch) == size or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _shift(document: Document, found: Sequence[Sequence[Entity]]) -> list[Annotation]:
    """From entities of passages to annotations of the document."""
    return [
        Annotation(
            ((passage.offset + e.start, passage.offset + e.end),), e.type, e.text, e.score, e.corpus
        )
        for passage, entities in zip(document.passages, found)
        for e in entities
    ]


def keep_existing(document: Document, found: Sequence[Annotation]) -> Document:
    """Adds the annotations that overlap none of the document's own."""
    taken = bytearray(max((a.end for a in [*document.annotations, *found]), default=0))
    for annotation in document.annotations:
        for start, end in annotation.spans:
            taken[start:end] = b"\1" * (end - start)
    added = [a for a in found if not any(taken[a.start : a.end])]
    return _with(document, [*document.annotations, *added])


def replace_existing(document: Document, found: Sequence[Annotation]) -> Document:
    """Replaces a document's annotations, and leaves out what refers to them."""
    relations = tuple(relation for relation in document.relations if not relation.nodes)
    return _with(dataclasses.replace(document, relations=relations, notes=()), found)


def merge_existing(document: Document, found: Sequence[Annotation]) -> Document:
    """Adds all annotations; one that is there already gives it its score and source."""
    same = {(a.spans, a.type): a for a in found}
    own = []
    for annotation in document.annotations:
        twin = same.pop((annotation.spans, annotation.type), None)
        if twin and annotation.score is None:
            source = annotation.source or twin.source
            annotation = dataclasses.replace(annotation, score=twin.score, source=source)
        own.append(annotation)
    return _with(document, [*own, *same.values()])


def _with(document: Document, annotations: Sequence[Annotation]) -> Document:
    # Stable: annotations of the same spans stay in their order.
    ordered = sorted(annotations, key=lambda a: (a.start, a.end))
    return dataclasses.replace(document, annotations=tuple(ordered))


# What happens to the annotations that a document has.
EXISTING = {"keep": keep_existing, "replace": replace_existing, "merge": merge_existing}
EXISTING_HELP = (
    "keep: they stay, and entities that overlap none of them are added; replace: only the "
    "tagger's stay; merge: both stay, the same span with the same type once."
)
