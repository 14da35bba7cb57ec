"""Random documents, written and read again in every format that can hold them."""

from __future__ import annotations

import dataclasses
import io
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bioner_tf.corpora.corpus import TOKEN
from bioner_tf.formats.document import (
    Annotation,
    Document,
    Note,
    Passage,
    Relation,
    join_passages,
    mention,
)
from bioner_tf.formats.registry import FOLDER_WRITERS, READERS, WRITERS, recognise

# Few examples of many kinds of characters: the tests take seconds.
quick = settings(max_examples=30, deadline=None)

CHARACTERS = st.characters(exclude_categories=["Cs"])
# What XML can hold, too.
XML_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
LINE_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t")


@st.composite
def spans(draw, text, most_parts=3):
    """The parts of a mention; each has at least one character."""
    places = st.integers(0, len(text))
    cuts = sorted(draw(st.sets(places, min_size=2, max_size=2 * most_parts)))
    return tuple(zip(cuts[0::2], cuts[1::2]))


@st.composite
def annotations(draw, text, most_parts=3, most=5):
    found = []
    for number in range(draw(st.integers(0, most)) if text else 0):
        parts = draw(spans(text, most_parts))
        found.append(Annotation(parts, draw(WORDS), mention(text, parts), id=f"T{number + 1}"))
    return tuple(found)


def details(annotation, draw, values):
    """The same annotation with a score, a source and infons, or without."""
    score = draw(st.none() | st.integers(0, 1_000_000).map(lambda millionths: millionths / 1e6))
    infons = draw(st.dictionaries(WORDS.map("x{}".format), values, max_size=2))
    source = draw(st.just("") | WORDS)
    return dataclasses.replace(annotation, score=score, source=source, infons=infons)


@st.composite
def documents(draw, characters=CHARACTERS):
    """All that a document can have; annotations in the order of the text."""
    texts = st.text(characters, max_size=30)
    infons = st.dictionaries(WORDS.map("x{}".format), texts, max_size=2)
    passages = []
    offset = 0
    for _ in range(draw(st.integers(0, 4))):
        offset += draw(st.integers(0, 3))
        kind = draw(st.just("") | WORDS)
        passages.append(Passage(offset, draw(texts), kind, draw(infons)))
        offset = passages[-1].end
    passages = tuple(passages)
    text = Document("", passages).text
    found = [details(a, draw, texts) for a in draw(annotations(text))]
    ids = [a.id for a in found]
    relations = []
    for number in range(draw(st.integers(0, 2))):
        name = f"R{number + 1}"
        nodes = concepts = ()
        if ids and draw(st.booleans()):
            nodes = tuple(draw(st.lists(st.tuples(WORDS, st.sampled_from(ids)), min_size=1)))
        else:
            roles = draw(st.sets(WORDS.map("x{}".format), min_size=1, max_size=3))
            concepts = tuple((role, draw(texts)) for role in sorted(roles))
        relations.append(
            Relation(draw(WORDS), nodes, concepts, draw(infons) if nodes else {}, name)
        )
    return Document(draw(WORDS), passages, tuple(found), tuple(relations), infons=draw(infons))


def round_trip(name, given_documents):
    """Writes documents, checks that the format is recognised, and reads them again."""
    losses: Counter[str] = Counter()
    content = b"".join(WRITERS[name](given_documents, losses))
    if given_documents:
        assert recognise("in", content[:4096]) == name
    return list(READERS[name](io.BytesIO(content), "in")), +losses


def in_order(document):
    """BioC groups annotations by passages."""
    ordered = sorted(document.annotations, key=lambda a: a.id)
    return dataclasses.replace(document, annotations=tuple(ordered))


@quick
@given(st.lists(documents(), max_size=3), st.lists(st.text(LINE_CHARACTERS), max_size=2))
def test_json_lines_hold_everything(many, lines):
    notes = tuple(Note("brat", line) for line in lines)
    many = [dataclasses.replace(document, notes=notes) for document in many]
    assert round_trip("jsonl", many) == (many, {})


@quick
@given(st.lists(documents(), max_size=3))
def test_bioc_json_holds_all_but_notes(many):
    found, losses = round_trip("bioc_json", many)
    assert list(map(in_order, found)) == list(map(in_order, many))
    assert losses == {}


@quick
@given(st.lists(documents(XML_CHARACTERS), max_size=3))
def test_bioc_xml_holds_all_but_notes(many):
    found, losses = round_trip("bioc_xml", many)
    assert list(map(in_order, found)) == list(map(in_order, many))
    assert losses == {}


@quick
@given(st.lists(documents(CHARACTERS), max_size=2))
def test_what_xml_cannot_hold_is_counted(many):
    content = "".join(str(document) for document in many)
    found, losses = round_trip("bioc_xml", many)
    assert [d.id for d in found] == [d.id for d in many]
    assert [len(d.text) for d in found] == [len(d.text) for d in many]
    assert not losses or any(not c.isprintable() for c in content) or "\\" in content


@st.composite
def pubtator_documents(draw):
    title, abstract = draw(st.text(LINE_CHARACTERS)), draw(st.text(LINE_CHARACTERS))
    pieces = [Passage(0, title, "title"), Passage(len(title) + 1, abstract, "abstract")]
    passages = tuple(piece for piece in pieces if piece.text)
    found = []
    for annotation in draw(annotations(Document("", passages).text, most_parts=1)):
        values = draw(st.lists(st.text(LINE_CHARACTERS), max_size=2))
        infons = dict(zip(("identifier", "mentions"), values))
        found.append(dataclasses.replace(annotation, infons=infons, id=""))
    concepts = st.lists(st.tuples(st.just(""), WORDS), min_size=1, max_size=3).map(tuple)
    relations = draw(st.lists(st.builds(Relation, WORDS, concepts=concepts), max_size=2))
    return Document(draw(WORDS), passages, tuple(found), tuple(relations))


@quick
@given(st.lists(pubtator_documents(), max_size=3))
def test_pubtator_holds_titles_abstracts_annotations_and_relations(many):
    assert round_trip("pubtator", many) == (many, {})


@quick
@example([Document("A", (Passage(1, ""),), (Annotation(((0, 1),), "X", "\n"),))], "pubtator")
@example(
    [Document("A", (Passage(0, "t"), Passage(2, "")), (Annotation(((0, 2),), "X", "t\n"),))],
    "pubtator",
)
@given(st.lists(documents(), max_size=2), st.sampled_from(["pubtator", "conll", "bioc_xml"]))
def test_what_is_left_of_a_document_is_read_again(many, name):
    """Whatever a format cannot hold: what it writes is well-formed, with the right offsets."""
    found, losses = round_trip(name, many)
    if not losses.get("document ids"):
        assert [document.id for document in found] == [document.id for document in many]
    # Once in the format, nothing more is lost.
    again, _ = round_trip(name, found)
    assert again == found


@st.composite
def brat_documents(draw):
    text = draw(st.text(CHARACTERS, max_size=40))
    found = draw(annotations(text))
    ids = [annotation.id for annotation in found]
    relations = []
    if ids and draw(st.booleans()):
        nodes = tuple(draw(st.lists(st.tuples(WORDS, st.sampled_from(ids)), min_size=1)))
        relations.append(Relation(draw(WORDS), nodes, id="R1"))
    line = st.text(LINE_CHARACTERS).map("#1\tAnnotatorNotes T1\t{}".format)
    notes = draw(st.lists(line.map(lambda one: Note("brat", one)), max_size=2))
    passages = (Passage(0, text),) if text else ()
    return Document(draw(WORDS), passages, found, tuple(relations), tuple(notes))


@quick
@given(brat_documents())
def test_brat_holds_discontinuous_mentions_relations_and_notes(document):
    losses: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        FOLDER_WRITERS["brat"]([document], Path(folder), losses)
        path = Path(folder) / f"{document.id}.txt"
        content = path.read_bytes()
        assert recognise(str(path), content) == "brat"
        assert list(READERS["brat"](io.BytesIO(content), str(path))) == [document]
    assert not +losses


@st.composite
def conll_documents(draw):
    sentences = []
    words = st.text(LINE_CHARACTERS, min_size=1).flatmap(
        lambda text: st.sampled_from(TOKEN.findall(text) or ["x"])
    )
    for _ in range(draw(st.integers(0, 3))):
        sentences.append(" ".join(draw(st.lists(words, min_size=1, max_size=5))))
    passages = join_passages(Passage(0, sentence, "sentence") for sentence in sentences)
    found = []
    for passage in passages:
        tokens = [match.span() for match in TOKEN.finditer(passage.text)]
        first = draw(st.integers(0, len(tokens) - 1))
        last = draw(st.integers(first, len(tokens) - 1))
        start, end = tokens[first][0], tokens[last][1]
        part = (passage.offset + start, passage.offset + end)
        found.append(Annotation((part,), draw(WORDS), passage.text[start:end]))
    # A single O is the tag of the line that starts a document.
    name = draw(st.just("") | WORDS.filter(lambda word: word != "O"))
    return Document(name, passages, tuple(found))


@quick
@given(st.lists(conll_documents(), max_size=3))
def test_conll_holds_sentences_and_entities_of_whole_tokens(many):
    assert round_trip("conll", many) == (many, {})


@pytest.mark.parametrize("name", WRITERS)
def test_no_documents_are_a_well_formed_file(name):
    content = b"".join(WRITERS[name]([], Counter()))
    if name in READERS:
        assert list(READERS[name](io.BytesIO(content), "in")) == []
