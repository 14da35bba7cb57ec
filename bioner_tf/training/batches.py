"""Corpora to batches: encoded once, drawn at random, batched with sentences of similar length.

Every draw depends on (seed, corpus, pass over the corpus) only, so that any turn of a run can be
repeated without the turns before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable

import numpy as np
import tensorflow as tf

from bioner_tf.corpora.corpus import Sentence
from bioner_tf.sources.base import FORM_IDS, LENGTHS, TAG_IDS, Arrays, Source, network_specs

# Number of batches that are cut from one window of shuffled sentences, sorted by length.
_WINDOW = 32

Batch = Arrays


@dataclasses.dataclass(frozen=True)
class Forms:
    """Every distinct token of a run, encoded once by each source; form 0 is padding.

    Attributes:
        index: The form's number, 1 or more, by token.
        sources: What the networks read about a token.
        encoded: For each source its arrays, a row for each form.
    """

    index: Mapping[str, int]
    sources: Sequence[Source]
    encoded: Sequence[Arrays]

    @classmethod
    def encode(cls, sentences: Sequence[Sentence], sources: Sequence[Source]) -> Forms:
        """Encodes the distinct tokens of all sentences that the run will ever batch."""
        tokens = list(dict.fromkeys(token for sentence in sentences for token in sentence.tokens))
        return cls(
            index={token: number for number, token in enumerate(tokens, start=1)},
            sources=sources,
            encoded=[
                {
                    name: np.pad(values, [(1, 0)] + [(0, 0)] * (values.ndim - 1))
                    for name, values in source.encode_forms(tokens).items()
                }
                for source in sources
            ],
        )

    def make_batch(self, forms: np.ndarray, form_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Makes the inputs of all sources.

        Args:
            forms: int (n,), the forms of the batch; the first is padding.
            form_ids: int32 (batch, time), for each token the position of its form in ``forms``.
        """
        inputs: dict[str, np.ndarray] = {}
        for source, encoded in zip(self.sources, self.encoded):
            rows = {name: values[forms] for name, values in encoded.items()}
            inputs.update(source.make_batch(rows, form_ids))
        return inputs


@dataclasses.dataclass(frozen=True)
class EncodedSplit:
    """The sentences of a split as numbers, concatenated in flat arrays.

    Attributes:
        form_ids: int32 (tokens,).
        tag_ids: int32 (tokens,); None where no loss is computed.
        offsets: int64 (sentences + 1,), where each sentence starts.
    """

    form_ids: np.ndarray
    tag_ids: np.ndarray | None
    offsets: np.ndarray

    @classmethod
    def encode(
        cls, sentences: Sequence[Sentence], forms: Forms, tags: Sequence[str] | None = None
    ) -> EncodedSplit:
        """Encodes ``sentences``, and their tags if the corpus's ``tags`` are given."""
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
            What ``batch_signature`` declares, ``tag_ids`` only where tags are known; 0 on padding.
            Each distinct token of the batch is one form, after form 0 for padding.
        """
        lengths = self.lengths[rows]
        real = np.arange(lengths.max()) < lengths[:, None]
        positions = (self.offsets[rows, None] + np.arange(lengths.max()))[real]
        distinct, form_of_token = np.unique(self.form_ids[positions], return_inverse=True)
        form_ids = np.zeros(real.shape, np.int32)
        form_ids[real] = form_of_token + 1
        batch = {
            LENGTHS: lengths.astype(np.int32),
            FORM_IDS: form_ids,
            **forms.make_batch(np.concatenate([[0], distinct]), form_ids),
        }
        if self.tag_ids is not None:
            batch[TAG_IDS] = np.zeros(real.shape, np.int32)
            batch[TAG_IDS][real] = self.tag_ids[positions]
        return batch


def count_batches(split: EncodedSplit, batch_size: int) -> int:
    """Returns the number of batches in a pass over ``split``."""
    return -(-len(split.lengths) // batch_size)


def plan_pass(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws the batches of one pass: every sentence once, similar lengths in a batch.

    The sentences are shuffled; every window of 32 batches is sorted by length and cut into batches;
    the batches are shuffled. So both the content and the order of the batches are random.

    Args:
        lengths: int (sentences,).
        batch_size: Sentences in a batch; the last one may hold fewer.
        rng: Random generator.

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
    """Cuts a split into batches of similar lengths, for decoding; returns the rows of each."""
    order = np.argsort(split.lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def turn_rows(
    splits: Mapping[str, EncodedSplit], batch_size: int, seed: int, numbers: Iterable[int]
) -> Iterator[dict[str, np.ndarray]]:
    """Draws turns: a batch of every corpus. A corpus that is used up is shuffled again.

    Args:
        splits: The training sentences by corpus, the main one first.
        batch_size: Sentences in a batch.
        seed: Random seed.
        numbers: The turns to draw; a turn does not depend on those before it.

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


def batch_signature(sources: Sequence[Source], with_tags: bool) -> dict[str, tf.TensorSpec]:
    """Returns the specification of a batch's tensors; None where the size varies."""
    signature = network_specs(sources)
    if with_tags:
        signature[TAG_IDS] = tf.TensorSpec([None, None], tf.int32)
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
        output_signature=dict.fromkeys(splits, batch_signature(forms.sources, with_tags=True)),
    ).prefetch(4)
