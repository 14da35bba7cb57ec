"""Opens files to read: unpacks gzip, refuses other compressed and binary data."""

from __future__ import annotations

import codecs
import contextlib
import glob
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, cast

from bioner_tf.errors import BionerError
from bioner_tf.files import GZIP_MAGIC, compressed_kind, is_utf_16

STANDARD_STREAM = "-"
GZIP_SUFFIX = ".gz"
# How much of a file tells its format.
_HEAD_BYTES = 1 << 16
_MAGIC = (b"%PDF-", b"\x7fELF", b"\x89PNG", b"\xff\xd8\xff")


class Opened(NamedTuple):
    """An input that is open.

    Attributes:
        stream: Its content, unpacked.
        head: The first bytes of the content without a byte order mark; the stream has them, too.
        interactive: True if somebody types it.
    """

    stream: BinaryIO
    head: bytes
    interactive: bool


def find_inputs(patterns: Iterable[str]) -> list[str]:
    """Finds the files that are meant.

    Args:
        patterns: Files, folders (all files in them, but hidden ones), patterns like ``*.xml``;
            ``"-"`` is standard input.

    Returns:
        The names of the files, folders and patterns in alphabetical order. The annotations of
        BRAT are left out: they are read with their text.

    Raises:
        BionerError: If there is no such file.
    """
    found: list[str] = []
    for pattern in patterns:
        if pattern == STANDARD_STREAM:
            names = [pattern]
        elif os.path.exists(pattern):
            names = list(_files_in(pattern))
        else:
            names = [name for path in sorted(glob.glob(pattern)) for name in _files_in(path)]
        if not names:
            raise BionerError(f"{pattern}: expected a file to read, found none")
        found += names
    return found


def _files_in(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            is_beside_text = suffix == ".ann" and f"{stem}.txt" in names
            if not name.startswith(".") and not is_beside_text:
                yield os.path.join(folder, name)


@contextlib.contextmanager
def open_input(name: str) -> Iterator[Opened]:
    """Opens a file, or standard input for ``"-"``.

    Raises:
        BionerError: If it cannot be read, is binary, or is compressed other than by gzip.
    """
    with contextlib.ExitStack() as stack:
        if name == STANDARD_STREAM:
            source = sys.stdin.buffer
        else:
            source = stack.enter_context(open(name, "rb"))
        interactive = source.isatty()
        head = _read_head(source)
        stream: BinaryIO
        if head.startswith(GZIP_MAGIC):
            unpacked = cast(BinaryIO, _Gzip(_Prefixed(head, source), name))
            head = _read_head(unpacked)
            stream = _buffered(_Prefixed(head, unpacked))
        else:
            stream = _buffered(_Prefixed(head, source))
        _check(head, name)
        yield Opened(stream, head.removeprefix(codecs.BOM_UTF8), interactive)


def _check(head: bytes, name: str) -> None:
    if compressed := compressed_kind(head):
        kind, unpack = compressed
        raise BionerError(
            f"{name}: expected text, got {kind} data; unpack it first: {unpack} | bioner-tag"
        )
    start = head[:1024]
    if is_utf_16(start) or start.startswith(_MAGIC) or 4 * start.count(0) > len(start):
        raise BionerError(
            f"{name}: expected UTF-8 text, got binary data; convert it to UTF-8 first"
        )


def _read_head(stream: BinaryIO) -> bytes:
    """The first bytes: what a pipe or a terminal has ready, with the first line's start."""
    read = getattr(stream, "read1", stream.read)
    return cast(bytes, read(_HEAD_BYTES))


def _buffered(raw: _Prefixed) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(raw, _HEAD_BYTES))


class _Prefixed(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._read = getattr(rest, "read1", rest.read)

    def readable(self) -> bool:
        """True: it is a source."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Reads what is ready, so that a line that somebody types is read at once."""
        block, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        if not block:
            block = self._read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


class _Gzip(gzip.GzipFile):
    """Unpacks gzip; damaged data ends in one clear line."""

    def __init__(self, stream: _Prefixed, name: str) -> None:
        super().__init__(fileobj=_buffered(stream), mode="rb")
        self._shown_name = name

    def read1(self, size: int = -1) -> bytes:
        """Reads what is ready."""
        try:
            return super().read1(size)
        except (OSError, EOFError, zlib.error) as error:
            raise BionerError(f"{self._shown_name}: damaged gzip data: {error}") from None
