"""A tagger of two or three tiny corpora and a turn for it, for the tests of models and training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from bioner_tf.config import ModelConfig
from bioner_tf.corpora.vocabulary import FIRST_ID, Vocabulary
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.sources.characters import CharacterSource
from bioner_tf.sources.words import WordSource

NUM_WORDS, NUM_CHARACTERS, WORD_DIM = 11, 7, 4
TAGS = {"a": ("O", "B-X", "I-X"), "b": ("O", "B-Y"), "c": ("O", "B-Z", "I-Z")}


def make_config(structure: str, **changes) -> ModelConfig:
    sizes = {"word_dim": WORD_DIM, "char_dim": 3, "char_filters": 3, "lstm_units": 3}
    return ModelConfig(structure=structure, **{**sizes, "projection_units": 5, **changes})


def make_tagger(structure: str, corpora: Sequence[str], seed: int = 1, **changes):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(NUM_WORDS, WORD_DIM)).astype(np.float32)
    tags = {corpus: TAGS[corpus] for corpus in corpora}
    config = make_config(structure, **changes)
    sources = [
        WordSource(make_vocabulary(NUM_WORDS), config, table),
        CharacterSource(make_vocabulary(NUM_CHARACTERS), config),
    ]
    return build_tagger(config, sources, tags, seed)


def make_vocabulary(rows: int) -> Vocabulary:
    """Returns a vocabulary for a table of this many rows."""
    return Vocabulary(tuple(map(str, range(rows - FIRST_ID))))


def make_batch(num_tags: int, seed: int) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(seed)
    lengths = np.array([4, 2, 3])
    real = np.arange(4) < lengths[:, None]
    char_ids = rng.integers(1, NUM_CHARACTERS, (6, 5)) * (np.arange(5) < 3)
    char_ids[0] = 0
    arrays = {
        "word_ids": rng.integers(1, NUM_WORDS, (3, 4)) * real,
        "lengths": lengths,
        "char_ids": char_ids,
        "form_ids": rng.integers(1, 6, (3, 4)) * real,
        "tag_ids": rng.integers(0, num_tags, (3, 4)) * real,
    }
    return {name: tf.constant(array, tf.int32) for name, array in arrays.items()}


def inputs_of(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: batch[name] for name in ("word_ids", "lengths", "char_ids", "form_ids")}


def make_turn(tagger: MultiTaskTagger, seed: int = 0) -> dict[str, dict[str, tf.Tensor]]:
    return {
        corpus: make_batch(len(TAGS[corpus]), seed + number)
        for number, corpus in enumerate(tagger.corpora)
    }
