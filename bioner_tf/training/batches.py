"""Corpora to batches: encoded once, drawn at random, batched with sentences of like length.

Every draw is a function of (seed, corpus, pass over the corpus), so that any turn of a run can be
made again without the turns before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable

import numpy as np
import tensorflow as tf

from bioner_tf.corpora.corpus import Sentence

# Batches that are filled from one window of shuffled sentences, ordered by length within it.
_WINDOW = 32

Batch = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Forms:
    """Every distinct token of a run, encoded once; form 0 is padding.

    Attributes:
        index: The form's number, 1 or more, by token.
        word_ids: int32 (forms,).
        char_ids: int32 (forms, max_characters), padded with 0.
        char_lengths: int32 (forms,).
    """

    index: Mapping[str, int]
    word_ids: np.ndarray
    char_ids: np.ndarray
    char_lengths: np.ndarray

    @classmethod
    def encode(
        cls,
        sentences: Sequence[Sentence],
        word_ids: Callable[[Sequence[str]], np.ndarray],
        char_ids: Callable[[Sequence[str]], np.ndarray],
    ) -> Forms:
        """Encodes the distinct tokens of ``sentences``.

        Args:
            sentences: All that the run will ever batch.
            word_ids: Gives int32 (n,) for n tokens.
            char_ids: Gives int32 (n, max_characters) for n tokens, padded with 0.
        """
        tokens = list(dict.fromkeys(token for sentence in sentences for token in sentence.tokens))
        characters = np.pad(char_ids(tokens), ((1, 0), (0, 0)))
        return cls(
            index={token: number for number, token in enumerate(tokens, start=1)},
            word_ids=np.pad(word_ids(tokens), (1, 0)),
            char_ids=characters,
            char_lengths=np.count_nonzero(characters, axis=1).astype(np.int32),
        )


@dataclasses.dataclass(frozen=True)
class EncodedSplit:
    """The sentences of a split as numbers, one after the other in flat arrays.

    Attributes:
        form_ids: int32 (tokens,).
        tag_ids: int32 (tokens,); None where no loss is wanted.
        offsets: int64 (sentences + 1,), where each sentence starts.
    """

    form_ids: np.ndarray
    tag_ids: np.ndarray | None
    offsets: np.ndarray

    @classmethod
    def encode(
        cls, sentences: Sequence[Sentence], forms: Forms, tags: Sequence[str] | None = None
    ) -> EncodedSplit:
        """Encodes ``sentences``, their tags too where the corpus's ``tags`` are given."""
        index = forms.index
        tag_ids = None
        if tags is not None:
            numbers = {tag: number for number, tag in enumerate(tags)}
            tag_ids = np.array([numbers[t] for s in sentences for t in s.tags], np.int32)
        return cls(
            form_ids=np.array([index[t] for s in sentences for t in s.tokens], np.int32),
            tag_ids=tag_ids,
            offsets=np.cumsum([0, *(len(s.tokens) for s in sentences)]),
        )

    @property
    def lengths(self) -> np.ndarray:
        """int64 (sentences,), tokens of each sentence."""
        return np.diff(self.offsets)

    def batch(self, rows: np.ndarray, forms: Forms) -> Batch:
        """Makes a batch of the sentences ``rows``.

        Returns:
            ``word_ids``, ``form_ids`` and, where tags are known, ``tag_ids``, int32 (batch, time),
            0 on padding; ``lengths`` int32 (batch,); ``char_ids`` int32 (forms, max_chars), each
            distinct token of the batch once behind the padding form.
        """
        lengths = self.lengths[rows]
        real = np.arange(lengths.max()) < lengths[:, None]
        positions = (self.offsets[rows, None] + np.arange(lengths.max()))[real]
        global_forms = np.zeros(real.shape, np.int32)
        global_forms[real] = self.form_ids[positions]
        distinct, form_ids = np.unique(global_forms[real], return_inverse=True)
        distinct = np.concatenate([[0], distinct])
        batch = {
            "word_ids": forms.word_ids[global_forms],
            "lengths": lengths.astype(np.int32),
            "char_ids": forms.char_ids[distinct, : forms.char_lengths[distinct].max()],
            "form_ids": np.zeros(real.shape, np.int32),
        }
        batch["form_ids"][real] = form_ids + 1
        if self.tag_ids is not None:
            batch["tag_ids"] = np.zeros(real.shape, np.int32)
            batch["tag_ids"][real] = self.tag_ids[positions]
        return batch


def count_batches(split: EncodedSplit, batch_size: int) -> int:
    """Returns the number of batches in a pass over ``split``."""
    return -(-len(split.lengths) // batch_size)


def plan_pass(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws the batches of one pass: every sentence once, each batch of like lengths.

    The sentences are shuffled; every window of 32 batches is ordered by length and cut into
    batches; the batches are shuffled. Which sentences meet in a batch and when it comes stays
    random.

    Args:
        lengths: int (sentences,).
        batch_size: Sentences in a batch; the last one may hold fewer.
        rng: Source of the draws.

    Returns:
        The sentence numbers of each batch.
    """
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), _WINDOW * batch_size):
        window = order[start : start + _WINDOW * batch_size]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def length_batches(split: EncodedSplit, batch_size: int) -> list[np.ndarray]:
    """Cuts a split into batches of like length, for decoding; returns the rows of each."""
    order = np.argsort(split.lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def turn_rows(
    splits: Mapping[str, EncodedSplit], batch_size: int, seed: int, numbers: Iterable[int]
) -> Iterator[dict[str, np.ndarray]]:
    """Draws turns: for every corpus the sentences of its batch, reshuffled when used up.

    Args:
        splits: The training sentences by corpus, the main one first.
        batch_size: Sentences in a batch.
        seed: Of the draws.
        numbers: The turns to draw; a turn is the same whatever came before.

    Yields:
        For each corpus the rows of its split.

    Source: paper, "MTM training".
    """
    plans: dict[str, tuple[int, list[np.ndarray]]] = {}
    for turn in numbers:
        rows = {}
        for number, (corpus, split) in enumerate(splits.items()):
            passes, position = divmod(turn, count_batches(split, batch_size))
            if corpus not in plans or plans[corpus][0] != passes:
                rng = np.random.default_rng([seed, number, passes])
                plans[corpus] = (passes, plan_pass(split.lengths, batch_size, rng))
            rows[corpus] = plans[corpus][1][position]
        yield rows


def turns(
    splits: Mapping[str, EncodedSplit],
    forms: Forms,
    batch_size: int,
    seed: int,
    numbers: Iterable[int],
) -> Iterator[dict[str, Batch]]:
    """Yields the turns that ``turn_rows`` draws, for each corpus its batch."""
    for rows in turn_rows(splits, batch_size, seed, numbers):
        yield {corpus: splits[corpus].batch(rows[corpus], forms) for corpus in splits}


def batch_signature(with_tags: bool) -> dict[str, tf.TensorSpec]:
    """Returns the specification of a batch's tensors; None where the extent varies."""
    signature = {
        "word_ids": tf.TensorSpec((None, None), tf.int32),
        "lengths": tf.TensorSpec((None,), tf.int32),
        "char_ids": tf.TensorSpec((None, None), tf.int32),
        "form_ids": tf.TensorSpec((None, None), tf.int32),
    }
    if with_tags:
        signature["tag_ids"] = tf.TensorSpec((None, None), tf.int32)
    return signature


def turn_dataset(
    splits: Mapping[str, EncodedSplit],
    forms: Forms,
    batch_size: int,
    seed: int,
    numbers: Callable[[], Iterable[int]],
) -> tf.data.Dataset:
    """Returns the turns ``numbers()`` as a prefetching dataset."""
    return tf.data.Dataset.from_generator(
        lambda: turns(splits, forms, batch_size, seed, numbers()),
        output_signature={corpus: batch_signature(with_tags=True) for corpus in splits},
    ).prefetch(4)
