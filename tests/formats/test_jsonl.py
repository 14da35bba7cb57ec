from __future__ import annotations

from bioner_tf.formats.annotation import Entity
from bioner_tf.formats.jsonl import to_json


def test_a_line_has_the_text_and_the_entities_with_rounded_scores():
    line = to_json("\u00e9 p53", [Entity(2, 5, "Gene", "p53", 0.98765432)])
    assert line == (
        '{"text": "\u00e9 p53", "entities": '
        '[{"start": 2, "end": 5, "type": "Gene", "text": "p53", "score": 0.987654}]}'
    )
