"""What the builder refuses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from bioner_tf.models import build_tagger
from bioner_tf.sources.characters import CharacterSource
from bioner_tf.sources.words import WordSource
from tests.helpers.small_taggers import NUM_WORDS, TAGS, WORD_DIM, make_config, make_vocabulary


class RowWiseCharacters(CharacterSource):
    def row_wise_table(self, layer: keras.layers.Layer) -> tf.Variable:
        return layer.embedding.embeddings


def test_two_row_wise_tables_are_refused() -> None:
    config = make_config("single_task")
    words = WordSource(
        make_vocabulary(NUM_WORDS), config, np.zeros((NUM_WORDS, WORD_DIM), np.float32)
    )
    characters = RowWiseCharacters(make_vocabulary(7), config)
    tags = {"a": TAGS["a"]}
    alone = build_tagger(config, [characters], tags, seed=1)
    assert alone.row_wise_table.shape == (7, config.char_dim)
    with pytest.raises(ValueError, match=r"expected at most one.*, got word_embedding, char"):
        build_tagger(config, [words, characters], tags, seed=1)
