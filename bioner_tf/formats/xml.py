"""Reads XML record by record, and refuses what attacks a parser.

Entities that a file defines are refused (so nothing expands and nothing outside is read), and so
are records that are too deep or too large. The memory does not grow with the number of records.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from typing import BinaryIO, NamedTuple, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from bioner_tf.formats.document import MAX_CHARACTERS, DocumentError, Reject

MAX_DEPTH = 200
# An element takes memory even if it is empty.
_CHARACTERS_OF_ELEMENT = 100
# The most bytes of one tag, comment or the like.
_MAX_TOKEN = 1 << 24
_BLOCK = 1 << 16
# What XML cannot hold, not even as a character reference.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*)")


class Record(NamedTuple):
    """An element of a file.

    Attributes:
        line: The line where it starts.
        element: The element with all that is in it.
    """

    line: int
    element: Element


def root_name(head: bytes) -> str:
    """The name of the first element of an XML file; "" if the file is not XML."""
    start = head.lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    if not start.startswith(b"<"):
        return ""
    match = _ROOT.search(re.sub(rb"<!--.*?-->", b"", start, flags=re.DOTALL))
    return match[1].decode("ascii", "replace") if match else ""


def read_records(
    stream: BinaryIO, name: str, tags: Collection[str], max_characters: int = MAX_CHARACTERS
) -> Iterator[Record | Reject]:
    """Reads the elements with certain names, wherever they are in the file.

    Args:
        stream: The file.
        name: Its name, for messages.
        tags: The names of the elements.
        max_characters: The most that a record may hold; an element counts as 100 characters.

    Yields:
        Each element; in the end a Reject if the file is malformed or refused from there on.
    """
    parser = _Parser(tags, max_characters)
    fed = 0
    ended = False
    while not ended:
        block = stream.read(_BLOCK)
        ended = not block
        reason = ""
        try:
            parser.expat.Parse(block, ended)
            fed += len(block)
            if fed - max(0, parser.expat.CurrentByteIndex) > _MAX_TOKEN:
                reason = f"expected no tag of more than {_MAX_TOKEN} bytes"
        except expat.ExpatError as error:
            reason = f"expected XML: {expat.ErrorString(error.code)}"
        except DocumentError as error:
            reason = str(error)
        yield from parser.take_records()
        if reason:
            yield Reject(f"{name}:{parser.expat.CurrentLineNumber}", reason)
            return


class _Parser:
    def __init__(self, tags: Collection[str], max_characters: int) -> None:
        self._tags = frozenset(tags)
        self._max_characters = max_characters
        self._records: list[Record] = []
        self._builder: TreeBuilder | None = None
        self._depth = 0  # in the file
        self._record_depth = 0
        self._record_line = 0
        self._characters = 0
        self.expat = expat.ParserCreate()
        self.expat.buffer_text = True
        self.expat.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.CharacterDataHandler = self._data
        self.expat.EntityDeclHandler = _refuse_entity
        self.expat.SkippedEntityHandler = _refuse_unknown_entity

    def take_records(self) -> list[Record]:
        """The records that are complete since the last call."""
        records, self._records = self._records, []
        return records

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise DocumentError(f"expected at most {MAX_DEPTH} elements inside each other")
        if self._builder is None and tag in self._tags:
            self._builder = TreeBuilder()
            self._record_depth, self._characters = self._depth, 0
            self._record_line = self.expat.CurrentLineNumber
        if self._builder is not None:
            self._count(_CHARACTERS_OF_ELEMENT + sum(map(len, attributes.values())))
            self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        if self._builder is not None:
            self._builder.end(tag)
            if self._depth == self._record_depth:
                self._records.append(Record(self._record_line, self._builder.close()))
                self._builder = None
        self._depth -= 1

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._count(len(text))
            self._builder.data(text)

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > self._max_characters:
            raise DocumentError(
                f"expected at most {self._max_characters} characters in a record, got more"
            )


def _refuse_entity(name: str, *_: object) -> NoReturn:
    raise DocumentError(f"expected no definitions of entities, got one of &{name};")


def _refuse_unknown_entity(name: str, is_parameter: bool) -> None:
    if not is_parameter:
        raise DocumentError(f"expected characters, got the unknown entity &{name};")


def replace_forbidden(text: str) -> tuple[str, int]:
    """Replaces the characters that XML cannot hold by U+FFFD; also returns how many there were."""
    return _FORBIDDEN.subn("\ufffd", text)


def text_of(element: Element | None) -> str:
    """The text of an element and of all inside it, white space as single spaces."""
    return "" if element is None else " ".join("".join(element.itertext()).split())
