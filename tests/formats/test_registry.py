from __future__ import annotations

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.formats import highlight
from bioner_tf.formats.registry import (
    FOLDER_WRITERS,
    FORMATS,
    READERS,
    WRITERS,
    describe,
    find_writer,
    recognise,
)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_or_written_and_described(name):
    assert name in READERS or name in WRITERS or name in FOLDER_WRITERS
    assert FORMATS[name].help in describe([name])


def test_a_terminal_gets_its_own_writer_if_the_format_has_one():
    assert find_writer("highlight", on_terminal=True) is highlight.write_colours
    assert find_writer("highlight", on_terminal=False) is highlight.write_brackets
    assert find_writer("jsonl", on_terminal=True) is WRITERS["jsonl"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", "text"),
        (b"The BRCA1 gene.\nIt binds.\n", "text"),
        (b"<b>BRCA1</b> binds\n", "text"),
        (b"name\tvalue\nBRCA1\tO'Neill\n", "text"),
        (b"12|t|The gene\n12|a|It binds\n", "pubtator"),
        (b"\nPMC12|t|The gene", "pubtator"),
        (b"The\tO\nBRCA1\tB-Gene\n\n", "conll"),
        (b"-DOCSTART- -X- O O\n", "conll"),
        (b'{"text": "a"}\n', "jsonl"),
        (b'{"source": "x", "documents": [', "bioc_json"),
        (b'[{"id": "1", "passages": []}]', "bioc_json"),
        (b'{"PubTator3": [', "bioc_json"),
        (
            b'<?xml version="1.0"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection>',
            "bioc_xml",
        ),
        (b"\xef\xbb\xbf<!-- <article> --><PubmedArticleSet>", "pubmed_xml"),
        (b'<!DOCTYPE article PUBLIC "x" "y"><article xml:lang="en">', "jats"),
    ],
)
def test_the_start_of_a_file_tells_its_format(head, expected):
    assert recognise("in", head) == expected


def test_a_text_with_annotations_beside_it_is_brat(tmp_path):
    (tmp_path / "a.ann").touch()
    assert recognise(str(tmp_path / "a.txt"), b"The gene") == "brat"
    assert recognise(str(tmp_path / "b.txt"), b"The gene") == "text"


def test_other_xml_is_refused():
    with pytest.raises(BionerError, match=r"in: expected .* starts with <html>"):
        recognise("in", b"<!DOCTYPE html><html>")
