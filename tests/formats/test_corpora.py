"""The documents of real corpora, as their makers distribute them."""

from __future__ import annotations

import collections
from collections import Counter

import pytest

from bioner_tf.formats.document import Document, Reject
from bioner_tf.formats.inputs import read_items
from bioner_tf.formats.registry import WRITERS

# The offsets of these mentions are wrong in the corpus: the line of the document, the mention.
WRONG_OFFSETS = {
    "development": {9853: "atypical absence seizures"},
    "test": {},
    "training": {
        11377: "colorectal cancers",
        18536: "opistothonus dysfunction",
        53363: "midline (MD) defects",
    },
}


@pytest.mark.parametrize(
    ("split", "documents", "mentions"),
    [("train", 593, 5145), ("devel", 100, 787), ("test", 100, 960)],
)
def test_ncbi_disease_is_read_whole(documents_dir, split, documents, mentions):
    items = list(read_items([str(documents_dir / "ncbi-disease" / f"{split}.pubtator.txt")]))
    assert not [item for item in items if isinstance(item, Reject)]
    assert len(items) == documents
    assert sum(len(document.annotations) for document in items) == mentions


@pytest.mark.parametrize("split", ["training", "development", "test"])
def test_bc5cdr_is_the_same_in_pubtator_and_bioc(documents_dir, split):
    path = documents_dir / "bc5cdr" / f"{split}.pubtator.txt"
    documents = list(read_items([str(path)]))
    assert [type(document) for document in documents] == [Document] * 500
    # Written again, the file is the same to the byte.
    losses: Counter[str] = Counter()
    content = b"".join(WRITERS["pubtator"](documents, losses))
    assert content.strip() == path.read_bytes().strip()
    assert not +losses

    bioc = list(read_items([str(documents_dir / "bc5cdr" / f"{split}.bioc.xml")]))
    rejects = [item for item in bioc if isinstance(item, Reject)]
    wrong = WRONG_OFFSETS[split]
    assert [int(reject.place.rpartition(":")[2]) for reject in rejects] == list(wrong)
    assert all(
        f"the mention {mention!r}" in reject.reason
        for reject, mention in zip(rejects, wrong.values())
    )
    by_id = {document.id: document for document in bioc if isinstance(document, Document)}
    assert len(by_id) == 500 - len(wrong)
    differing = collections.Counter()
    for document in documents:
        other = by_id.get(document.id)
        if other is None:
            continue
        assert other.text == document.text
        # PubTator has the parts of composite mentions in a column, BioC as more annotations.
        parts = [
            a for a in other.annotations if a.infons.get("CompositeRole") != "IndividualMention"
        ]
        differing["annotations"] += _marks(parts) != _marks(document.annotations)
        differing["relations"] += _pairs(other) != _pairs(document)
    assert not +differing


def _marks(annotations):
    return sorted((a.spans, a.type, a.text) for a in annotations)


def _pairs(document):
    return sorted(
        (relation.type, *(target for _, target in relation.concepts))
        for relation in document.relations
    )
