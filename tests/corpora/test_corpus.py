"""Reading corpora: the forms that are accepted, and the errors for others."""

from __future__ import annotations

import bz2
import itertools
import lzma
import os
import re

import pytest

from bioner_tf.corpora.corpus import (
    Corpus,
    Sentence,
    UnknownType,
    find_unknown_types,
    fingerprint,
    keep_fraction,
    keep_types,
    read_corpus,
    read_split,
)
from bioner_tf.corpora.tags import to_spans
from bioner_tf.errors import BionerError, UsageError

TWO_SENTENCES = (
    Sentence(("IL-2", "gene", "."), ("B-DNA", "I-DNA", "O")),
    Sentence(("No", "."), ("O", "O")),
)


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes ``content`` to a file and returns its path."""

    def write_file(content, name="train.tsv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return str(path)

    return write_file


def failure(path, **options):
    """Reads ``path``, expects an error and returns its message, which must be one line."""
    with pytest.raises(BionerError) as caught:
        read_split(path, **options)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "IL-2\tB-DNA\ngene\tI-DNA\n.\tO\n\nNo\tO\n.\tO\n\n",
        "IL-2\tB-DNA\r\ngene\tI-DNA\r\n.\tO\r\n\r\nNo\tO\r\n.\tO\r\n\r\n",
        "\ufeffIL-2\tB-DNA\ngene\tI-DNA\n.\tO\n\nNo\tO\n.\tO\n\n",
        "IL-2\tB-DNA\ngene\tI-DNA\n.\tO\n\nNo\tO\n.\tO\n",
        "IL-2\tB-DNA\ngene\tI-DNA\n.\tO\n\nNo\tO\n.\tO",
        "IL-2 B-DNA\ngene  I-DNA\n. \t O\n\nNo O\n. O\n",
        "IL-2\tNN\tB-DNA\ngene\tNN\tO\tI-DNA\n.\t.\t.\tO\n\nNo DT O\n. . O\n",
        "IL-2\tB-DNA\t\ngene\tI-DNA \n .\tO\n\nNo\tO\n.\tO\n",
        "IL-2\tB-DNA\ngene\tI-DNA\n.\tO\n \t \nNo\tO\n.\tO\n  ",
        "\n\n\nIL-2\tB-DNA\ngene\tI-DNA\n.\tO\n\n\n\nNo\tO\n.\tO\n\n\n",
        "-DOCSTART-\tO\n\nIL-2\tB-DNA\ngene\tI-DNA\n.\tO\n\n-DOCSTART-\tO\n\nNo\tO\n.\tO\n",
        "-DOCSTART-\nIL-2\tB-DNA\ngene\tI-DNA\n.\tO\n-DOCSTART- -X- ? (1)\nNo\tO\n.\tO\n",
    ],
    ids=[
        "plain",
        "CRLF",
        "byte order mark",
        "no last empty line",
        "no last newline",
        "spaces",
        "extra columns",
        "separators around",
        "blank lines with spaces",
        "many empty lines",
        "documents",
        "documents are boundaries whatever their columns",
    ],
)
def test_forms_of_the_same_file(write, content):
    path = write(content)
    split = read_split(path)
    assert split.sentences == TWO_SENTENCES
    assert (split.path, split.repaired, split.scheme) == (path, 0, "IOB2")


def test_only_tab_space_and_newline_have_a_meaning(write):
    odd = [
        "a\u00a0b",
        "\u2003",
        "x\x0cy",
        "u\x85v",
        "\u2028",
        "c\rd",
        "\x1c",
        "\ufeff",
        "\x01",
        "é😀",
    ]
    split = read_split(write("".join(f"{token}\tO\n" for token in odd)))
    assert split.sentences == (Sentence(tuple(odd), ("O",) * len(odd)),)


def test_long_tokens_and_long_sentences(write):
    tokens = ["A" * 413] + [f"t{i}" for i in range(299)]
    split = read_split(write("".join(f"{token}\tO\n" for token in tokens)))
    assert split.sentences[0].tokens == tuple(tokens)


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        ("a\tO\n\nb\tO\n", ()),
        ("-DOCSTART-\tO\n\na\tO\n\nb\tO\n", (0,)),
        # No empty line before the second mark; nothing between the last two.
        ("-DOCSTART-\na\tO\n\nb\tO\n-DOCSTART- O\n\n-DOCSTART-\nc\tO\n", (0, 2)),
        ("a\tO\n\n-DOCSTART-\nb\tO\n\nc\tO\n", (0, 1)),
    ],
)
def test_documents(write, content, documents):
    assert read_split(write(content)).documents == documents


def test_document_mark_must_be_the_whole_first_column(write):
    split = read_split(write("-DOCSTART-s\tO\nX\tO\nof -DOCSTART- O\n"))
    assert split.sentences == (Sentence(("-DOCSTART-s", "X", "of"), ("O",) * 3),)


def test_scheme_is_that_of_the_whole_file(write):
    first = "a\tB-x\nb\tI-x\n\n"
    split = read_split(write(first + "c\tS-y\n"))
    assert split.scheme == "IOBES"
    # The first sentence alone would be legal IOB2; in an IOBES file its end is missing.
    assert split.sentences[0].tags == ("B-x", "E-x")
    assert split.repaired == 1
    assert read_split(write(first)).scheme == "IOB2"


@pytest.mark.parametrize(
    ("before", "after", "repaired"),
    [
        ("O I-x I-x", "O B-x I-x", 1),
        ("I-x O I-y", "B-x O B-y", 2),
        ("B-x I-x I-y", "B-x I-x B-y", 1),
        ("S-x E-x", "S-x S-x", 1),
        ("B-x I-x E-x", "B-x I-x E-x", 0),
    ],
)
def test_repairs_and_counts(write, before, after, repaired):
    content = "".join(f"w\t{tag}\n" for tag in before.split(" "))
    split = read_split(write(content + "\n" + content))
    assert [sentence.tags for sentence in split.sentences] == [tuple(after.split(" "))] * 2
    assert split.repaired == 2 * repaired


@pytest.mark.parametrize(
    ("content", "line", "got"),
    [
        ("a\tO\n\nb\tB-x\nc\tO\nd\tI-x\n", 5, "got 'I-x' after 'O' where 'B-x' would be legal"),
        ("-DOCSTART-\n\n\n\na\tI-x\n", 5, "got 'I-x' after the start of a sentence"),
        ("a\tB-x\nb\tI-y\n", 2, "got 'I-y' after 'B-x'"),
        ("a\tS-x\r\n\r\nb\tB-x\r\nc\tO\r\n", 3, "got 'B-x' after the start"),
        ("a\tO\n\nb\tB-x\nc\tI-y", 4, "got 'I-y' after 'B-x'"),
    ],
    ids=["within", "first", "other type", "CRLF, IOBES", "no last newline"],
)
def test_strict_names_the_line(write, content, line, got):
    path = write(content)
    message = failure(path, strict=True)
    assert message.startswith(f"{path}:{line}: expected ")
    assert got in message
    assert read_split(path).repaired == 1


def test_strict_takes_a_legal_file(write):
    path = write("a\tB-x\nb\tI-x\n\nc\tI-x\n"[:-7])
    assert read_split(path, strict=True) == read_split(path)


@pytest.mark.parametrize(
    ("content", "place", "got"),
    [
        ("a\tO\nlonely\nb\tO\n", ":2: ", "got 1 column ('lonely')"),
        ("a\tO\n\tO\n", ":2: ", "got 1 column ('O')"),
        ("a\tO\n\nO\n", ":3: ", "got 1 column ('O')"),
        ("a\tO\nb\t\n", ":2: ", "got 1 column ('b')"),
        ("lonely" * 100, ":1: ", "got 1 column ('" + ("lonely" * 7)[:40] + "...')"),
        ("a\u00a0O\n", ":1: ", "got 1 column ('a\\xa0O')"),
        ("a\tX-Gene\n", ":1: ", "got 'X-Gene'"),
        ("a\tO\n\n\na\tB\n", ":4: ", "got 'B'"),
        ("a\tb-Gene\n", ":1: ", "got 'b-Gene'"),
        ("a\tB-\n", ":1: ", "got 'B-'"),
        ("a\tB-x\nb\tL-x\nc\tU-x\n", ":2: ", "got 'L-x'"),
        ("a\tO\tlater\n", ":1: ", "got 'later'"),
        (b"a\tO\n\xc3\xa9\xe9\tO\n", ":2:2: ", "got the byte 0xe9"),
        (b"\xef\xbb\xbfa\xff\tO\n", ":1:2: ", "got the byte 0xff"),
        (b"a\tO\n\xff\xfe\tO\n", ":2:1: ", "got the byte 0xff"),
        (b"a\tO\nb\tO\n\xe2\x82", ":3:1: ", "got the byte 0xe2"),
        (b"\n\xff", ":2:1: ", "got the byte 0xff"),
    ],
    ids=[
        "token alone",
        "tag alone",
        "tag alone that is known",
        "empty tag",
        "very long",
        "no-break space is no separator",
        "unknown prefix",
        "prefix alone",
        "lower case",
        "type missing",
        "BILOU",
        "last column is no tag",
        "Latin-1",
        "byte order mark is no column",
        "UTF-16",
        "cut in a character",
        "behind an empty first line",
    ],
)
def test_malformed_lines(write, content, place, got):
    path = write(content)
    message = failure(path)
    assert message.startswith(f"{path}{place}expected ")
    assert got in message


@pytest.mark.parametrize("content", ["", "\n \n\t\n", "-DOCSTART-\tO\n\n", "\ufeff"])
def test_no_sentence(write, content):
    path = write(content)
    assert "no sentence" in failure(path)


def test_no_file(tmp_path):
    assert "No such file" in failure(tmp_path / "train.tsv")
    assert "directory" in failure(tmp_path)


@pytest.fixture
def data_dir(write, tmp_path):
    write("a\tB-x\nb\tI-x\nc\tB-y\n", "corpora/One/train.tsv")
    write("a\tI-y\n", "corpora/One/devel.tsv")
    write("a\tB-z\n", "corpora/One/test.tsv")
    write("a\tO\n", "corpora/Another/train.tsv")
    write("no corpus", "corpora/README.md")
    write("no corpus", "corpora/Notes/notes.txt")
    return tmp_path / "corpora"


def test_read_corpus(data_dir):
    corpus = read_corpus(data_dir, "One")
    assert corpus.name == "One"
    assert list(corpus.splits) == ["train", "devel", "test"]
    for name, split in corpus.splits.items():
        assert split == read_split(data_dir / "One" / f"{name}.tsv")
    assert corpus.splits["devel"].repaired == 1


def test_read_corpus_reads_the_named_splits_only(data_dir):
    assert list(read_corpus(str(data_dir), "Another", splits=["train"]).splits) == ["train"]


def test_read_corpus_is_strict_when_told(data_dir):
    with pytest.raises(BionerError, match=re.escape("devel.tsv:1: expected a legal IOB2")):
        read_corpus(data_dir, "One", strict=True)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("None", ["None: expected the directory of corpus 'None'", "are: Another, One"]),
        ("Notes", ["train.tsv: expected the split 'train'", "splits there are: none"]),
        ("Another", ["devel.tsv: expected the split 'devel'", "splits there are: train"]),
        ("README.md", ["README.md: expected the directory", "are: Another, One"]),
    ],
)
def test_read_corpus_says_what_there_is(data_dir, name, parts):
    with pytest.raises(BionerError) as caught:
        read_corpus(data_dir, name)
    for part in parts:
        assert part in str(caught.value)


def test_read_corpus_without_data_dir(tmp_path):
    with pytest.raises(BionerError, match="nowhere: expected a directory of corpora"):
        read_corpus(tmp_path / "nowhere", "One")


def test_read_corpus_refuses_two_schemes(write, tmp_path):
    write("a\tS-x\n", "C/train.tsv")
    write("a\tB-x\n", "C/devel.tsv")
    with pytest.raises(BionerError, match=r"one tag scheme .* IOBES in .*train.* IOB2 in .*devel"):
        read_corpus(tmp_path, "C", splits=("train", "devel"))


def test_a_split_without_entities_is_of_any_scheme(write, tmp_path):
    write("a\tS-x\n", "C/train.tsv")
    write("a\tO\n", "C/devel.tsv")
    assert isinstance(read_corpus(tmp_path, "C", splits=("train", "devel")), Corpus)


def test_read_corpus_keeps_types(data_dir):
    corpus = read_corpus(data_dir, "One", types=["y"])
    assert [s.sentences[0].tags for s in corpus.splits.values()] == [
        ("O", "O", "B-y"),
        ("B-y",),
        ("O",),
    ]
    assert corpus.splits["devel"].repaired == 1


@pytest.mark.parametrize("types", [["y", "w"], ["w"], [], ["X"]])
def test_read_corpus_refuses_unknown_types(data_dir, types):
    with pytest.raises(UsageError, match="out of x, y, z, got"):
        read_corpus(data_dir, "One", types=types)


def test_a_type_of_any_split_is_known(data_dir):
    assert read_corpus(data_dir, "One", types=["z"]).splits["test"].sentences[0].tags == ("B-z",)


def test_keep_types():
    sentences = [
        Sentence(("a", "b", "c"), ("B-x", "I-x", "B-x-y")),
        Sentence(("d", "e"), ("S-z", "O")),
    ]
    assert keep_types(sentences, iter(["x-y", "z"])) == (
        Sentence(("a", "b", "c"), ("O", "O", "B-x-y")),
        sentences[1],
    )


NUMBERED = tuple(Sentence((str(i),), ("O",)) for i in range(50))


@pytest.mark.parametrize(
    ("fraction", "count"), [(1.0, 50), (1, 50), (0.5, 25), (0.1, 5), (0.07, 4), (0.001, 1)]
)
def test_keep_fraction_counts_and_keeps_the_order(fraction, count):
    kept = keep_fraction(NUMBERED, fraction, seed=1)
    assert len(kept) == count
    assert len(set(kept)) == count
    assert list(kept) == [sentence for sentence in NUMBERED if sentence in kept]


def test_keep_fraction_is_nested():
    fractions = [0.02, 0.1, 0.25, 0.5, 0.9, 1.0]
    for seed in range(5):
        for small, large in zip(fractions, fractions[1:]):
            inner, outer = (set(keep_fraction(NUMBERED, f, seed)) for f in (small, large))
            assert inner < outer


def test_keep_fraction_depends_on_the_seed_alone():
    draws = [keep_fraction(NUMBERED, 0.5, seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    # Not simply the first half, and every sentence can be drawn.
    assert draws[0] != NUMBERED[:25]
    assert set().union(*(keep_fraction(NUMBERED, 0.1, seed) for seed in range(100))) == set(
        NUMBERED
    )


def test_keep_fraction_of_nothing():
    assert keep_fraction((), 0.5, 1) == ()


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan")])
def test_keep_fraction_refuses(fraction):
    with pytest.raises(UsageError, match=re.escape(f"(0, 1], got {fraction}")):
        keep_fraction(NUMBERED, fraction, 1)


@pytest.fixture(scope="module")
def bionlp11id():
    data_dir = os.environ.get("BIONER_DATA_DIR")
    if not data_dir:
        pytest.skip("needs the paper's corpora: set BIONER_DATA_DIR")
    return lambda suffix, **options: read_corpus(data_dir, f"BioNLP11ID{suffix}-IOB", **options)


# The ready-made single-type corpora were cut from the annotations, where entities may nest; the
# corpus of all types gives each token one tag. So filtering it loses an entity of the ready-made
# one wherever an entity of another type begins at the same token and won. That hits four proteins
# in 5,178 sentences (found by comparing the files token by token); nothing else differs.
LOST_BY_FILTERING = {
    "-chem": ("Chemical", {}),
    "-species": ("Organism", {}),
    "-ggp": (
        "Protein",
        {
            ("train", 2243): (6, "PhoP", "B-Regulon-operon"),
            ("devel", 454): (6, "rpoE", "B-Organism"),
            ("test", 628): (17, "inositol 2 - dehydrogenase", "B-Chemical"),
            ("test", 1264): (8, "iron - regulated protein B", "B-Chemical"),
        },
    ),
}


@pytest.mark.parametrize("suffix", LOST_BY_FILTERING)
def test_filtering_bionlp11id_gives_its_single_type_corpora(bionlp11id, suffix):
    entity_type, lost = LOST_BY_FILTERING[suffix]
    everything, ready_made = bionlp11id(""), bionlp11id(suffix)
    filtered = bionlp11id("", types=[entity_type])
    found = {}
    for split in filtered.splits:
        columns = (c.splits[split].sentences for c in (everything, filtered, ready_made))
        for position, (full, ours, theirs) in enumerate(itertools.zip_longest(*columns)):
            assert ours.tokens == theirs.tokens == full.tokens
            if ours.tags != theirs.tags:
                (missing,) = set(to_spans(theirs.tags)) - set(to_spans(ours.tags))
                assert set(to_spans(ours.tags)) < set(to_spans(theirs.tags))
                mention = " ".join(full.tokens[missing.start : missing.end])
                found[split, position] = (missing.start, mention, full.tags[missing.start])
    assert found == lost


def test_a_fingerprint_tells_tokens_tags_and_boundaries_apart() -> None:
    kinds = [
        [Sentence(("a", "b"), ("O", "O"))],
        [Sentence(("a", "b"), ("O", "B-X"))],
        [Sentence(("ab",), ("O",))],
        [Sentence(("a",), ("O",)), Sentence(("b",), ("O",))],
        [],
    ]
    assert len({fingerprint(sentences) for sentences in kinds}) == len(kinds)
    # printf 'a\tO\nb\tB-X\n\n' | sha256sum
    expected = "78aeaff2129c83ba1a82f5639a638bf2ae8a7a635b856017cd1841f2388a8ee0"
    assert fingerprint(kinds[1]) == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\tO\rb\tO\r", "CR alone"),
        (b"a\tO\nb\tB-Disease\r", "the file was cut"),
        (b"\x1f\x8b\x08\x00a\tO\n", ": expected text, got gzip data; unpack it first: gzip -cd"),
        (bz2.compress(b"a\tO\n"), ": expected text, got bzip2 data; unpack it first: bzip2 -cd"),
        (lzma.compress(b"a\tO\n"), ": expected text, got xz data; unpack it first: xz -cd FILE"),
        (b"PK\x03\x04\x14\x00\r", ": expected text, got zip data; unpack it first: unzip -p"),
        ("a\tO\n".encode("utf-16"), ": expected UTF-8, got UTF-16; convert the file to UTF-8"),
        (b"\xfe\xff\x00a\x00\t\x00O", ": expected UTF-8, got UTF-16; convert"),
        (b"a\tO\nb\0\tO\r", ":2: expected text, got a NUL byte"),
        (b"a\tO\nb\tI-Disease|B-Anatomy\n", ":2: expected one tag in the last column"),
        (b"a\tB-Gene|O\n", ":1: expected one tag in the last column"),
    ],
    ids=[
        "CR only",
        "cut line break",
        "gzip",
        "bzip2",
        "xz",
        "zip",
        "UTF-16",
        "UTF-16, big-endian",
        "NUL",
        "two tags",
        "tag or O",
    ],
)
def test_input_that_means_something_else_is_refused(tmp_path, content, told):
    path = tmp_path / "train.tsv"
    path.write_bytes(content)
    with pytest.raises(BionerError) as error:
        read_split(path)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)


def test_unknown_types_are_found_with_their_first_line(write):
    content = "a\tB-x\n\nb\tO\nc\tB-z\nd\tI-z\n\ne\tI-z\nf\tB-y\n"
    path = write(content)
    split = read_split(path)
    expected = [UnknownType("y", f"{path}:8", 1), UnknownType("z", f"{path}:4", 2)]
    assert find_unknown_types(split, ["x"]) == expected
    assert find_unknown_types(split, ["x", "y", "z"]) == []
