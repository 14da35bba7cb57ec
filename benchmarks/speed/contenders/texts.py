"""Raw texts that every tagger tags: made-up sentences, as long and varied as those of abstracts."""

from __future__ import annotations

import functools
import itertools
import re
import string

import numpy as np

from contenders import workload

NUM_WORDS = 20_000
_PUNCTUATION = "-,()/"
# One token in so many is a punctuation mark.
_PUNCTUATION_EVERY = 9
_SINGLE_TEXTS = 64


@functools.lru_cache(maxsize=1)
def words() -> tuple[str, ...]:
    """Returns ``NUM_WORDS`` distinct words, the most frequent first."""
    rng = np.random.default_rng(1)
    # Short ones occur twice: more than are wanted.
    lengths = 2 + rng.poisson(4, size=2 * NUM_WORDS)
    letters = "".join(rng.choice([*string.ascii_lowercase], size=lengths.sum()))
    ends = np.cumsum(lengths)
    drawn = (letters[end - length : end] for length, end in zip(lengths, ends))
    return tuple(dict.fromkeys(drawn))[:NUM_WORDS]


def characters() -> list[str]:
    """Returns the characters that texts may have."""
    return [*string.ascii_letters, *string.digits, *_PUNCTUATION, "."]


def make_texts(count: int, seed: int = 1) -> list[str]:
    """Makes texts of one sentence each."""
    rng = np.random.default_rng(seed)
    known = np.array([*words(), *_PUNCTUATION])
    texts = []
    for length in workload.draw_sentence_lengths(count, rng).clip(2):
        numbers = workload.draw_words((length - 1,), NUM_WORDS, rng)
        marks = NUM_WORDS + rng.integers(len(_PUNCTUATION), size=length - 1)
        is_mark = rng.integers(_PUNCTUATION_EVERY, size=length - 1) == 0
        text = " ".join(known[np.where(is_mark, marks, numbers)])
        texts.append(re.sub(" ([-/]) ", r"\1", text) + ".")
    return texts


def calls(batch_sizes: list[int], count: int) -> list[tuple[int, list[str]]]:
    """Returns the calls by which ``count`` texts are tagged, for each size of batch.

    One by one only 64 are tagged, which take as long as several hundred together.

    Returns:
        For each call the size of the batch, and its texts.
    """
    texts = make_texts(count)
    found = []
    for size in batch_sizes:
        some = texts[:_SINGLE_TEXTS] if size == 1 else texts
        found += [(size, some[first : first + size]) for first in range(0, len(some), size)]
    return found


def count_tokens(texts: list[str]) -> tuple[int, int, int]:
    """Counts tokens, distinct ones, and the characters of these."""
    tokens = [token for text in texts for token in cut(text)]
    return len(tokens), len(set(tokens)), sum(map(len, set(tokens)))


def to_corpus(text: str) -> str:
    """Returns a text as a sentence of a corpus file, every tenth token an entity."""
    tags = itertools.cycle(["B-Gene", *["O"] * 9])
    return "".join(f"{token}\t{tag}\n" for token, tag in zip(cut(text), tags)) + "\n"


def cut(text: str) -> list[str]:
    """Cuts a text into tokens as bioner_tf does."""
    return re.findall(r"[^\W_]+|\S", text)
