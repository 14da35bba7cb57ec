"""What both peers do around their networks to tag raw text, as one would write it in Python."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Callable

import numpy as np

from contenders import workload

# How bioner_tf cuts text, too.
_TOKEN = re.compile(r"[^\W_]+|\S")
# Sentences in a batch.
_BATCH_SIZE = 32

# A batch to tag ids and their probabilities, each (batch, time).
Decode = Callable[[workload.Batch], "tuple[np.ndarray, np.ndarray]"]
Span = tuple[int, int, str, float]


def tag(
    texts: Sequence[str],
    words: Mapping[str, int],
    characters: Mapping[str, int],
    decode: Decode,
) -> list[list[Span]]:
    """Finds the entities of texts, each of which is taken for one sentence.

    Args:
        texts: Any number.
        words: The id of each word that is known, 2 or more.
        characters: The id of each character, likewise.
        decode: The network.

    Returns:
        For each text its entities: start, end, type and score, the product of its tags' marginals.
    """
    matches = [list(_TOKEN.finditer(text)) for text in texts]
    found: list[list[Span]] = [[] for _ in texts]
    order = sorted(
        (row for row, tokens in enumerate(matches) if tokens), key=lambda r: len(matches[r])
    )
    for first in range(0, len(order), _BATCH_SIZE):
        rows = order[first : first + _BATCH_SIZE]
        sentences = [[match.group() for match in matches[row]] for row in rows]
        tags, probabilities = decode(_to_batch(sentences, words, characters))
        for row, tag_ids, scores in zip(rows, tags.tolist(), probabilities.tolist()):
            found[row] = _spans(matches[row], tag_ids, scores)
    return found


def _to_batch(
    sentences: Sequence[Sequence[str]], words: Mapping[str, int], characters: Mapping[str, int]
) -> workload.Batch:
    lengths = np.array([len(sentence) for sentence in sentences], np.int32)
    forms = {
        form: number for number, form in enumerate(dict.fromkeys(itertools.chain(*sentences)), 1)
    }
    word_ids, form_ids = (np.zeros((len(sentences), lengths.max()), np.int32) for _ in range(2))
    for row, sentence in enumerate(sentences):
        word_ids[row, : len(sentence)] = [words.get(re.sub("[0-9]", "0", t), 1) for t in sentence]
        form_ids[row, : len(sentence)] = [forms[token] for token in sentence]
    char_ids = np.zeros((1 + len(forms), max(map(len, forms))), np.int32)
    for form, number in forms.items():
        char_ids[number, : len(form)] = [characters.get(character, 1) for character in form]
    return {
        "word_ids": word_ids,
        "lengths": lengths,
        "char_ids": char_ids,
        "form_ids": form_ids,
    }


def _spans(
    matches: Sequence[re.Match[str]], tag_ids: Sequence[int], scores: Sequence[float]
) -> list[Span]:
    spans: list[Span] = []
    before = "O"
    for match, tag_id, score in zip(matches, tag_ids, scores):
        prefix, _, kind = workload.TAGS[tag_id].partition("-")
        if prefix == "I" and before != "O":
            start, _, kind, so_far = spans[-1]
            spans[-1] = (start, match.end(), kind, so_far * score)
        elif prefix != "O":
            spans.append((match.start(), match.end(), kind, score))
        before = prefix
    return spans
