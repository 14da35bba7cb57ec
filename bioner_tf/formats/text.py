"""Plain text in UTF-8: one text a line, or one text a file. Malformed bytes become U+FFFD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from bioner_tf.errors import BionerError
from bioner_tf.formats.document import MAX_CHARACTERS, Item, Reject, plain_document
from bioner_tf.formats.opening import GZIP_SUFFIX


def read_lines(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads one text a line.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        A document without an id for each line; the line's end is no part of the text.

    Raises:
        BionerError: If the lines end in CR only.
    """
    for number, line in enumerate(stream):
        if number == 0 and not line.endswith(b"\n") and b"\r" in line.rstrip(b"\r"):
            raise BionerError(
                f"{name}: expected lines that end in LF, got CR only; convert it: tr '\\r' '\\n'"
            )
        if line.endswith(b"\n"):
            line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        yield plain_document(line.decode("utf-8", "replace"))


def read_document(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a file as one document.

    Args:
        stream: The file.
        name: Its name; without its folder and ending it is the document's id.

    Yields:
        The document; its line breaks are as in the file.
    """
    content = stream.read(4 * MAX_CHARACTERS + 1)
    text = content.decode("utf-8", "replace")
    if len(text) > MAX_CHARACTERS:
        yield Reject(f"{name}:1", f"expected at most {MAX_CHARACTERS} characters, got more")
        return
    file = PurePath(name).name
    if file.endswith(GZIP_SUFFIX):
        file = file[: -len(GZIP_SUFFIX)]
    yield plain_document(text, "" if name == "-" else PurePath(file).stem)
