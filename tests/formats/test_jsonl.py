from __future__ import annotations

import io
from collections import Counter

import pytest

from bioner_tf.formats.document import Annotation, Document, Passage, Reject
from bioner_tf.formats.jsonl import looks_like_jsonl, read_jsonl, write_jsonl


def test_a_line_has_the_text_and_the_entities_with_rounded_scores():
    gene = Annotation(((2, 5),), "Gene", "p53", 0.98765432, "BC2GM")
    [line] = write_jsonl([Document("", (Passage(0, "\u00e9 p53"),), (gene,))], Counter())
    assert line.decode() == (
        '{"text": "\u00e9 p53", "entities": [{"start": 2, "end": 5, "type": "Gene", '
        '"text": "p53", "score": 0.987654, "corpus": "BC2GM"}]}\n'
    )


def test_only_the_text_must_be_there():
    items = list(read_jsonl(io.BytesIO(b'\xef\xbb\xbf{"text": "a"}\n\n{"id": 7, "text": ""}'), "x"))
    assert items == [Document("", (Passage(0, "a"),)), Document("7", (Passage(0, ""),))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": 1}', 'a string "text"'),
        ("[]", 'a string "text"'),
        ("{", "document in JSON"),
        ("[" * 100_000, "document in JSON"),
        ('{"text": "\\ud800"}', "surrogates"),
        ('{"text": "p53", "entities": [{"start": 0, "end": 4, "type": "Gene"}]}', "0 to 4"),
        ('{"text": "p53", "entities": [{"start": 2, "end": 2, "type": "Gene"}]}', "2 to 2"),
        ('{"text": "p53", "entities": [{"start": -1, "end": 2, "type": "Gene"}]}', "-1 to 2"),
        ('{"text": "p53", "entities": [{"start": 0, "end": 3}]}', "type"),
        (
            '{"text": "p53", "entities": [{"start": 0, "end": 2, "type": "G", "text": "x"}]}',
            "the mention 'x' at 0-2, got 'p5'",
        ),
        ('{"text": "p53", "passages": [{"start": 0, "end": 2}]}', "the whole text"),
    ],
)
def test_a_malformed_line_is_rejected_and_the_next_one_read(line, reason):
    rejected, document = read_jsonl(io.BytesIO(f'{line}\n{{"text": "b"}}\n'.encode()), "in.jsonl")
    assert isinstance(rejected, Reject)
    assert rejected.place == "in.jsonl:1"
    assert reason in rejected.reason
    assert document == Document("", (Passage(0, "b"),))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"text": "a", "entities": []}\n', True),
        (b'{"id": "7", "text": "a that is cut', True),
        (b'{"documents": [{"id": "7", "text": "a that is cut', False),
        (b'{"a": "text"}\n', False),
        (b"{braces} in a text\n", False),
    ],
)
def test_the_start_tells_the_format(head, expected):
    assert looks_like_jsonl(head) is expected
