"""Measures sentence splitting of raw text against the sentences of corpora.

    python benchmarks/quality/sentences.py --data_dir=corpora --corpora=BC2GM-IOB --show=20

Corpora hold tokens, not text, so the text is rebuilt with the usual spaces: none before a comma,
inside brackets and quotes, around hyphens and slashes, or between ``3``, ``.`` and ``5``. The
sentences of a split are joined by a space. A splitter can find the boundaries after a full stop, a
question mark or an exclamation mark. The others (after titles and headings, whose line breaks are
not in the corpora) are counted separately.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_TIGHT_BEFORE = frozenset(",;:.!?)]}%'\u2019")
_TIGHT_AFTER = frozenset("([{'")
_TIGHT_AROUND = frozenset("-/+_\u2013")
_COMPARISONS = frozenset("<>=")
_TERMINATORS = ".!?"
_CLOSING = "\"')]}"
_DOCUMENT_SENTENCES = 25


class Outcome(NamedTuple):
    """The result for a corpus's boundaries between sentences.

    Attributes:
        boundaries: Number of boundaries after a terminator (``.``, ``!`` or ``?``).
        missed: Number of these that the splitter missed.
        false_splits: Number of splits inside a sentence.
        unmarked: Number of boundaries without a terminator.
        unmarked_missed: Number of these that the splitter missed.
        examples: The text around misses and false splits.
    """

    boundaries: int
    missed: int
    false_splits: int
    unmarked: int
    unmarked_missed: int
    examples: list[str]


def write_sentence(tokens: Sequence[str]) -> str:
    """Writes a sentence's tokens as running text."""
    text = ""
    for place, token in enumerate(tokens):
        previous = tokens[place - 1] if place else ""
        text += token if not text or _is_joined(tokens, place, previous, token) else f" {token}"
    return text


def _is_joined(tokens: Sequence[str], place: int, previous: str, token: str) -> bool:
    before = tokens[place - 2] if place > 1 else " "
    if '"' in (previous, token):
        # The first quote opens, the second closes.
        is_open = tokens[:place].count('"') % 2 == 1
        return is_open if previous == '"' else token == '"' and is_open
    if token == "." and previous in _COMPARISONS:
        return False
    if token in _TIGHT_BEFORE or previous in _TIGHT_AFTER:
        return True
    if token in _TIGHT_AROUND or previous in _TIGHT_AROUND:
        return True
    if previous == ".":
        # 3.5, < .05, e.g., U.S.
        opens_decimal = before[-1].isdigit() or before in _COMPARISONS
        return (opens_decimal and token[0].isdigit()) or (
            len(before) == len(token) == 1 and before.isalpha() and token.isalpha()
        )
    return False


def measure(sentences: Iterable[Sequence[str]]) -> Outcome:
    """Joins sentences into text, splits it again and compares.

    Args:
        sentences: The tokens of each sentence.
    """
    boundaries = missed = false_splits = unmarked = unmarked_missed = 0
    examples: list[str] = []
    for document, expected in _documents(sentences):
        found = _split(document)
        for start in sorted(expected):
            ended = document[: start - 1].rstrip(_CLOSING)[-1:]
            marked = ended != "" and ended in _TERMINATORS
            boundaries, unmarked = boundaries + marked, unmarked + (not marked)
            if start not in found:
                missed, unmarked_missed = missed + marked, unmarked_missed + (not marked)
                if marked:
                    examples.append(_show("missed", document, start))
        for start in sorted(found - expected):
            false_splits += 1
            examples.append(_show("false ", document, start))
    return Outcome(boundaries, missed, false_splits, unmarked, unmarked_missed, examples)


def _documents(sentences: Iterable[Sequence[str]]) -> Iterator[tuple[str, set[int]]]:
    """Yields texts of several sentences, and where each sentence but the first starts."""
    texts = [write_sentence(tokens) for tokens in sentences]
    for first in range(0, len(texts), _DOCUMENT_SENTENCES):
        part = texts[first : first + _DOCUMENT_SENTENCES]
        starts, length = set(), 0
        for text in part[:-1]:
            length += len(text) + 1
            starts.add(length)
        yield " ".join(part), starts


def _split(document: str) -> set[int]:
    """Returns where each sentence but the first starts."""
    import tensorflow as tf

    from bioner_tf.text.sentences import split_sentences
    from bioner_tf.text.tokens import tokenise

    tokens = tokenise(tf.constant([document]))
    starts = tokens.starts.numpy()[split_sentences(tokens).numpy()]
    return {int(start) for start in starts} - {0}


def _show(kind: str, document: str, start: int) -> str:
    return f"{kind} ...{document[max(0, start - 40) : start]}|{document[start : start + 30]}..."


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each corpus, and examples of mistakes."""
    from bioner_tf.corpora.corpus import read_split

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default=os.environ.get("BIONER_DATA_DIR"))
    parser.add_argument("--corpora", required=True, help="comma-separated")
    parser.add_argument("--split", default="test")
    parser.add_argument("--show", type=int, default=0, help="mistakes to show for each corpus")
    options = parser.parse_args(arguments)
    if not options.data_dir:
        parser.error("expected --data_dir, or BIONER_DATA_DIR set")
    print(f"{'corpus':<20} boundaries  missed  false   recall precision  unmarked  missed")
    for corpus in options.corpora.split(","):
        split = read_split(Path(options.data_dir) / corpus / f"{options.split}.tsv")
        outcome = measure(sentence.tokens for sentence in split.sentences)
        right = outcome.boundaries - outcome.missed
        print(
            f"{corpus:<20} {outcome.boundaries:>10} {outcome.missed:>7} {outcome.false_splits:>6} "
            f"{100 * right / max(outcome.boundaries, 1):>8.2f} "
            f"{100 * right / max(right + outcome.false_splits, 1):>9.2f} "
            f"{outcome.unmarked:>9} {outcome.unmarked_missed:>7}",
            flush=True,
        )
        for example in outcome.examples[: options.show]:
            print(f"  {example}")


if __name__ == "__main__":
    sys.exit(main())
