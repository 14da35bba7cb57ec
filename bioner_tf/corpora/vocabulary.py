r"""The vocabularies of words, characters and tags: built, saved, loaded, looked up.

A vocabulary file is UTF-8 text with one entry a line, which the exported graph reads as it is.
The first ids of words and characters are padding and the unknown; ids of tags start at 0.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bioner_tf.corpora import tags as tag_schemes
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, write_text_atomically

PADDING_ID = 0
UNKNOWN_ID = 1
FIRST_ID = 2

_DIGITS_TO_ZERO = {ord(digit): "0" for digit in "123456789"}
_ASCII_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
# A line feed would split the entry's line, and TensorFlow drops carriage returns as it reads.
_LINE_BREAKS = frozenset("\n\r")
_PREFIX_ORDER = "OBIES"


def normalise_word(token: str) -> str:
    """Returns the form under which a word is looked up: every ASCII digit is 0, case is kept.

    Source: what the paper's authors' program does.
    """
    return token.translate(_DIGITS_TO_ZERO)


def lower_word(word: str) -> str:
    """Lower-cases ASCII letters only, as ``tf.strings.lower`` does in the exported graph."""
    return word.translate(_ASCII_TO_LOWER)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Distinct entries in a fixed order; no special symbols among them.

    Attributes:
        entries: The entries, none of them empty or with a line break; the tuple may be empty.
        index: The position of each entry, from 0.

    Raises:
        ValueError: If an entry is empty, holds a line break or occurs twice.
    """

    entries: tuple[str, ...]
    index: Mapping[str, int] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, int] = {}
        for position, entry in enumerate(self.entries):
            if not _is_writable(entry):
                raise ValueError(f"entry {position} is empty or holds a line break: {entry!r}")
            if index.setdefault(entry, position) != position:
                raise ValueError(f"entries {index[entry]} and {position} are the same: {entry!r}")
        object.__setattr__(self, "index", index)

    def __len__(self) -> int:
        return len(self.entries)

    def save(self, path: PathLike) -> None:
        r"""Writes the entries to a file, UTF-8, each followed by ``\n``."""
        write_text_atomically(path, "".join(f"{entry}\n" for entry in self.entries))

    @classmethod
    def load(cls, path: PathLike) -> Vocabulary:
        r"""Reads what ``save`` wrote.

        Returns:
            The vocabulary; an empty file gives an empty one.

        Raises:
            BionerError: If the file cannot be read, is not UTF-8, or a line is empty, repeated,
                ends with a carriage return or lacks its line break.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except OSError as error:
            raise BionerError(f"{path}: expected a vocabulary, got: {error.strerror}") from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise BionerError(
                f"{path}:{line}: expected UTF-8, got the byte 0x{error.object[error.start]:02x}; "
                "restore the file from its run"
            ) from error
        *lines, rest = text.split("\n")
        if rest:
            raise BionerError(
                f"{path}:{len(lines) + 1}: expected a line break at the end, got a file that was "
                "cut; restore it from its run"
            )
        _check_lines(path, lines)
        return cls(tuple(lines))


def build_words(
    sentences: Iterable[Sequence[str]],
    vector_words: Iterable[str] = (),
    max_vector_words: int = 0,
) -> Vocabulary:
    """Builds the vocabulary of words.

    Args:
        sentences: The tokens of the training sentences of all corpora.
        vector_words: The digit-normalised words that have a vector, best first; repeats are
            ignored.
        max_vector_words: The most words to add that training never saw, 0 or more.

    Returns:
        The distinct normalised forms of the tokens, the most frequent first (ties in order of first
        occurrence), then the added words in the order of ``vector_words``.
    """
    counts = count_forms(sentences)
    # sorted() is stable and a Counter keeps the order of first occurrence.
    seen = sorted(filter(_is_writable, counts), key=counts.__getitem__, reverse=True)
    added: dict[str, None] = {}
    for word in vector_words:
        if len(added) >= max_vector_words:
            break
        if word not in counts and _is_writable(word):
            added[word] = None
    return Vocabulary((*seen, *added))


def build_characters(sentences: Iterable[Sequence[str]]) -> Vocabulary:
    """Builds the vocabulary of characters: those of the raw training tokens, by code point."""
    characters: set[str] = set()
    for tokens in sentences:
        characters.update(*tokens)
    return Vocabulary(tuple(sorted(filter(_is_writable, characters))))


def build_tags(sentences: Iterable[Sequence[str]]) -> Vocabulary:
    """Builds the list of tags of a corpus.

    Args:
        sentences: The tags of the training sentences, legal sequences.

    Returns:
        ``"O"`` first, whether it occurs or not, then the tags that occur, sorted by type and
        within a type in the order B, I, E, S. The id of a tag is its position.
    """
    occurring: set[str] = set()
    for tags in sentences:
        occurring.update(tags)
    occurring.discard(tag_schemes.OUTSIDE)

    def place(tag: str) -> tuple[str, int]:
        prefix, entity_type = tag_schemes.split_tag(tag)
        return entity_type, _PREFIX_ORDER.index(prefix)

    return Vocabulary((tag_schemes.OUTSIDE, *sorted(occurring, key=place)))


def count_forms(sentences: Iterable[Sequence[str]]) -> collections.Counter[str]:
    """Counts the occurrences of each normalised form, in order of first occurrence."""
    raw: collections.Counter[str] = collections.Counter()
    for tokens in sentences:
        raw.update(tokens)
    counts: collections.Counter[str] = collections.Counter()
    for token, count in raw.items():
        counts[normalise_word(token)] += count
    return counts


def _is_writable(entry: str) -> bool:
    return bool(entry) and _LINE_BREAKS.isdisjoint(entry)


def _check_lines(path: PathLike, lines: Sequence[str]) -> None:
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not _is_writable(line):
            raise BionerError(
                f"{path}:{number}: expected an entry, got {line!r}; the file was edited or its "
                "line ends were converted: restore it from its run"
            )
        if first_line.setdefault(line, number) != number:
            raise BionerError(
                f"{path}:{number}: expected distinct entries, got {line!r} again, as in line "
                f"{first_line[line]}; restore the file from its run"
            )
