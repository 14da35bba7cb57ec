"""Encoding, batching and turns: each sentence once per pass, every draw repeatable."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import ModelConfig
from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.vocabulary import Vocabulary
from bioner_tf.sources.base import Source
from bioner_tf.training.batches import (
    EncodedSplit,
    Forms,
    batch_signature,
    count_batches,
    length_batches,
    plan_pass,
    turn_dataset,
    turns,
)

TAGS = ("O", "B-X", "I-X")


def make_sentences(count: int, seed: int) -> list[Sentence]:
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(count):
        length = int(rng.integers(1, 9))
        tokens = tuple("".join(rng.choice(list("abc"), rng.integers(1, 4))) for _ in range(length))
        sentences.append(Sentence(tokens, tuple(str(t) for t in rng.choice(TAGS, length))))
    return sentences


def encode(sentences: list[Sentence]) -> tuple[Forms, EncodedSplit]:
    forms = Forms.encode(sentences, SOURCES)
    return forms, EncodedSplit.encode(sentences, forms, TAGS)


class Spelling(Source):
    """Encodes the tokens of ``make_sentences`` as one number and as letters."""

    input_specs: ClassVar = {
        name: tf.TensorSpec([None, None], tf.int32) for name in ("word_ids", "char_ids")
    }
    build = graph_encoder = build_layer = apply = None

    def encode_forms(self, tokens):
        return {"word_ids": spell_word(tokens), "char_ids": spell_characters(tokens)}

    def make_batch(self, forms, form_ids):
        width = np.count_nonzero(forms["char_ids"], axis=1).max()
        return {"word_ids": forms["word_ids"][form_ids], "char_ids": forms["char_ids"][:, :width]}


SOURCES = [Spelling(Vocabulary(()), ModelConfig())]


def spell_word(tokens: list[str]) -> np.ndarray:
    """Returns a different number for each token of ``make_sentences``."""
    return np.array([int.from_bytes(token.encode(), "big") for token in tokens], np.int32)


def spell_characters(tokens: list[str]) -> np.ndarray:
    rows = [[ord(c) for c in token] for token in tokens]
    return np.array([row + [0] * (5 - len(row)) for row in rows], np.int32)


def test_a_batch_says_what_the_sentences_say() -> None:
    sentences = make_sentences(20, seed=1)
    forms, split = encode(sentences)
    rows = np.array([7, 3, 11, 3])
    batch = split.batch(rows, forms)
    assert len(np.unique(batch["char_ids"], axis=0)) == len(batch["char_ids"])
    assert not batch["char_ids"][0].any()
    # No wider than its longest token.
    assert batch["char_ids"][:, -1].any()
    for place, row in enumerate(rows):
        sentence, length = sentences[row], len(sentences[row].tokens)
        assert batch["lengths"][place] == length
        assert batch["word_ids"][place, :length].tolist() == spell_word(sentence.tokens).tolist()
        assert [TAGS[t] for t in batch["tag_ids"][place, :length]] == list(sentence.tags)
        spelled = batch["char_ids"][batch["form_ids"][place, :length]]
        assert ["".join(chr(c) for c in form if c) for form in spelled] == list(sentence.tokens)
        for name in ("word_ids", "form_ids", "tag_ids"):
            assert not batch[name][place, length:].any()


def test_a_batch_without_tags_has_no_tags() -> None:
    sentences = make_sentences(5, seed=1)
    forms, tagged = encode(sentences)
    untagged = EncodedSplit.encode(sentences, forms)
    assert untagged.tag_ids is None
    rows = np.array([4, 0])
    expected, batch = tagged.batch(rows, forms), untagged.batch(rows, forms)
    del expected["tag_ids"]
    assert set(batch) == set(expected) == set(batch_signature(SOURCES, with_tags=False))
    for name, values in expected.items():
        np.testing.assert_array_equal(batch[name], values)
    assert "tag_ids" in batch_signature(SOURCES, with_tags=True)


@pytest.mark.parametrize("count", [1, 16, 17, 40])
def test_decoding_takes_every_sentence_once_and_like_lengths_together(count: int) -> None:
    _, split = encode(make_sentences(count, seed=3))
    batches = length_batches(split, 16)
    rows = list(itertools.chain(*batches))
    assert sorted(rows) == list(range(count))
    assert (np.diff(split.lengths[rows]) >= 0).all()
    assert [len(batch) for batch in batches[:-1]] == [16] * (count // 16 - (count % 16 == 0))


@pytest.mark.parametrize("count", [1, 16, 17, 700])
def test_a_pass_takes_every_sentence_once(count: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 50, count)
    batches = plan_pass(lengths, 16, np.random.default_rng(1))
    assert sorted(itertools.chain(*batches)) == list(range(count))
    assert len(batches) == -(-count // 16)
    assert max(map(len, batches)) <= 16


def test_a_pass_pads_little_and_mixes_much() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 2000)
    first, second = (plan_pass(lengths, 16, np.random.default_rng(s)) for s in (1, 2))
    padded = sum(len(batch) * lengths[batch].max() for batch in first)
    # Batches of sentences drawn without regard to length pad about half as much again.
    assert lengths.sum() / padded > 0.9
    partners = {frozenset(batch) for batch in first} & {frozenset(batch) for batch in second}
    assert not partners
    # Short batches do not all come first.
    means = [lengths[batch].mean() for batch in first]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


class TestTurns:
    @pytest.fixture
    def splits(self) -> tuple[dict[str, EncodedSplit], Forms]:
        both = make_sentences(40, seed=1), make_sentences(23, seed=2)
        forms = Forms.encode([*both[0], *both[1]], SOURCES)
        return {
            name: EncodedSplit.encode(sentences, forms, TAGS)
            for name, sentences in zip(("main", "other"), both)
        }, forms

    @staticmethod
    def contents(batch) -> list[list[int]]:
        return [row[:n].tolist() for row, n in zip(batch["word_ids"], batch["lengths"])]

    def test_each_corpus_is_used_up_before_it_repeats(self, splits) -> None:
        encoded, forms = splits
        stream = list(itertools.islice(turns(encoded, forms, 8, 3, itertools.count()), 12))
        for name, batches in (("main", 5), ("other", 3)):
            assert count_batches(encoded[name], 8) == batches
            passes = [
                sorted(s for turn in stream[i : i + batches] for s in self.contents(turn[name]))
                for i in range(0, 2 * batches, batches)
            ]
            assert passes[0] == passes[1]
            assert sum(map(len, passes[0])) == len(encoded[name].form_ids)
            orders = [
                [s for turn in stream[i : i + batches] for s in self.contents(turn[name])]
                for i in range(0, 2 * batches, batches)
            ]
            assert orders[0] != orders[1]

    @pytest.mark.parametrize("start", [1, 5, 7])
    def test_any_turn_can_be_made_without_those_before(self, splits, start: int) -> None:
        encoded, forms = splits
        whole = list(itertools.islice(turns(encoded, forms, 8, 3, itertools.count()), start + 4))
        resumed = itertools.islice(turns(encoded, forms, 8, 3, itertools.count(start)), 4)
        for expected, actual in zip(whole[start:], resumed):
            for name in encoded:
                for key, values in expected[name].items():
                    np.testing.assert_array_equal(actual[name][key], values)

    def test_the_dataset_yields_the_turns(self, splits) -> None:
        encoded, forms = splits
        expected = next(turns(encoded, forms, 8, 3, [2]))
        actual = next(turn_dataset(encoded, forms, 8, 3, lambda: [2]).as_numpy_iterator())
        assert set(actual) == set(expected)
        for name in encoded:
            assert set(actual[name]) == set(expected[name])
            for key, values in expected[name].items():
                np.testing.assert_array_equal(actual[name][key], values)
