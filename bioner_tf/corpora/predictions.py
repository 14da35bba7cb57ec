"""Reads predictions: per line token, gold tag and predicted tag; empty lines end sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bioner_tf.corpora.tags import split_tag
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike

_EXPECTED = 'expected "token<TAB>gold tag<TAB>predicted tag"'


class TaggedSentence(NamedTuple):
    """A sentence's tokens, gold tags and predicted tags: as many of each, at least one."""

    tokens: tuple[str, ...]
    gold: tuple[str, ...]
    predicted: tuple[str, ...]


def read_predictions(path: PathLike) -> list[TaggedSentence]:
    """Reads what ``corpus.write_predictions`` wrote.

    Raises:
        BionerError: There is no such file, or one of its lines is malformed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BionerError(f"{path}: no such file; expected predictions") from None
    except UnicodeDecodeError as error:
        raise BionerError(f"{path}: expected UTF-8: {error}") from None
    sentences = []
    rows: list[list[str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            rows.append(_columns(f"{path}:{number}", line))
        elif rows:
            tokens, gold, predicted = zip(*rows)
            sentences.append(TaggedSentence(tokens, gold, predicted))
            rows = []
    if rows:
        raise BionerError(f"{path}: expected a newline at its end, got none; is it complete?")
    if not sentences:
        raise BionerError(f"{path}: {_EXPECTED} lines, got no sentence at all")
    return sentences


def require_same_sentences(
    sentences: Sequence[TaggedSentence], others: Sequence[TaggedSentence], names: Sequence[str]
) -> None:
    """Checks that two models' predictions are of the same sentences, gold tags included.

    Args:
        sentences: The predictions of the first model.
        others: Those of the second.
        names: The names of both, for the message.

    Raises:
        BionerError: They are not.
    """
    if len(sentences) != len(others):
        raise BionerError(
            f"{names[1]}: expected the {len(sentences)} sentences of {names[0]}, got {len(others)}"
        )
    for number, (one, other) in enumerate(zip(sentences, others), start=1):
        if one[:2] != other[:2]:
            raise BionerError(
                f"{names[1]}: expected the sentences of {names[0]}, got other tokens or gold tags "
                f"in sentence {number}"
            )


def _columns(place: str, line: str) -> list[str]:
    columns = line.split("\t")
    if len(columns) != 3:
        raise BionerError(f"{place}: {_EXPECTED}, got {len(columns)} columns")
    for tag in columns[1:]:
        try:
            split_tag(tag)
        except ValueError:
            raise BionerError(f"{place}: {_EXPECTED}, got the tag {tag[:40]!r}") from None
    return columns
