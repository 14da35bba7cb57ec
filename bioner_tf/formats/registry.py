"""The table of document formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Callable, NamedTuple

from bioner_tf.errors import BionerError
from bioner_tf.formats.bioc_json import looks_like_bioc_json, read_bioc_json, write_bioc_json
from bioner_tf.formats.bioc_xml import looks_like_bioc_xml, read_bioc_xml, write_bioc_xml
from bioner_tf.formats.brat import looks_like_brat, read_brat, write_brat
from bioner_tf.formats.conll import looks_like_conll, read_conll, write_conll
from bioner_tf.formats.document import Document, Item
from bioner_tf.formats.highlight import write_brackets, write_colours
from bioner_tf.formats.html import write_html
from bioner_tf.formats.jats import looks_like_jats, read_jats
from bioner_tf.formats.jsonl import looks_like_jsonl, read_jsonl, write_jsonl
from bioner_tf.formats.pubmed_xml import looks_like_pubmed_xml, read_pubmed_xml
from bioner_tf.formats.pubtator import looks_like_pubtator, read_pubtator, write_pubtator
from bioner_tf.formats.text import read_document, read_lines
from bioner_tf.formats.xml import root_name

# (content, name for messages) -> documents and rejects, in the order of the file.
Reader = Callable[[BinaryIO, str], Iterator[Item]]
# (documents, counts of what the format cannot hold) -> pieces of the file.
Writer = Callable[[Iterable[Document], "Counter[str]"], Iterator[bytes]]
# (documents, a folder that exists, counts of what the format cannot hold).
FolderWriter = Callable[[Iterable[Document], Path, "Counter[str]"], None]


class Format(NamedTuple):
    """A document format.

    Attributes:
        help: What it is, for the commands' help.
        read: Reads documents; None if the format is only for output.
        write: Writes documents into a file; None if the format is not for that.
        write_to_terminal: Used instead of ``write`` if the output is a terminal.
        write_folder: Writes documents into a folder; None if the format is not for that.
        looks_like: Tells the format by a file's first bytes.
        is_beside: Tells the format by what stands beside a file: (name, first bytes).
    """

    help: str
    read: Reader | None = None
    write: Writer | None = None
    write_to_terminal: Writer | None = None
    write_folder: FolderWriter | None = None
    looks_like: Callable[[bytes], bool] | None = None
    is_beside: Callable[[str, bytes], bool] | None = None


FORMATS = {
    "text": Format("one text a line", read=read_lines),
    "document": Format("a plain-text file is one document", read=read_document),
    "jsonl": Format(
        "one JSON object a line, for programs",
        read=read_jsonl,
        write=write_jsonl,
        looks_like=looks_like_jsonl,
    ),
    "conll": Format(
        "a token and its tag a line",
        read=read_conll,
        write=write_conll,
        looks_like=looks_like_conll,
    ),
    "brat": Format(
        "BRAT standoff, a .txt and an .ann file for each document; the output is a folder",
        read=read_brat,
        write_folder=write_brat,
        is_beside=looks_like_brat,
    ),
    "pubtator": Format(
        "PubTator",
        read=read_pubtator,
        write=write_pubtator,
        looks_like=looks_like_pubtator,
    ),
    "bioc_xml": Format(
        "BioC XML",
        read=read_bioc_xml,
        write=write_bioc_xml,
        looks_like=looks_like_bioc_xml,
    ),
    "bioc_json": Format(
        "BioC JSON",
        read=read_bioc_json,
        write=write_bioc_json,
        looks_like=looks_like_bioc_json,
    ),
    "pubmed_xml": Format(
        "sets of articles as PubMed distributes them",
        read=read_pubmed_xml,
        looks_like=looks_like_pubmed_xml,
    ),
    "jats": Format("full texts of PubMed Central", read=read_jats, looks_like=looks_like_jats),
    "html": Format("a page with the entities marked, to open in a browser", write=write_html),
    "highlight": Format(
        "the text with its entities marked, for people to read",
        write=write_brackets,
        write_to_terminal=write_colours,
    ),
}
READERS = {name: entry.read for name, entry in FORMATS.items() if entry.read}
WRITERS = {name: entry.write for name, entry in FORMATS.items() if entry.write}
FOLDER_WRITERS = {n: entry.write_folder for n, entry in FORMATS.items() if entry.write_folder}


def recognise(name: str, head: bytes) -> str:
    """Tells a file's format; what looks like no other format is ``"text"``.

    Args:
        name: The file's name.
        head: Its first bytes, unpacked.

    Raises:
        BionerError: If it is XML or HTML of another kind.
    """
    for format_name, entry in FORMATS.items():
        if entry.is_beside and entry.is_beside(name, head):
            return format_name
        if entry.looks_like and entry.looks_like(head):
            return format_name
    if head.lstrip().startswith((b"<?xml", b"<!DOCTYPE", b"<html")):
        raise BionerError(
            f"{name}: expected a collection of BioC, a PubMed article set or a JATS article, got "
            f"XML that starts with <{root_name(head)}>; name the format to read it as such"
        )
    return "text"


def find_writer(name: str, on_terminal: bool) -> Writer:
    """The writer of a format in ``WRITERS``, for a terminal or for other outputs."""
    return (on_terminal and FORMATS[name].write_to_terminal) or WRITERS[name]


def describe(names: Iterable[str]) -> str:
    """Describes formats for a flag's help."""
    return "; ".join(f"{name}: {FORMATS[name].help}" for name in names) + "."
