"""BioC JSON: collections, lists of documents, or a document a line, as in PubTator Central."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from bioner_tf.formats.bioc import SOURCE, from_documents, to_document
from bioner_tf.formats.document import MAX_CHARACTERS, Document, DocumentError, Item, Reject

# The keys whose lists hold the documents: BioC's own, and that of PubTator 3.
_LISTS = ("documents", "PubTator3")
_SPACE = " \t\r\n"
_BLOCK = 1 << 16


def looks_like_bioc_json(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    keys = (b'"documents"', b'"PubTator3"', b'"passages"')
    return head.lstrip().startswith((b"{", b"[")) and any(key in head for key in keys)


def read_bioc_json(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a file; its documents are parsed one by one.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        Its documents.
    """
    scanner = _Scanner(stream)
    try:
        while scanner.peek():
            yield from _read_value(scanner, name)
    except (DocumentError, ValueError, RecursionError) as error:  # also malformed UTF-8
        yield Reject(f"{name}:{scanner.line}", f"expected JSON: {error}")


def _read_value(scanner: _Scanner, name: str) -> Iterator[Item]:
    """Reads a collection, a list of documents or one document."""
    line = scanner.line
    if scanner.peek() == "[":
        yield from _read_list(scanner, name)
        return
    scanner.skip("{")
    value: dict[str, Any] = {}
    holds_documents = False
    while scanner.peek() != "}":
        key = scanner.parse()
        scanner.skip(":")
        if key in _LISTS and scanner.peek() == "[":
            holds_documents = True
            yield from _read_list(scanner, name)
        else:
            value[key] = scanner.parse()
        if scanner.peek() != "}":
            scanner.skip(",")
    scanner.skip("}")
    if not holds_documents:
        yield _convert(value, f"{name}:{line}")


def _read_list(scanner: _Scanner, name: str) -> Iterator[Item]:
    scanner.skip("[")
    while scanner.peek() != "]":
        place = f"{name}:{scanner.line}"
        yield _convert(scanner.parse(), place)
        if scanner.peek() != "]":
            scanner.skip(",")
    scanner.skip("]")


def _convert(value: Any, place: str) -> Item:
    try:
        if not isinstance(value, dict) or "passages" not in value:
            raise DocumentError('expected a BioC document with "passages"')
        # A lone surrogate, "\ud800", is no text.
        json.dumps(value, ensure_ascii=False).encode()
        return to_document(value)
    except (DocumentError, ValueError) as error:
        return Reject(place, str(error))


class _Scanner:
    """Parses JSON values from a stream.

    Attributes:
        line: The line of the next character.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._parse = json.JSONDecoder().raw_decode
        self._buffer = ""
        self._place = 0
        self._ended = False
        self.line = 1

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._place < len(self._buffer) and self._buffer[self._place] in _SPACE:
                self._advance(self._place + 1)
            if self._place < len(self._buffer) or not self._fill(_BLOCK):
                return self._buffer[self._place : self._place + 1]

    def skip(self, character: str) -> None:
        """Passes over a character, which must come next."""
        found = self.peek()
        if found != character:
            raise DocumentError(f"expected {character!r}, got {found!r}")
        self._advance(self._place + 1)

    def parse(self) -> Any:
        """Parses the next value."""
        self.peek()
        wanted = _BLOCK
        while True:
            try:
                value, end = self._parse(self._buffer, self._place)
                # A number may go on in the next block.
                if end < len(self._buffer) or self._ended:
                    self._advance(end)
                    return value
            except ValueError:
                if self._ended:
                    raise
            if len(self._buffer) > MAX_CHARACTERS:
                raise DocumentError(f"expected at most {MAX_CHARACTERS} characters in a document")
            # Twice as much each time: a long value is not parsed too often.
            self._fill(wanted)
            wanted *= 2

    def _advance(self, place: int) -> None:
        self.line += self._buffer.count("\n", self._place, place)
        self._place = place

    def _fill(self, size: int) -> bool:
        """Reads more; False if there is no more."""
        block = self._stream.read(size)
        self._ended = not block
        text = self._decoder.decode(block, final=self._ended)
        self._buffer = self._buffer[self._place :] + text
        self._place = 0
        return not self._ended


def write_bioc_json(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes a collection, a document a line.

    Args:
        documents: Those without an id get their number.
        losses: Counts what the format cannot hold.

    Yields:
        The start, each document, the end.
    """
    start = {"source": SOURCE, "date": "", "key": "", "infons": {}}
    yield (json.dumps(start)[:-1] + ', "documents": [').encode()
    separator = "\n"
    for value in from_documents(documents, losses):
        yield (separator + json.dumps(value, ensure_ascii=False)).encode()
        separator = ",\n"
    yield b"\n]}\n"
