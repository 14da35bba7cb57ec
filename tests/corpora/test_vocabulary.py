"""Vocabularies: their entries and order, their files, and look-ups."""

from __future__ import annotations

import string

import pytest

from bioner_tf.corpora.vocabulary import (
    FIRST_ID,
    PADDING_ID,
    UNKNOWN_ID,
    Vocabulary,
    build_characters,
    build_tags,
    build_words,
    count_forms,
    lower_word,
    normalise_word,
)
from bioner_tf.errors import BionerError


def test_reserved_ids():
    assert (PADDING_ID, UNKNOWN_ID, FIRST_ID) == (0, 1, 2)


@pytest.mark.parametrize(
    ("token", "expected"),
    [("p53", "p00"), ("0123456789", "0" * 10), ("IL-2Rα", "IL-0Rα"), ("٣²½", "٣²½"), ("", "")],
)
def test_normalise_word(token, expected):
    assert normalise_word(token) == expected


def test_lower_word_changes_ascii_letters_only():
    assert lower_word(string.ascii_uppercase) == string.ascii_lowercase
    # str.lower would change all of these; tf.strings.lower without encoding changes none.
    assert lower_word("ÄΑİẞ") == "ÄΑİẞ"
    others = "".join(map(chr, range(0x250))).translate({ord(c): None for c in string.ascii_letters})
    assert lower_word(others) == others
    assert lower_word("NF-kappaB_0") == "nf-kappab_0"


def test_vocabulary():
    vocabulary = Vocabulary(("b", "a"))
    assert len(vocabulary) == 2
    assert vocabulary.index == {"b": 0, "a": 1}
    assert vocabulary == Vocabulary(("b", "a")) != Vocabulary(("a", "b"))
    assert hash(vocabulary) == hash(Vocabulary(("b", "a")))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (("a", "b", "a"), "entries 0 and 2 are the same: 'a'"),
        (("a", ""), "entry 1 is empty"),
        (("a\nb",), "line break"),
        (("a\r",), "line break"),
    ],
)
def test_vocabulary_refuses(entries, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(entries)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        ("a",),
        ("the", "The", "IL-0", "é", "😀"),
        # Entries that a careless reader strips or splits at.
        (
            "\ufeff",
            " ",
            "\u00a0",
            "\u2028",
            "\x85",
            "\x0c",
            "\x1c",
            "\x00",
            "\t",
            "a b",
            " a",
            "a ",
        ),
    ],
    ids=["empty", "one", "words", "odd characters"],
)
def test_save_and_load(tmp_path, entries):
    path = tmp_path / "vocabulary" / "words.txt"
    Vocabulary(entries).save(path)
    assert path.read_bytes() == "".join(f"{entry}\n" for entry in entries).encode("utf-8")
    assert Vocabulary.load(path) == Vocabulary(entries)
    assert [entry.name for entry in path.parent.iterdir()] == ["words.txt"]


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"a\nb\na\n", ":3", "'a' again, as in line 1"),
        (b"a\n\nb\n", ":2", "got ''"),
        (b"a\r\nb\r\n", ":1", r"got 'a\\r'"),
        (b"a\nb", ":2", "cut"),
        (b"a\nb\n\xff\n", ":3", "got the byte 0xff"),
    ],
    ids=["repeated", "empty line", "CRLF", "cut", "not UTF-8"],
)
def test_load_refuses(tmp_path, content, place, message):
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(BionerError, match=message) as caught:
        Vocabulary.load(path)
    assert str(caught.value).startswith(f"{path}{place}: expected ")
    assert "\n" not in str(caught.value)


def test_load_without_a_file(tmp_path):
    with pytest.raises(BionerError, match=r"words\.txt: expected a vocabulary, got: No such file"):
        Vocabulary.load(tmp_path / "words.txt")


SENTENCES = [
    ("The", "p53", "gene", "and", "p73"),
    ("the", "p21", "gene", "and", "and"),
]


def test_count_forms():
    counts = count_forms(iter(SENTENCES))
    assert list(counts.items()) == [
        ("The", 1),
        ("p00", 3),
        ("gene", 2),
        ("and", 3),
        ("the", 1),
    ]


def test_words_by_frequency_then_first_seen():
    assert build_words(SENTENCES).entries == ("p00", "and", "gene", "The", "the")


@pytest.mark.parametrize(
    ("most", "added"),
    [
        (0, ()),
        (1, ("of",)),
        (2, ("of", "GENE")),
        (3, ("of", "GENE", "x")),
        (9, ("of", "GENE", "x")),
    ],
)
def test_words_of_the_vectors_follow(most, added):
    vector_words = ["and", "of", "", "p00", "of", "GENE", "a\rb", "x", "gene"]
    words = build_words(SENTENCES, iter(vector_words), most)
    assert words.entries == ("p00", "and", "gene", "The", "the", *added)


def test_words_that_no_line_can_hold_are_left_out():
    assert build_words([("a\rb", "c")]).entries == ("c",)
    assert build_characters([("a\rb", "c")]).entries == ("a", "b", "c")


def test_characters_by_code_point():
    characters = build_characters([("Zb9", "α1"), ("😀é", "b")])
    assert characters.entries == ("1", "9", "Z", "b", "é", "α", "😀")


@pytest.mark.parametrize(
    ("sentences", "tags"),
    [
        ([], "O"),
        ([["B-x"]], "O B-x"),
        ([["I-b", "B-b", "O"], ["B-a", "I-a"]], "O B-a I-a B-b I-b"),
        ([["S-b", "E-b", "I-b", "B-b"], ["S-a", "O"]], "O S-a B-b I-b E-b S-b"),
        ([["B-protein", "B-DNA", "B-cell_line", "I-DNA"]], "O B-DNA I-DNA B-cell_line B-protein"),
        ([["B-a-b", "B-a", "I-a"]], "O B-a I-a B-a-b"),
    ],
)
def test_tags(sentences, tags):
    assert build_tags(sentences).entries == tuple(tags.split())
