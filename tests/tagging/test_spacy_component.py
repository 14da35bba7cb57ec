"""The spaCy component; skipped if spaCy (the extra ``spacy``) is not installed."""

from __future__ import annotations

import pytest

spacy = pytest.importorskip("spacy", reason="spaCy is not installed")

from bioner_tf.errors import BionerError  # noqa: E402
from bioner_tf.tagging.spacy_component import BionerComponent  # noqa: E402
from bioner_tf.tagging.tagger import Entity, Tagger  # noqa: E402

TEXT = "The BRCA1 gene binds p53. In the gene."


def make_pipeline(served_run, **config):
    nlp = spacy.blank("en")
    nlp.add_pipe("bioner_tf", config={"model": str(served_run), **config})
    return nlp


def test_entities_are_the_taggers(served_run):
    [expected] = Tagger(served_run).tag_texts([TEXT])
    doc = make_pipeline(served_run)(TEXT)
    found = [
        Entity(e.start_char, e.end_char, e.label_, e.text, pytest.approx(e._.bioner_score))
        for e in doc.ents
    ]
    assert found == expected
    assert found


def test_documents_are_tagged_in_batches(served_run):
    nlp = make_pipeline(served_run)
    texts = [TEXT, "", "the gene", "p53 " * 40, "the 👩‍👩 BRCA1"] * 2
    for doc, text in zip(nlp.pipe(texts, batch_size=3), texts):
        assert [(e.text, e.label_) for e in doc.ents] == [
            (e.text, e.label_) for e in nlp(text).ents
        ]


def test_a_pipeline_is_saved_with_its_settings(served_run, tmp_path):
    nlp = make_pipeline(served_run, corpus="more (IOBES)")
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert [e.label_ for e in again(TEXT).ents] == [e.label_ for e in nlp(TEXT).ents] != []


def test_unknown_corpora_are_refused(served_run):
    with pytest.raises(BionerError, match="no corpus 'x'"):
        make_pipeline(served_run, corpus="x")


@pytest.fixture
def component(served_run):
    return BionerComponent(str(served_run))


def test_the_more_probable_of_entities_in_one_token_stays(component):
    doc = spacy.tokens.Doc(spacy.blank("en").vocab, ["alpha-synuclein", "binds"])
    component._add(doc, [Entity(0, 5, "A", "alpha", 0.4), Entity(6, 15, "B", "synuclein", 0.9)])
    assert [(e.text, e.label_, e._.bioner_score) for e in doc.ents] == [
        ("alpha-synuclein", "B", 0.9)
    ]


def test_strict_alignment_drops_parts_of_tokens(served_run):
    component = BionerComponent(str(served_run), alignment_mode="strict")
    doc = spacy.tokens.Doc(spacy.blank("en").vocab, ["alpha-synuclein", "binds"])
    component._add(doc, [Entity(0, 5, "A", "alpha", 0.4), Entity(16, 21, "B", "binds", 0.9)])
    assert [e.text for e in doc.ents] == ["binds"]


def test_entities_of_other_components_are_kept_if_they_do_not_overlap(component):
    doc = spacy.tokens.Doc(spacy.blank("en").vocab, ["p53", "binds", "it"])
    doc.set_ents([doc.char_span(0, 9, "OTHER"), doc.char_span(10, 12, "OTHER")])
    component._add(doc, [Entity(0, 3, "Gene", "p53", 0.5)])
    assert [(e.text, e.label_) for e in doc.ents] == [("p53", "Gene"), ("it", "OTHER")]
