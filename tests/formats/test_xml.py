"""XML that attacks its reader."""

from __future__ import annotations

import io
import itertools

import pytest

from bioner_tf.formats import xml
from bioner_tf.formats.document import Reject
from bioner_tf.formats.xml import read_records

LAUGHS = "<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><d>&b;</d>"
OUTSIDE = "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><d>&a;</d>"
PARAMETER = "<!DOCTYPE d [<!ENTITY % a SYSTEM 'http://localhost/a.dtd'> %a;]><d>x</d>"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LAUGHS, "no definitions of entities, got one of &a;"),
        (OUTSIDE, "no definitions of entities"),
        (PARAMETER, "no definitions of entities"),
        ("<!DOCTYPE d SYSTEM 'd.dtd'><d>&nbsp;</d>", "unknown entity &nbsp;"),
        ("<d>&nbsp;</d>", "undefined entity"),
        ("<d>" * 300, "at most 200 elements"),
        ("<d>a</e>", "mismatched tag"),
        ("<d>a", "no element found"),
        ("<d>\x00</d>", "not well-formed"),
        ("", "no element found"),
    ],
)
def test_hostile_or_malformed_xml_is_rejected(content, reason):
    *records, rejected = read_records(io.BytesIO(content.encode()), "in.xml", ["d"])
    assert records == []
    assert rejected.place == "in.xml:1"
    assert reason in rejected.reason


@pytest.mark.parametrize(
    "content", ["<d>{}</d>".format("a" * 2000), "<d>{}</d>".format("<e/>" * 30)]
)
def test_a_record_that_is_too_large_is_rejected(content):
    [rejected] = read_records(io.BytesIO(content.encode()), "in.xml", ["d"], max_characters=1000)
    assert "at most 1000 characters" in rejected.reason


def test_a_tag_that_does_not_end_is_rejected(monkeypatch):
    monkeypatch.setattr(xml, "_MAX_TOKEN", 1 << 18)
    read = 0

    class Endless(io.RawIOBase):
        def read(self, size=-1):
            nonlocal read
            read += size
            return b"<a><d " + b"x" * size if read == size else b"x" * size

    [rejected] = read_records(Endless(), "in.xml", ["d"])
    assert "no tag of more than" in rejected.reason
    assert read < 1 << 20


def test_records_come_while_the_file_is_read():
    """The file has no end, so nothing of it is kept."""
    record = b"<d><e>text</e></d>\n" * 10_000

    class Endless(io.RawIOBase):
        started = False

        def read(self, size=-1):
            block, self.started = record if self.started else b"<all>", True
            return block

    records = list(itertools.islice(read_records(Endless(), "in.xml", ["d"]), 25_000))
    assert not any(isinstance(record, Reject) for record in records)
    assert [record.line for record in records[:2]] == [1, 2]
