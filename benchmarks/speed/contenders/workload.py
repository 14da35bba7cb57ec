"""The turns that every contender takes: made up, as large and varied as those of real corpora."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

TAGS = ("O", "B-Gene", "I-Gene")
NUM_CHARACTERS = 90
# The paper's ("Training details").
WORD_DIM = 100
CHAR_DIM = CHAR_FILTERS = 30
CHAR_WIDTH = 3
LSTM_UNITS = 256
PROJECTION_UNITS = 128
DROPOUT_RATE = 0.5
LEARNING_RATE = 0.001
RHO = 0.95
EPSILON = 1e-8
CLIP_NORM = 5.0
# Weights of the losses beside the task's.
ALPHA, BETA = 0.01, 0.001
# The matrices by which the machine's rate is measured, and the operations that it takes.
SGEMM_SIZE = 2048
SGEMM_FLOPS = 2 * SGEMM_SIZE**3

# Sentence lengths are lognormal: 28 tokens in the mean, so about 465 a batch of 16.
_MEDIAN_LENGTH, _SPREAD_OF_LENGTH = 25, 0.48
_LONGEST = 150
# Batches are cut from this many times their number of sentences, ordered by length.
_WINDOW = 32
# The number of different spellings; larger vocabularies share them.
_SPELLINGS = 20_000

Batch = dict[str, np.ndarray]


class Wiring(NamedTuple):
    """What a structure makes the features of a corpus of.

    Attributes:
        shared: Whether there is a Bi-LSTM for all corpora.
        private: Whether each corpus has one.
        gated: Whether the others' private features gate its own.
        adversarial: Whether losses keep shared features shared and private ones apart.
    """

    shared: bool
    private: bool
    gated: bool = False
    adversarial: bool = False


WIRINGS = {
    "single_task": Wiring(shared=False, private=True),
    "fully_shared": Wiring(shared=True, private=False),
    "shared_private": Wiring(shared=True, private=True),
    "adversarial": Wiring(shared=True, private=True, adversarial=True),
    "cross_sharing": Wiring(shared=True, private=True, gated=True),
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is trained, and on how much.

    Attributes:
        structure: The sharing structure.
        num_corpora: Its corpora; a single-task tagger has one whatever stands here.
        batch_size: Sentences in a batch.
        length: Tokens in every sentence; 0 draws lengths as corpora have them.
        num_words: Rows of the word table.
    """

    structure: str
    num_corpora: int = 2
    batch_size: int = 16
    length: int = 0
    num_words: int = 20_000

    @property
    def wiring(self) -> Wiring:
        """How the structure is wired."""
        return WIRINGS[self.structure]

    @property
    def corpora(self) -> list[str]:
        """The names of the corpora, the main one first."""
        count = 1 if self.structure == "single_task" else self.num_corpora
        return ["main", *(f"auxiliary{number}" for number in range(1, count))]


def make_turns(setting: Setting, count: int, seed: int = 1) -> list[dict[str, Batch]]:
    """Makes turns: the batch of each corpus in the form of ``bioner_tf.training.batches``.

    Characters are given once for each distinct word of a batch, for all contenders.

    Args:
        setting: What is trained.
        count: How many turns, from short sentences to long ones.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    # A word's number tells its frequency and its spelling.
    spelling = rng.integers(2, NUM_CHARACTERS, size=(_SPELLINGS, 20), dtype=np.int32)
    spelling *= np.arange(20) < 1 + rng.poisson(5, size=(_SPELLINGS, 1))
    turns: list[dict[str, Batch]] = [{} for _ in range(count)]
    for corpus in setting.corpora:
        for turn, lengths in zip(turns, _draw_lengths(setting, count, rng)):
            turn[corpus] = _make_batch(lengths, setting.num_words, spelling, rng)
    return turns


def draw_sentence_lengths(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the tokens of ``count`` sentences, int32 (count,)."""
    lengths = rng.lognormal(np.log(_MEDIAN_LENGTH), _SPREAD_OF_LENGTH, size=count)
    return lengths.clip(1, _LONGEST).round().astype(np.int32)


def draw_words(shape: tuple[int, ...], num_words: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the numbers of words, from 1 below ``num_words``, by Zipf's law as words follow it."""
    return 1 + rng.zipf(1.3, size=shape) % (num_words - 1)


def _draw_lengths(setting: Setting, count: int, rng: np.random.Generator) -> np.ndarray:
    """The sentence lengths of ``count`` batches, int32 (count, batch)."""
    if setting.length:
        return np.full((count, setting.batch_size), setting.length, np.int32)
    lengths = np.sort(draw_sentence_lengths(_WINDOW * setting.batch_size, rng))
    chosen = ((np.arange(count) + 0.5) * _WINDOW / count).astype(int)
    return lengths.reshape(_WINDOW, setting.batch_size)[rng.permutation(chosen)]


def _make_batch(
    lengths: np.ndarray, num_words: int, spelling: np.ndarray, rng: np.random.Generator
) -> Batch:
    real = np.arange(lengths.max()) < lengths[:, None]
    words = draw_words(real.shape, num_words, rng) * real
    distinct, form_ids = np.unique(words, return_inverse=True)
    if distinct[0] != 0:
        distinct, form_ids = np.concatenate([[0], distinct]), form_ids + 1
    characters = spelling[distinct % len(spelling)] * (distinct > 0)[:, None]
    return {
        "word_ids": words.astype(np.int32),
        "lengths": lengths,
        "char_ids": characters[:, : np.count_nonzero(characters, axis=1).max()].astype(np.int32),
        "form_ids": form_ids.reshape(words.shape).astype(np.int32),
        "tag_ids": (rng.integers(0, len(TAGS), size=words.shape) * real).astype(np.int32),
    }


def make_features(batch_size: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes what Bi-LSTMs read: sentences of nearly one length, as batches hold them.

    Returns:
        float32 (batch, time, width) and the real tokens of each sentence, int32 (batch,), from
        nine tenths of ``length`` to all of it.
    """
    features = np.random.default_rng(1).normal(size=(batch_size, length, WORD_DIM + CHAR_FILTERS))
    lengths = np.linspace(length, 0.9 * length, batch_size).round().clip(1).astype(np.int32)
    return features.astype(np.float32), lengths


class Work(NamedTuple):
    """What a turn holds.

    Attributes:
        tokens: Real ones, of all batches.
        padding: Tokens that only fill up.
        flops: Floating-point operations of the turn's matrix products.
    """

    tokens: int
    padding: int
    flops: int


def work(setting: Setting, turn: dict[str, Batch]) -> Work:
    """Counts the work of a turn, its floating-point operations by formula.

    Three times the forward pass, for every product has two gradients; the rest as in
    ``forward_flops``.
    """
    tokens = padding = flops = 0
    for batch in turn.values():
        real = int(batch["lengths"].sum())
        characters = np.count_nonzero(batch["char_ids"])
        forward = forward_flops(setting, real, characters, len(batch["char_ids"]))
        if setting.wiring.adversarial:
            # The products of shared and private features; the discriminator, once a sentence.
            forward += 2 * real * PROJECTION_UNITS**2
            forward += 2 * len(batch["lengths"]) * PROJECTION_UNITS * len(setting.corpora)
        tokens += real
        padding += batch["word_ids"].size - real
        flops += 3 * forward
    return Work(tokens, padding, flops)


def forward_flops(setting: Setting, tokens: int, characters: int, forms: int) -> int:
    """Counts the floating-point operations that take tokens to the scores of a corpus's tags.

    Two a multiplication and addition; real tokens only. Element-wise operations, the CRF's
    recursion and updates are left out.

    Args:
        setting: The network.
        tokens: Real tokens.
        characters: Characters of the distinct forms among them, together.
        forms: How many distinct forms.
    """
    wiring, others = setting.wiring, len(setting.corpora) - 1
    private = (1 + others if wiring.gated else 1) if wiring.private else 0
    encoder = bilstm_flops(tokens) + 2 * tokens * 2 * LSTM_UNITS * PROJECTION_UNITS
    gate = 2 * tokens * others * PROJECTION_UNITS**2 if wiring.gated else 0
    features = PROJECTION_UNITS * (wiring.shared + wiring.private)
    positions = characters + (CHAR_WIDTH - 1) * forms
    return (
        (wiring.shared + private) * encoder
        + gate
        + 2 * tokens * features * len(TAGS)
        + 2 * positions * CHAR_WIDTH * CHAR_DIM * CHAR_FILTERS
    )


def bilstm_flops(tokens: int) -> int:
    """Counts the floating-point operations of a Bi-LSTM's forward pass over real tokens."""
    width = WORD_DIM + CHAR_FILTERS
    return 2 * tokens * 2 * 4 * LSTM_UNITS * (width + LSTM_UNITS)
