from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from bioner_tf.formats.document import Annotation, Document, Passage, mention
from bioner_tf.formats.html import write_html

VOID = {"meta", "input"}


class Page(HTMLParser):
    """Collects the text of each section, without labels, and the marks; checks the nesting."""

    def __init__(self, content):
        super().__init__()
        self.sections, self.marks, self.open, self.scripts = [], [], [], 0
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        if tag == "section":
            self.sections.append("")
        if tag == "span" and "data-n" in dict(attributes):
            self.marks.append((dict(attributes), len(self.sections) - 1))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "section" in self.open and self.open[-1] != "i":
            self.sections[-1] += data


def write(*documents):
    losses = Counter()
    return b"".join(write_html(documents, losses)).decode(), +losses


def test_a_page_shows_everything_and_runs_nothing():
    attack = "<script>alert(1)</script> & \"p53\" 'x' \x00"
    document = Document(
        attack,
        (Passage(0, attack, attack),),
        (Annotation(((0, 8),), attack, "<script>", 0.5, attack, {attack: attack}),),
    )
    content, losses = write(document)
    assert content.count("<script") == 1
    page = Page(content)
    assert page.scripts == 1
    assert page.sections == [attack.replace("\x00", "\ufffd")]
    assert losses == {}
    for outside in ("http:", "https:", "src="):
        assert outside not in content


def test_overlapping_and_discontinuous_annotations_are_marked():
    annotations = (
        Annotation(((0, 4),), "Gene", "abcd", 0.25),
        Annotation(((2, 6),), "Disease", "cdef"),
        Annotation(((0, 1), (5, 7)), "Gene", "a fg"),
    )
    page = Page(write(Document("", (Passage(0, "abcdefgh"),), annotations))[0])
    assert page.sections == ["abcdefgh"]
    # Each piece between two borders is a mark of its own.
    assert Counter(mark["data-n"] for mark, _ in page.marks) == {"0": 3, "1": 3, "2": 3}
    assert {mark["data-t"] for mark, _ in page.marks} == {"0", "1"}
    levels = {mark["data-n"]: mark["style"] for mark, _ in page.marks}
    assert len(set(levels.values())) == 3


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_text_with_any_annotations_is_well_formed(data):
    texts = data.draw(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), max_size=3))
    passages, offset = [], 0
    for text in texts:
        passages.append(Passage(offset, text))
        offset += len(text) + 1
    document = Document("", tuple(passages))
    whole = document.text
    annotations = []
    for _ in range(data.draw(st.integers(0, 4)) if whole else 0):
        cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), min_size=2, max_size=4)))
        spans = tuple(zip(cuts[0::2], cuts[1::2]))
        annotations.append(Annotation(spans, "Gene", mention(whole, spans), 0.5))
    content, _ = write(Document("", tuple(passages), tuple(annotations)))
    page = Page(content)
    assert page.sections == texts
