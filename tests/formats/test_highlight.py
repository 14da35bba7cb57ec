from __future__ import annotations

from collections import Counter

import pytest

from bioner_tf.formats.document import Annotation, Document, Passage
from bioner_tf.formats.highlight import write_brackets, write_colours

GENES = (
    Annotation(((2, 7),), "Gene", "BRCA1", 0.981),
    Annotation(((9, 12),), "Gene", "p53", 0.5),
)
TEXT = "a BRCA1, p53."


def test_highlights_mark_the_entities():
    document = Document("", (Passage(0, TEXT),), GENES)
    losses: Counter[str] = Counter()
    [line] = write_brackets([document], losses)
    assert line.decode() == "a [BRCA1|Gene 0.98], [p53|Gene 0.50].\n"
    [line] = write_colours([document], losses)
    coloured = line.decode()
    assert coloured.count("\x1b[0m") == 4
    for piece in ("BRCA1", "Gene 0.98", "p53"):
        assert piece in coloured
    assert not +losses


@pytest.mark.parametrize("write", [write_brackets, write_colours])
def test_a_text_without_entities_stays_as_it_is(write):
    assert list(write([Document("", (Passage(0, TEXT),))], Counter())) == [f"{TEXT}\n".encode()]


def test_overlapping_annotations_are_shown_whole_and_discontinuous_ones_counted():
    inner = Annotation(((4, 7),), "Gene", "CA1")
    split = Annotation(((2, 4), (9, 12)), "Gene", "BR p53")
    document = Document("", (Passage(0, TEXT),), (inner, split, *GENES))
    losses: Counter[str] = Counter()
    [line] = write_brackets([document], losses)
    assert line.decode() == "a [BRCA1|Gene 0.98][CA1|Gene], [p53|Gene 0.50].\n"
    assert +losses == {"discontinuous annotations": 1}
