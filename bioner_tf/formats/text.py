"""Plain text: one text a line, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bioner_tf.errors import BionerError
from bioner_tf.files import compressed_kind, is_utf_16


def read_texts(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """Yields the lines of a stream without their line ends; malformed UTF-8 becomes U+FFFD.

    Args:
        stream: Lines of bytes.
        name: The name of the stream in messages.

    Raises:
        BionerError: If the stream is compressed or binary, or its lines end in CR only.
    """
    for number, line in enumerate(stream):
        if number == 0:
            _check_start(line, name)
        if line.endswith(b"\n"):
            line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        yield line.decode("utf-8", "replace")


def _check_start(line: bytes, name: str) -> None:
    """Refuses a stream whose first line shows that it does not hold one text a line."""
    if compressed := compressed_kind(line):
        kind, unpack = compressed
        raise BionerError(
            f"{name}: expected text, got {kind} data; unpack it first: {unpack} | bioner-tag"
        )
    head = line[:1024]
    if is_utf_16(head) or head.startswith(b"%PDF-") or 4 * head.count(0) > len(head):
        raise BionerError(
            f"{name}: expected UTF-8 text, got binary data; convert it to UTF-8 first"
        )
    if not line.endswith(b"\n") and b"\r" in line.rstrip(b"\r"):
        raise BionerError(
            f"{name}: expected lines that end in LF, got CR only; convert it: tr '\\r' '\\n'"
        )
