from __future__ import annotations

from bioner_tf.formats.annotation import Entity
from bioner_tf.formats.highlight import to_brackets, to_colours


def test_highlights_mark_the_entities():
    text = "a BRCA1, p53."
    entities = [Entity(2, 7, "Gene", "BRCA1", 0.981), Entity(9, 12, "Gene", "p53", 0.5)]
    assert to_brackets(text, entities) == "a [BRCA1|Gene 0.98], [p53|Gene 0.50]."
    coloured = to_colours(text, entities)
    assert coloured.count("\x1b[0m") == 4
    for piece in ("BRCA1", "Gene 0.98", "p53"):
        assert piece in coloured
    assert to_brackets(text, []) == to_colours(text, []) == text
