"""The turns that every contender takes: made up, as large and varied as those of real corpora."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TAGS = ("O", "B-Gene", "I-Gene")
NUM_WORDS = 20_000
NUM_CHARACTERS = 90
BATCH_SIZE = 16
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
# The matrices by which the machine's rate is measured, and the operations that it takes.
SGEMM_SIZE = 2048
SGEMM_FLOPS = 2 * SGEMM_SIZE**3

# Sentence lengths are lognormal: 28 tokens in the mean, so about 465 a batch.
_MEDIAN_LENGTH, _SPREAD_OF_LENGTH = 25, 0.48
_LONGEST = 150
# Batches are cut from this many times their number of sentences, ordered by length.
_WINDOW = 32

Batch = dict[str, np.ndarray]


def corpora(structure: str) -> list[str]:
    """Returns the names of the corpora that a structure is trained on."""
    return ["main"] if structure == "single_task" else ["main", "auxiliary"]


def make_turns(structure: str, count: int, seed: int = 1) -> list[dict[str, Batch]]:
    """Makes turns: the batch of each corpus in the form of ``bioner_tf.pipeline``.

    Characters stand there once for each distinct word of a batch, a service to all contenders.

    Args:
        structure: The sharing structure.
        count: How many turns, from short sentences to long ones.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    # A word's number tells its frequency and its spelling.
    spelling = rng.integers(2, NUM_CHARACTERS, size=(NUM_WORDS, 20), dtype=np.int32)
    spelling *= np.arange(20) < 1 + rng.poisson(5, size=(NUM_WORDS, 1))
    spelling[0] = 0
    turns: list[dict[str, Batch]] = [{} for _ in range(count)]
    for corpus in corpora(structure):
        lengths = rng.lognormal(
            np.log(_MEDIAN_LENGTH), _SPREAD_OF_LENGTH, size=_WINDOW * BATCH_SIZE
        )
        batches = np.sort(lengths.clip(1, _LONGEST).round().astype(np.int32))
        batches = batches.reshape(_WINDOW, BATCH_SIZE)
        chosen = ((np.arange(count) + 0.5) * _WINDOW / count).astype(int)
        for turn, number in zip(turns, rng.permutation(chosen)):
            turn[corpus] = _make_batch(batches[number], spelling, rng)
    return turns


def _make_batch(lengths: np.ndarray, spelling: np.ndarray, rng: np.random.Generator) -> Batch:
    real = np.arange(lengths.max()) < lengths[:, None]
    # Zipf's law, as words follow it.
    words = (1 + rng.zipf(1.3, size=real.shape) % (NUM_WORDS - 1)) * real
    distinct, form_ids = np.unique(words, return_inverse=True)
    if distinct[0] != 0:
        distinct, form_ids = np.concatenate([[0], distinct]), form_ids + 1
    characters = spelling[distinct]
    return {
        "word_ids": words.astype(np.int32),
        "lengths": lengths,
        "char_ids": characters[:, : np.count_nonzero(characters, axis=1).max()],
        "form_ids": form_ids.reshape(words.shape).astype(np.int32),
        "tag_ids": (rng.integers(0, len(TAGS), size=words.shape) * real).astype(np.int32),
    }


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


def work(structure: str, turn: dict[str, Batch]) -> Work:
    """Counts the work of a turn, its floating-point operations by formula.

    Two a multiplication and addition; three times the forward pass, for every product has two
    gradients; real tokens only, and distinct words only for characters. Element-wise operations,
    the CRF's recursion and the updates are left out.
    """
    encoders = {"single_task": 1, "fully_shared": 1, "cross_sharing": 3}.get(structure, 2)
    width = WORD_DIM + CHAR_FILTERS
    bilstm = 2 * 4 * LSTM_UNITS * (width + LSTM_UNITS)
    encoder = bilstm + 2 * LSTM_UNITS * PROJECTION_UNITS
    features = PROJECTION_UNITS * (1 if structure in ("single_task", "fully_shared") else 2)
    gate = PROJECTION_UNITS**2 if structure == "cross_sharing" else 0
    a_token = encoders * encoder + gate + features * len(TAGS)
    tokens = padding = flops = 0
    for batch in turn.values():
        real = int(batch["lengths"].sum())
        positions = np.count_nonzero(batch["char_ids"]) + (CHAR_WIDTH - 1) * len(batch["char_ids"])
        tokens += real
        padding += batch["word_ids"].size - real
        flops += 6 * (real * a_token + positions * CHAR_WIDTH * CHAR_DIM * CHAR_FILTERS)
    return Work(tokens, padding, flops)
