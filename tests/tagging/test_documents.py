"""Tagging documents with a tagger that finds every capital letter."""

from __future__ import annotations

import pytest

from bioner_tf.formats.annotation import Entity
from bioner_tf.formats.document import (
    Annotation,
    Document,
    Note,
    Passage,
    Relation,
    check_document,
)
from bioner_tf.tagging.documents import EXISTING, tag_documents


def find_capitals(texts):
    return [
        [Entity(i, i + 1, "Capital", c, 0.5, "abc") for i, c in enumerate(text) if c.isupper()]
        for text in texts
    ]


def own(start, end, text, kind="Gene", **fields):
    return Annotation(((start, end),), kind, text, **fields)


DOCUMENT = Document(
    "1",
    (Passage(0, "aBc", "title"), Passage(5, "DéF", "abstract")),
    (own(0, 2, "aB", id="T1"), own(5, 6, "D", kind="Capital", infons={"x": "y"})),
    (Relation("binds", (("", "T1"),)), Relation("CID", concepts=(("", "D1"),))),
    (Note("brat", "#1\tAnnotatorNotes T1\tnote"),),
)


def test_annotations_stand_at_the_offsets_of_their_passages():
    empty = Document("2", (Passage(0, ""),))
    none = Document("3", ())
    [batch] = tag_documents(find_capitals, [DOCUMENT, empty, none], 8, "replace")
    assert [document.id for document in batch] == ["1", "2", "3"]
    assert [(a.start, a.end, a.text, a.score, a.source) for a in batch[0].annotations] == [
        (1, 2, "B", 0.5, "abc"),
        (5, 6, "D", 0.5, "abc"),
        (7, 8, "F", 0.5, "abc"),
    ]
    assert batch[1:] == [empty, none]


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ("keep", [("aB", None), ("D", None), ("F", 0.5)]),
        ("replace", [("B", 0.5), ("D", 0.5), ("F", 0.5)]),
        ("merge", [("aB", None), ("B", 0.5), ("D", 0.5), ("F", 0.5)]),
    ],
)
def test_existing_annotations(existing, expected):
    [[document]] = tag_documents(find_capitals, [DOCUMENT], 1, existing)
    check_document(document)
    assert [(a.text, a.score) for a in document.annotations] == expected
    assert document.passages == DOCUMENT.passages
    if existing == "replace":  # nothing refers to what is gone
        assert document.relations == DOCUMENT.relations[1:]
        assert document.notes == ()
    else:
        assert document.relations == DOCUMENT.relations
        assert document.notes == DOCUMENT.notes
        assert {"x": "y"} in [annotation.infons for annotation in document.annotations]


def test_the_parts_of_a_discontinuous_annotation_are_kept_free():
    split = Annotation(((0, 1), (2, 3)), "Gene", "A C")
    document = Document("", (Passage(0, "ABC"),), (split,))
    [[kept]] = tag_documents(find_capitals, [document], 1, "keep")
    assert [annotation.text for annotation in kept.annotations] == ["A C", "B"]


@pytest.mark.parametrize("existing", EXISTING)
@pytest.mark.parametrize(
    ("lengths", "size", "expected"),
    [
        ([1] * 5, 2, [2, 2, 1]),
        ([600_000, 600_000, 1], 256, [2, 1]),
        ([2_000_000, 1], 256, [1, 1]),
        ([], 2, []),
    ],
)
def test_batches_are_bounded_by_documents_and_by_characters(existing, lengths, size, expected):
    documents = (Document("", (Passage(0, "x" * length),)) for length in lengths)
    batches = tag_documents(find_capitals, documents, size, existing)
    assert [len(batch) for batch in batches] == expected
