from __future__ import annotations

import io

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.formats.document import Document, Passage
from bioner_tf.formats.text import read_document, read_lines


def test_each_line_is_a_document_without_an_id():
    items = list(read_lines(io.BytesIO(b"the gene\r\n\nBRCA1 \xff"), "in.txt"))
    assert items == [Document("", (Passage(0, t),)) for t in ("the gene", "", "BRCA1 \ufffd")]


def test_lines_that_end_in_cr_only_are_refused():
    with pytest.raises(BionerError, match="got CR only"):
        list(read_lines(io.BytesIO(b"the gene\rBRCA1\r"), "-"))


@pytest.mark.parametrize(
    ("name", "expected"), [("a/12.txt", "12"), ("a/12.txt.gz", "12"), ("-", ""), ("x.y.md", "x.y")]
)
def test_a_file_is_a_document_with_its_name(name, expected):
    [document] = read_document(io.BytesIO(b"the\r\ngene\n"), name)
    assert document == Document(expected, (Passage(0, "the\r\ngene\n"),))
