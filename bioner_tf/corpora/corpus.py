"""Reads corpora in CoNLL / IOB form: a token and its tag a line, an empty line between sentences.

A corpus is a directory with one file per split, ``<data_dir>/<name>/<split>.tsv``.
"""

from __future__ import annotations

import codecs
import collections
import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from bioner_tf.corpora import tags as tag_schemes
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import PathLike, compressed_kind, is_utf_16, write_text_atomically

SPLITS = ("train", "devel", "test")
SPLIT_SUFFIX = ".tsv"
DOCUMENT_MARK = "-DOCSTART-"
# How corpora are cut into tokens: a run of letters and digits, or one other non-space character.
TOKEN = re.compile(r"[^\W_]+|\S")

# Nothing else separates columns or counts as blank: tokens may hold any other Unicode space.
_COLUMN_SEPARATORS = " \t"
_COLUMN_GAP = re.compile(f"[{_COLUMN_SEPARATORS}]+")
# Several tags in one column, like B-Gene|I-Disease.
_SEVERAL_TAGS = re.compile(r"\|(O$|[BIES]-)")
_EXPECTED_LINE = 'expected "token<TAB>tag"'


class Sentence(NamedTuple):
    """The tokens of a sentence and as many tags, a legal sequence; at least one of each."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Split:
    """One file of a corpus.

    Attributes:
        path: The file.
        sentences: In the order of the file, at least one.
        repaired: How many tags had to change to make all sequences legal.
        scheme: The file's own scheme, ``"IOB2"`` or ``"IOBES"``, in which its tags stay.
        documents: The index of the first sentence of each document, ascending from 0; empty where
            the file does not mark documents.
    """

    path: str
    sentences: tuple[Sentence, ...]
    repaired: int
    scheme: str
    documents: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A corpus: its splits by name, in the order in which they were asked for."""

    name: str
    splits: Mapping[str, Split]


def read_corpus(
    data_dir: PathLike,
    name: str,
    splits: Sequence[str] = SPLITS,
    strict: bool = False,
    types: Iterable[str] | None = None,
) -> Corpus:
    """Reads the splits of a corpus.

    Args:
        data_dir: The directory that holds the corpora's directories.
        name: The corpus, a directory there.
        splits: Which files to read.
        strict: Refuse ill-formed tag sequences instead of repairing them.
        types: Keep only entities of these types; ``None`` keeps all.

    Returns:
        The corpus; each of ``types`` occurs in at least one of the splits.

    Raises:
        BionerError: If a directory or file is missing or malformed, or the splits are tagged by
            different schemes.
        UsageError: If ``types`` is empty or names one that occurs in none of the splits.
    """
    paths = {split: _split_path(Path(data_dir), name, split) for split in splits}
    corpus = Corpus(name, {split: read_split(path, strict) for split, path in paths.items()})
    _check_one_scheme(corpus)
    return corpus if types is None else _keep_types_of_corpus(corpus, tuple(types))


def read_split(path: PathLike, strict: bool = False) -> Split:
    r"""Reads one file.

    A line holds a token, any further columns, and a tag, separated by tabs or spaces; it ends at
    ``\n`` or ``\r\n``. Lines of separators alone, and lines whose first column is ``-DOCSTART-``,
    end a sentence; the latter also start a document. A byte order mark at the start is dropped.

    Args:
        path: The file, UTF-8.
        strict: Refuse ill-formed tag sequences instead of repairing them.

    Returns:
        The split; its scheme is IOBES if any E- or S- tag occurs in the file, else IOB2.

    Raises:
        BionerError: Something is malformed; the message names ``path:line``.
    """
    path = os.fspath(path)
    numbered = list(_parse_lines(path, _read_text(path)))
    if not numbered:
        raise BionerError(
            f"{path}: {_EXPECTED_LINE} lines, got no sentence at all; is this the right file?"
        )
    scheme = tag_schemes.scheme_of({tag for _, sentence, _ in numbered for tag in sentence.tags})
    sentences = []
    repaired = 0
    for first_line, sentence, _ in numbered:
        legal, changed = tag_schemes.repair(sentence.tags, scheme)
        if changed:
            if strict:
                _refuse_sequence(path, first_line, sentence, legal, scheme)
            sentence = Sentence(sentence.tokens, tuple(legal))
            repaired += changed
        sentences.append(sentence)
    marks = [document for _, _, document in numbered]
    documents = [i for i, mark in enumerate(marks) if i == 0 or mark != marks[i - 1]]
    return Split(path, tuple(sentences), repaired, scheme, tuple(documents) if marks[-1] else ())


def types_in(sentences: Iterable[Sentence]) -> set[str]:
    """Returns the entity types of the sentences."""
    tags = {tag for sentence in sentences for tag in sentence.tags}
    return set(tag_schemes.types_of(sorted(tags - {tag_schemes.OUTSIDE})))


class UnknownType(NamedTuple):
    """An entity type of a split that a model does not have.

    Attributes:
        type: The type.
        place: ``path:line`` of its first tag.
        entities: How many entities of the split have it.
    """

    type: str
    place: str
    entities: int


def find_unknown_types(split: Split, known: Iterable[str]) -> list[UnknownType]:
    """Finds the entity types of a split that are not in ``known``, in alphabetical order."""
    unknown = sorted(types_in(split.sentences) - set(known))
    if not unknown:
        return []
    counts = collections.Counter(
        span.type for sentence in split.sentences for span in tag_schemes.to_spans(sentence.tags)
    )
    lines: dict[str, int] = {}
    for first_line, sentence, _ in _parse_lines(split.path, _read_text(split.path)):
        for number, tag in enumerate(sentence.tags, start=first_line):
            lines.setdefault(tag_schemes.split_tag(tag)[1], number)
    return [UnknownType(name, f"{split.path}:{lines[name]}", counts[name]) for name in unknown]


def keep_types(sentences: Iterable[Sentence], types: Iterable[str]) -> tuple[Sentence, ...]:
    """Keeps entities of some types only.

    Args:
        sentences: With legal tags.
        types: The entity types to keep; they need not occur.

    Returns:
        The same sentences, all of them, with O for every tag of another type.
    """
    kept = frozenset(types)
    return tuple(
        Sentence(
            sentence.tokens,
            tuple(
                tag if tag_schemes.split_tag(tag)[1] in kept else tag_schemes.OUTSIDE
                for tag in sentence.tags
            ),
        )
        for sentence in sentences
    )


def keep_fraction(
    sentences: Sequence[Sentence], fraction: float, seed: int
) -> tuple[Sentence, ...]:
    """Draws some of the sentences at random, without replacement.

    Args:
        sentences: To draw from.
        fraction: In (0, 1].
        seed: 0 or more. With the same seed a smaller fraction is a subset of a larger one.

    Returns:
        ``round(fraction * n)`` of the n sentences, at least one unless there is none, in their
        original order.

    Raises:
        UsageError: If the fraction is out of range.
    """
    if not 0 < fraction <= 1:
        raise UsageError(f"expected a fraction of the sentences in (0, 1], got {fraction}")
    order = np.random.default_rng(seed).permutation(len(sentences))
    count = max(1, round(len(sentences) * fraction))
    return tuple(sentences[position] for position in sorted(order[:count]))


def fingerprint(sentences: Iterable[Sentence]) -> str:
    """Returns the SHA-256 of the sentences and their tags, in hexadecimal digits."""
    digest = hashlib.sha256()
    for sentence in sentences:
        # Neither a token nor a tag holds a tab or a line break.
        lines = (f"{token}\t{tag}\n" for token, tag in zip(sentence.tokens, sentence.tags))
        digest.update(("".join(lines) + "\n").encode("utf-8"))
    return digest.hexdigest()


def write_predictions(
    path: PathLike, sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]]
) -> None:
    """Writes ``token<TAB>gold<TAB>predicted`` lines, and an empty line between sentences."""
    blocks = (
        "".join(f"{row[0]}\t{row[1]}\t{row[2]}\n" for row in zip(*sentence, tags))
        for sentence, tags in zip(sentences, predicted)
    )
    write_text_atomically(path, "\n".join(blocks))


def _split_path(data_dir: Path, name: str, split: str) -> Path:
    """Returns the file of a split; if it is missing, the error lists what exists."""
    if not data_dir.is_dir():
        raise BionerError(f"{data_dir}: expected a directory of corpora, got none; see --data_dir")
    directory = data_dir / name
    if not directory.is_dir():
        there = sorted(
            entry.name for entry in data_dir.iterdir() if entry.is_dir() and _splits_in(entry)
        )
        raise BionerError(
            f"{directory}: expected the directory of corpus {name!r}, got none; "
            f"the corpora in {data_dir} are: {', '.join(there) or 'none'}"
        )
    path = directory / f"{split}{SPLIT_SUFFIX}"
    if not path.is_file():
        raise BionerError(
            f"{path}: expected the split {split!r} of corpus {name!r}, got no such file; "
            f"the splits there are: {', '.join(_splits_in(directory)) or 'none'}"
        )
    return path


def _splits_in(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.glob(f"*{SPLIT_SUFFIX}") if path.is_file())


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise BionerError(f"{path}: expected a readable file, got: {error.strerror}") from error
    if compressed := compressed_kind(content):
        kind, unpack = compressed
        raise BionerError(f"{path}: expected text, got {kind} data; unpack it first: {unpack}")
    if is_utf_16(content):
        raise BionerError(f"{path}: expected UTF-8, got UTF-16; convert the file to UTF-8")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise BionerError(
            f"{path}:{line}: expected text, got a NUL byte: the file is binary or damaged; copy or "
            "download it again"
        )
    if b"\r" in content and b"\n" not in content:
        raise BionerError(
            f"{path}: expected lines that end at LF or CR LF, got CR alone; convert the line ends"
        )
    if content.endswith(b"\r"):
        raise BionerError(
            f"{path}: expected a line break at the end, got half of one (CR without LF): the file "
            "was cut; copy or download it again"
        )
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        before = content[content.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8")
        raise BionerError(
            f"{path}:{line}:{len(before) + 1}: expected UTF-8, got the byte "
            f"0x{content[error.start]:02x}; convert the file to UTF-8"
        ) from error


def _parse_lines(path: str, text: str) -> Iterator[tuple[int, Sentence, int]]:
    """Parses the lines of a file.

    Yields:
        The number of a sentence's first line, the sentence, and the document marks before it.
    """
    shared: dict[str, str] = {}  # one object per distinct token or tag saves most of the memory
    known_tags: set[str] = set()
    tokens: list[str] = []
    tags: list[str] = []
    document = 0
    # Not splitlines(), which also splits at form feeds, U+0085, U+2028 and others.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        columns = _COLUMN_GAP.split(line.strip(_COLUMN_SEPARATORS))
        if columns[0] and columns[0] != DOCUMENT_MARK:
            token, tag = columns[0], columns[-1]
            if tag not in known_tags or len(columns) == 1:
                _check_line(f"{path}:{number}", columns)
                known_tags.add(tag)
            tokens.append(shared.setdefault(token, token))
            tags.append(shared.setdefault(tag, tag))
        elif tokens:
            yield number - len(tokens), Sentence(tuple(tokens), tuple(tags)), document
            tokens, tags = [], []
        document += columns[0] == DOCUMENT_MARK
    if tokens:
        yield number + 1 - len(tokens), Sentence(tuple(tokens), tuple(tags)), document


def _check_line(place: str, columns: Sequence[str]) -> None:
    if len(columns) == 1:
        raise BionerError(
            f"{place}: {_EXPECTED_LINE}, got 1 column ({_shorten(columns[0])}); "
            "write the missing token or tag"
        )
    if _SEVERAL_TAGS.search(columns[-1]):
        raise BionerError(
            f"{place}: expected one tag in the last column, got {_shorten(columns[-1])}; keep one "
            "of them, or make a corpus for each entity type"
        )
    try:
        tag_schemes.split_tag(columns[-1])
    except ValueError:
        raise BionerError(
            f'{place}: expected a tag of IOB2 or IOBES ("O", or B-, I-, E-, S- and a type) in the '
            f"last column, got {_shorten(columns[-1])}; convert the tags to one of these schemes"
        ) from None


def _refuse_sequence(
    path: str, first_line: int, sentence: Sentence, legal: Sequence[str], scheme: str
) -> NoReturn:
    position = next(i for i, tag in enumerate(sentence.tags) if tag != legal[i])
    previous = repr(sentence.tags[position - 1]) if position else "the start of a sentence"
    raise BionerError(
        f"{path}:{first_line + position}: expected a legal {scheme} sequence, got "
        f"{sentence.tags[position]!r} after {previous} where {legal[position]!r} would be legal; "
        "mend the tag, or read the corpus without strict to have it repaired"
    )


def _check_one_scheme(corpus: Corpus) -> None:
    """Refuses splits of different schemes: one corpus has one set of tags."""
    # A split without entities fits either scheme.
    schemes = {
        split.path: split.scheme for split in corpus.splits.values() if types_in(split.sentences)
    }
    if len(set(schemes.values())) > 1:
        got = ", ".join(f"{scheme} in {path}" for path, scheme in schemes.items())
        raise BionerError(
            f"corpus {corpus.name!r}: expected one tag scheme in all splits, got {got}; "
            "convert all files to one scheme"
        )


def _keep_types_of_corpus(corpus: Corpus, types: Sequence[str]) -> Corpus:
    existing = set().union(*(types_in(split.sentences) for split in corpus.splits.values()))
    unknown = [entity_type for entity_type in types if entity_type not in existing]
    if unknown or not types:
        raise UsageError(
            f"corpus {corpus.name!r}: expected entity types to keep out of "
            f"{', '.join(sorted(existing)) or 'none'}, got {', '.join(unknown) or 'none'}"
        )
    return Corpus(
        corpus.name,
        {
            name: dataclasses.replace(split, sentences=keep_types(split.sentences, types))
            for name, split in corpus.splits.items()
        },
    )


def _shorten(text: str, most: int = 40) -> str:
    """Quotes text that may be of any length, for a message of one line."""
    return repr(text if len(text) <= most else f"{text[:most]}...")
