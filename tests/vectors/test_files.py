"""Files of word vectors: every format, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import math
import struct

import numpy as np
import pytest
from gensim.models import KeyedVectors

from bioner_tf.errors import BionerError
from bioner_tf.vectors.files import load_vectors

WORDS = ("the", "Gene", "1990", "β-cat", "0000", "\u00a0")
MATRIX = np.array(
    [[1, 2, 3], [-0.5, 0.25, 0], [1e-3, 1e3, 7], [10, 11, 12], [8, 8, 8], [9, 9, 9]], np.float32
)


def text_lines(words=WORDS, matrix=MATRIX):
    """Returns one line per word, with the numbers in full precision."""
    return b"".join(
        f"{word} {' '.join(repr(float(value)) for value in row)}\n".encode()
        for word, row in zip(words, matrix)
    )


def header(words=6, dim=3):
    return f"{words} {dim}\n".encode()


def binary(words=WORDS, matrix=MATRIX, between=b""):
    """``between`` follows each vector; word2vec.c writes a line feed there."""
    return header(len(words), len(matrix[0])) + b"".join(
        (word if isinstance(word, bytes) else word.encode())
        + b" "
        + struct.pack(f"<{len(row)}f", *row)
        + between
        for word, row in zip(words, matrix)
    )


FORMATS = {
    "GloVe text": text_lines(),
    "word2vec text": header() + text_lines(),
    "word2vec text with spaces at the ends": header() + text_lines().replace(b"\n", b" \n"),
    "text with an empty line at the end": header() + text_lines() + b"\n",
    "GloVe text with an empty line at the end": text_lines() + b"\n\n",
    "GloVe text without a line feed at the end": text_lines()[:-1],
    "word2vec binary": binary(),
    "word2vec.c binary": binary(between=b"\n"),
}


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write_file


def failure(path, **options):
    with pytest.raises(BionerError) as caught:
        load_vectors(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(path)
    return message[len(path) :]


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("name", ["vectors", "v.txt", "v.bin", "v.gz", "a#b.bz2"])
@pytest.mark.parametrize("form", FORMATS)
def test_format_is_told_by_content_whatever_the_name(write, form, name, zipped):
    content = gzip.compress(FORMATS[form], mtime=0) if zipped else FORMATS[form]
    vectors = load_vectors(write(content, name))
    assert vectors.words == ("the", "Gene", "0000", "β-cat", "0000", "\u00a0")
    assert vectors.matrix.dtype == np.float32
    np.testing.assert_array_equal(vectors.matrix, MATRIX)
    assert vectors.dim == 3


@pytest.mark.parametrize("as_binary", [False, True], ids=["text", "binary"])
def test_reads_what_gensim_writes(tmp_path, as_binary):
    rng = np.random.default_rng(0)
    saved = KeyedVectors(50)
    saved.add_vectors([f"word{'x' * i}" for i in range(20)], rng.normal(size=(20, 50)))
    path = tmp_path / "saved"
    saved.save_word2vec_format(str(path), binary=as_binary)
    vectors = load_vectors(path, expected_dim=50)
    assert list(vectors.words) == saved.index_to_key
    np.testing.assert_array_equal(vectors.matrix, saved.vectors.astype(np.float32))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("limit", [1, 4, 6, 100])
def test_limit(write, form, limit):
    vectors = load_vectors(write(FORMATS[form]), limit=limit)
    np.testing.assert_array_equal(vectors.matrix, MATRIX[:limit])
    assert len(vectors.words) == min(limit, 6)


@pytest.mark.parametrize("form", ["text", "binary"])
def test_of_equal_words_the_first_counts(write, form):
    words = ("a", "b", "a", "c")
    content = text_lines(words) if form == "text" else binary(words, MATRIX[:4])
    vectors = load_vectors(write(content))
    assert vectors.words == ("a", "b", "c")
    np.testing.assert_array_equal(vectors.matrix, MATRIX[[0, 1, 3]])


def test_limit_with_equal_words_in_a_large_binary(write):
    # gensim 4.4 fails on this: it counts past the limit in the second chunk of 100 kB.
    words = ["a", "a", *(f"w{'x' * i}" for i in range(100))]
    matrix = np.arange(102 * 500, dtype=np.float32).reshape(102, 500)
    vectors = load_vectors(write(binary(words, matrix)), limit=70)
    assert vectors.words == tuple(words[1:71])
    np.testing.assert_array_equal(vectors.matrix, matrix[[0, *range(2, 71)]])
    assert vectors.matrix.base is None


@pytest.mark.parametrize("form", ["text", "binary"])
def test_undecodable_words_neither_fail_nor_merge(write, form):
    words = (b"caf\xe9", b"caf\xe8", b"ok", b"cut\xe2\x82")
    if form == "text":
        lines = text_lines(("W",) * 4).split(b"\n")
        content = b"\n".join(line.replace(b"W", word) for line, word in zip(lines, words))
    else:
        content = binary(words, MATRIX[:4])
    vectors = load_vectors(write(content))
    assert vectors.words == ("caf\ufffd", "caf\ufffd", "ok", "cut\ufffd")
    np.testing.assert_array_equal(vectors.matrix, MATRIX[:4])
    for word in vectors.words:
        word.encode("utf-8")


def test_a_binary_whose_floats_hold_line_feeds_and_spaces(write):
    # 0x20 and 0x0a bytes in the floats must neither end a word nor make the file look like text.
    floats = b"\n\n\n\n" + b"    " + b"\x00\x00\x80\x3f"
    vectors = load_vectors(write(header(2) + b"a " + floats + b"b " + floats))
    np.testing.assert_array_equal(vectors.matrix, np.frombuffer(floats * 2, "<f4").reshape(2, 3))


def test_no_such_file(tmp_path):
    assert "got no such file" in failure(str(tmp_path / "none.bin"))
    assert "got no such file" in failure(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "place", "got"),
    [
        (b"", "", "got a first line of another kind"),
        (b"\n", "", "got a first line of another kind"),
        (b"lonely\n", "", "got a first line of another kind"),
        (b"a\t1\t2\n", "", "got a first line of another kind"),
        (b"\x80\x04\x95 \x00\x00pickle\n", "", "got a first line of another kind"),
        (b"a " + b"1" * (1 << 20), "", "got a first line of another kind"),
        (binary().split(b"\n", 1)[1], "", "got a first line of another kind"),
        (b"A text of words.\nAnother one.\n", ":2", "got 1 after the word"),
        (b"A text of words.\n", ":1", "got something else among the values"),
        (b"0 5\n", ":1", "got 0 and 5"),
        (b"5 0\na\n", ":1", "got 5 and 0"),
        (header(7) + text_lines(), "", "expected 7 vectors as the header says, got 6"),
        (header(), "", "expected 6 vectors as the header says, got 0"),
        (header(5) + text_lines(), ":7", "expected 5 vectors as the header says, got more"),
        (header(6, 4) + text_lines(), ":2", "a word and 4 numbers with single spaces"),
        (text_lines() + b"w 1 2\n", ":7", "got 2 after the word"),
        (text_lines() + b"w 1\n", ":7", "got 1 after the word"),
        (text_lines() + b"w\n", ":7", "got 0 after the word"),
        (text_lines() + b"w 1 2 3 4\n", ":7", "got 4 after the word"),
        (b"a 1 2\n\nb 1 2\n", ":2", "got 0 after the word"),
        (header() + text_lines()[:-9], ":7", "got 1 after the word"),
        (header() + text_lines().replace(b"11.0", b"l1.0"), ":5", "got something else"),
        (text_lines().replace(b"11.0", b"nan"), ":4", "got something else"),
        (text_lines().replace(b"10.0", b"x"), ":4", "got something else"),
        (text_lines().replace(b"11.0", b"-inf"), ":4", "got something else"),
        (text_lines().replace(b"11.0", b"1e99999"), ":4", "got something else"),
        (text_lines().replace(b"11.0", b"1e39"), ":4", "got something else"),
        (text_lines(("a", "a", "b", "c")).replace(b"11.0", b"nan"), ":4", "got something else"),
        (binary()[:-1], "", "got an error: unexpected end of input"),
        (binary()[:40], "", "at least 84 bytes, got 40"),
        (header(10**15) + binary()[4:], "", "expected 1000000000000000 vectors"),
        (gzip.compress(binary(), mtime=0)[:-12], "", "got an error: Compressed file ended"),
        (
            gzip.compress(header(7) + binary()[4:], mtime=0),
            "",
            "got an error: unexpected end of input",
        ),
        (gzip.compress(header(10**15) + binary()[4:], mtime=0), "", "fit into memory, got more"),
        (gzip.compress(text_lines(), mtime=0)[:30], "", "got an error: Compressed file ended"),
        (b"\x1f\x8bnot gzip", "", "got an error:"),
        (binary(WORDS[:2], [[1, 2, 3], [1, math.nan, 2]]), "", "vector of 'Gene' (row 1)"),
        (binary(WORDS[:1], [[math.inf, 2, 3]]), "", "vector of 'the' (row 0)"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value[:24]),
)
def test_wrong_files(write, content, place, got):
    message = failure(write(content))
    assert message.startswith(f"{place}: expected ")
    assert got in message


@pytest.mark.parametrize(
    "step", [23, pytest.param(1, marks=pytest.mark.slow)], ids=["sample", "every bit"]
)
@pytest.mark.parametrize("form", ["GloVe text", "word2vec text", "word2vec.c binary"])
def test_no_flipped_bit_in_a_gzip_file_changes_a_vector(write, form, step):
    whole = gzip.compress(FORMATS[form], mtime=0)
    refused = 0
    positions = range(0, 8 * len(whole), step)
    for position in positions:
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path = write(bytes(damaged))
        try:
            vectors = load_vectors(path)
        except BionerError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - gzip's header has bits without meaning
        else:
            assert vectors.words == ("the", "Gene", "0000", "β-cat", "0000", "\u00a0")
            np.testing.assert_array_equal(vectors.matrix, MATRIX)
    assert refused > 0.8 * len(positions)


def test_gzipped_binary_is_read_to_its_checksum(write):
    # gensim reads 100 kB at a time; the last vector ends where such a piece ends.
    words = [f"w{number}" for number in range(6000)]
    matrix = np.ones((6000, 50), np.float32)
    words[-1] += "x" * (-(len(binary(words, matrix)) - len(header(6000, 50))) % (100 * 1024))
    damaged = bytearray(gzip.compress(binary(words, matrix), 1, mtime=0))
    damaged[-8] ^= 1
    assert "CRC check failed" in failure(write(bytes(damaged)))


@pytest.mark.parametrize("form", FORMATS)
def test_expected_dim(write, form):
    path = write(FORMATS[form])
    assert load_vectors(path, expected_dim=3).dim == 3
    assert "expected vectors of 200 numbers, got 3" in failure(path, expected_dim=200)


def test_a_non_finite_value_far_down_is_found(write):
    # More rows than are checked at a time.
    matrix = np.ones((70000, 1), np.float32)
    matrix[68000] = np.nan
    words = [f"w{chr(97 + i // 26 % 26)}{chr(97 + i % 26)}{'x' * (i // 676)}" for i in range(70000)]
    assert "(row 68000)" in failure(write(binary(words, matrix)))


def test_text_values_beyond_the_limit_are_not_looked_at(write):
    assert load_vectors(write(text_lines() + b"w 1 2\n"), limit=6).matrix.shape == (6, 3)
