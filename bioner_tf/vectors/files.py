"""Reads files of word vectors through gensim: GloVe text, word2vec text and word2vec binary.

The content shows the format and whether it is gzipped; the name does not matter.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, cast

import numpy as np

from bioner_tf.errors import BionerError
from bioner_tf.files import GZIP_MAGIC, PathLike, compressed_kind, is_utf_16
from bioner_tf.vectors.word_vectors import FloatArray, WordVectors

_EXPECTED_FORMAT = "expected word vectors in GloVe text, word2vec text or word2vec binary format"
_MEND_BY_FETCHING = "the file was cut or damaged: copy or download it again"
_NUMPY_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(rb"\s*(\d+)[ \t]+(\d+)\s*")
_PRINTABLE = re.compile(rb"[\t\r\n\x20-\x7e]*")
_LONGEST_LINE = 1 << 20
_BYTES_PER_VALUE = 4
_ROWS_AT_A_TIME = 1 << 16


def load_vectors(
    path: PathLike, expected_dim: int | None = None, limit: int | None = None
) -> WordVectors:
    """Loads a file of word vectors.

    Memory peaks at the size of the matrix plus that of the words.

    Args:
        path: GloVe text, word2vec text or word2vec binary, each also gzipped. Bytes of a word that
            are not UTF-8 become U+FFFD.
        expected_dim: Refuse vectors with another number of values.
        limit: Read at most this many vectors, at least 1; for a quick look at a huge file.

    Returns:
        The vectors, all finite, in the order of the file; a repeated word counts once.

    Raises:
        BionerError: If there is no such file, or it is of another format, cut, inconsistent, or of
            another dimension; naming ``path:line`` for a text file.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise BionerError(f"{path}: expected a file of word vectors, got no such file")
    try:
        layout = _detect_layout(path)
        if expected_dim is not None and layout.dim != expected_dim:
            raise BionerError(
                f"{path}: expected vectors of {expected_dim} numbers, got {layout.dim}; "
                "name other vectors or another dimension"
            )
        load = _load_binary if layout.binary else _load_text
        return load(path, layout, limit)
    except (OSError, EOFError, zlib.error) as error:
        raise BionerError(
            f"{path}: {_EXPECTED_FORMAT}, got an error: {error}; {_MEND_BY_FETCHING}"
        ) from error
    except MemoryError as error:
        raise BionerError(
            f"{path}: expected word vectors that fit into memory, got more; "
            "use a smaller file or a limit"
        ) from error


class _Layout(NamedTuple):
    """The format of a file, as its first bytes show it."""

    binary: bool
    gzipped: bool
    dim: int
    declared: int | None  # vectors, as the header says; None without a header


@contextlib.contextmanager
def _open(path: str) -> Iterator[tuple[BinaryIO, bool]]:
    """Opens a file for reading, through gzip if its content is gzipped, whatever its name."""
    with open(path, "rb") as stream:
        gzipped = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        stream.seek(0)
        if not gzipped:
            yield stream, False
            return
        with gzip.GzipFile(fileobj=stream) as unzipped:
            yield cast(BinaryIO, unzipped), True


def _detect_layout(path: str) -> _Layout:
    with _open(path) as (stream, gzipped):
        first = stream.readline(_LONGEST_LINE)
        _refuse_other_kinds(path, first)
        header = _HEADER.fullmatch(first)
        if header is None:
            printable = _PRINTABLE.fullmatch(first.partition(b" ")[2])
            if len(first) == _LONGEST_LINE or not _values_in(first) or not printable:
                raise BionerError(
                    f"{path}: {_EXPECTED_FORMAT}, got a first line of another kind; "
                    "convert the file with the tool that made it"
                )
            return _Layout(False, gzipped, _values_in(first), None)
        count, dim = map(int, header.groups())
        if not count or not dim:
            raise BionerError(
                f"{path}:1: expected a number of words and of dimensions, both at least 1, got "
                f"{count} and {dim}; {_MEND_BY_FETCHING}"
            )
        return _Layout(_is_binary(stream.read(_LONGEST_LINE), dim), gzipped, dim, count)


def _refuse_other_kinds(path: str, first: bytes) -> None:
    """Refuses a file whose first line tells that it is no file of vectors but of another kind."""
    if first.startswith(_NUMPY_MAGIC) or (first.startswith(b"PK") and b".npy" in first):
        got = "a NumPy file; write the words and their vectors as word2vec text"
    elif is_utf_16(first):
        got = "UTF-16; convert the file to UTF-8"
    elif compressed := compressed_kind(first):
        got = f"{compressed[0]} data; unpack it first: {compressed[1]}"
    else:
        return
    raise BionerError(f"{path}: {_EXPECTED_FORMAT}, got {got}")


def _is_binary(content: bytes, dim: int) -> bool:
    """Tells whether raw floats, and not text, follow the header and the first word."""
    line = content.partition(b"\n")[0]
    if _values_in(line) == dim and _are_numbers(line):
        return False
    return not _PRINTABLE.fullmatch(content.partition(b" ")[2][: _BYTES_PER_VALUE * dim])


def _load_binary(path: str, layout: _Layout, limit: int | None) -> WordVectors:
    count = cast(int, layout.declared)
    # A word has at least one byte, and a space after it.
    least = count * (2 + _BYTES_PER_VALUE * layout.dim)
    if not layout.gzipped and os.path.getsize(path) < least:
        raise BionerError(
            f"{path}: expected {count} vectors of {layout.dim} numbers as the header says, at "
            f"least {least} bytes, got {os.path.getsize(path)}; {_MEND_BY_FETCHING}"
        )
    try:
        vectors = _load_with_gensim(path, layout, limit)
    except EOFError:
        if limit is None:
            raise
        # With a limit, gensim miscounts repeated words and reports an early end of the file.
        vectors = _load_with_gensim(path, layout, None)
        vectors = WordVectors(vectors.words[:limit], vectors.matrix[:limit].copy())
    row = _first_bad_row(vectors.matrix)
    if row is not None:
        raise BionerError(
            f"{path}: expected finite numbers, got others in the vector of {vectors.words[row]!r} "
            f"(row {row}); {_MEND_BY_FETCHING}"
        )
    return vectors


def _load_text(path: str, layout: _Layout, limit: int | None) -> WordVectors:
    count = _check_lines(path, layout, limit)
    try:
        vectors = _load_with_gensim(path, layout, count)
    except ValueError:
        _refuse_values(path, layout)
    if _first_bad_row(vectors.matrix) is not None:
        _refuse_values(path, layout)
    return vectors


def _load_with_gensim(path: str, layout: _Layout, limit: int | None) -> WordVectors:
    # Here, because importing gensim takes a second and few commands need it.
    from gensim.models import KeyedVectors

    # gensim guesses the compression from the name: give it one that agrees with the content.
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
        alias = Path(directory) / ("vectors.gz" if layout.gzipped else "vectors")
        alias.symlink_to(Path(path).resolve())
        # gensim does not close a file without header; the garbage collector does.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            with np.errstate(over="ignore"):  # infinite values are reported later
                loaded = KeyedVectors.load_word2vec_format(
                    str(alias),
                    binary=layout.binary,
                    no_header=layout.declared is None,
                    limit=limit,
                    # Keeps words apart that differ in undecodable bytes only; replaced below.
                    unicode_errors="surrogateescape",
                )
        except ValueError as error:
            traceback.clear_frames(error.__traceback__)
            raise
    # Where words repeat, gensim leaves as many rows without a word at the end.
    words = [word for word in loaded.index_to_key if word is not None]
    return WordVectors(tuple(map(_replace_undecodable, words)), loaded.vectors[: len(words)])


def _replace_undecodable(word: str) -> str:
    if word.isascii():
        return word
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _check_lines(path: str, layout: _Layout, limit: int | None) -> int:
    """Checks the number of lines and of the values in each; returns how many vectors to read.

    gensim would expand a line with a single number to a whole vector.
    """
    count = 0
    for number, line in _vector_lines(path, layout):
        if count == limit:
            return count
        if count == layout.declared:
            raise BionerError(
                f"{path}:{number}: expected {layout.declared} vectors as the header says, "
                f"got more; {_MEND_BY_FETCHING}"
            )
        if _values_in(line) != layout.dim:
            raise BionerError(
                f"{path}:{number}: expected a word and {layout.dim} numbers with single spaces "
                f"between, got {_values_in(line)} after the word; mend or remove the line"
            )
        count += 1
    if layout.declared is not None and count < layout.declared:
        raise BionerError(
            f"{path}: expected {layout.declared} vectors as the header says, got {count}; "
            f"{_MEND_BY_FETCHING}"
        )
    return count


def _vector_lines(path: str, layout: _Layout) -> Iterator[tuple[int, bytes]]:
    """Yields the lines that hold vectors with their numbers; empty lines may end the file."""
    with _open(path) as (stream, _):
        empty = None
        for number, line in enumerate(stream, start=1):
            if number == 1 and layout.declared is not None:
                continue
            if not line.strip():
                empty = empty or (number, line)
                continue
            if empty:
                yield empty
                empty = None
            yield number, line


def _values_in(line: bytes) -> int:
    return line.rstrip().count(b" ")


def _are_numbers(line: bytes) -> bool:
    """Tells whether all values after the word are numbers and finite as float32."""
    try:
        values = [float(value) for value in line.rstrip().split(b" ")[1:]]
    except ValueError:
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.array(values, dtype=np.float32)).all())


def _refuse_values(path: str, layout: _Layout) -> NoReturn:
    """Names the first line whose values are not all finite numbers."""
    number = next(n for n, line in _vector_lines(path, layout) if not _are_numbers(line))
    raise BionerError(
        f"{path}:{number}: expected a word and {layout.dim} finite numbers, got something "
        "else among the values; mend or remove the line"
    )


def _first_bad_row(matrix: FloatArray) -> int | None:
    """Returns the first row with a number that is not finite."""
    for start in range(0, len(matrix), _ROWS_AT_A_TIME):
        good = np.isfinite(matrix[start : start + _ROWS_AT_A_TIME]).all(axis=1)
        if not good.all():
            return start + int(np.argmin(good))
    return None
