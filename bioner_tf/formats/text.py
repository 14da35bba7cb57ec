"""Plain text: one text a line, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bioner_tf.errors import BionerError

# Kind, first bytes, command that writes the content to standard output.
_COMPRESSED = (
    ("gzip", b"\x1f\x8b", "gzip -cd FILE"),
    ("zip", b"PK\x03\x04", "unzip -p FILE"),
    ("bzip2", tuple(b"BZh%d1AY&SY" % level for level in range(1, 10)), "bzip2 -cd FILE"),
    ("xz", b"\xfd7zXZ\x00", "xz -cd FILE"),
    ("zstd", b"\x28\xb5\x2f\xfd", "zstd -cd FILE"),
)


def read_texts(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """Yields the lines of a stream without their line ends; malformed UTF-8 becomes U+FFFD.

    Args:
        stream: Lines of bytes.
        name: What messages call the stream.

    Raises:
        BionerError: The stream is compressed or binary, or only CR ends its lines.
    """
    for number, line in enumerate(stream):
        if number == 0:
            _check_start(line, name)
        if line.endswith(b"\n"):
            line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        yield line.decode("utf-8", "replace")


def _check_start(line: bytes, name: str) -> None:
    """Refuses a stream whose first line shows that it does not hold one text a line."""
    for kind, start, unpack in _COMPRESSED:
        if line.startswith(start):
            raise BionerError(
                f"{name}: expected text, got {kind} data; unpack it first: {unpack} | bioner-tag"
            )
    head = line[:1024]
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"%PDF-")) or 4 * head.count(0) > len(head):
        raise BionerError(
            f"{name}: expected UTF-8 text, got binary data; convert it to UTF-8 first"
        )
    if not line.endswith(b"\n") and b"\r" in line.rstrip(b"\r"):
        raise BionerError(
            f"{name}: expected lines that end in LF, got CR only; convert them: tr '\\r' '\\n'"
        )
