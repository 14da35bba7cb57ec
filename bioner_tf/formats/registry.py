"""The table of document formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Callable, NamedTuple

from bioner_tf.formats.annotation import Entity
from bioner_tf.formats.highlight import to_brackets, to_colours
from bioner_tf.formats.jsonl import to_json
from bioner_tf.formats.text import read_texts

# (lines of bytes, name of the stream) -> texts.
Reader = Callable[[Iterable[bytes], str], Iterator[str]]
# (text, its entities) -> a line.
Writer = Callable[[str, Sequence[Entity]], str]


class Format(NamedTuple):
    """A document format.

    Attributes:
        help: The content of a line, for the commands' help.
        read: Reads texts; None if the format is only for output.
        write: Writes a text with its entities; None if the format is only for input.
        write_to_terminal: Used instead of ``write`` if the output is a terminal.
    """

    help: str
    read: Reader | None = None
    write: Writer | None = None
    write_to_terminal: Writer | None = None


FORMATS = {
    "text": Format("one text a line", read=read_texts),
    "jsonl": Format("one JSON object a line, for programs", write=to_json),
    "highlight": Format(
        "the text with its entities marked, for people to read",
        write=to_brackets,
        write_to_terminal=to_colours,
    ),
}
READERS = {name: entry.read for name, entry in FORMATS.items() if entry.read}
WRITERS = {name: entry.write for name, entry in FORMATS.items() if entry.write}


def find_writer(name: str, on_terminal: bool) -> Writer:
    """The writer of a format in ``WRITERS``, for a terminal or for other outputs."""
    return (on_terminal and FORMATS[name].write_to_terminal) or WRITERS[name]


def describe(names: Iterable[str]) -> str:
    """Describes formats for a flag's help."""
    return "; ".join(f"{name}: {FORMATS[name].help}" for name in names) + "."
