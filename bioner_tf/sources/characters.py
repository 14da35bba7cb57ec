"""The characters of a token: a CNN over them, computed once for each distinct form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import RunConfig
from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.vocabulary import FIRST_ID, PADDING_ID, UNKNOWN_ID, build_characters
from bioner_tf.files import PathLike
from bioner_tf.layers.features import CharCNN
from bioner_tf.sources.base import (
    FORM_IDS,
    Arrays,
    GraphEncoder,
    MakeDropout,
    Source,
    Tensors,
    line_table,
)
from bioner_tf.text.tokens import encode


class CharacterSource(Source):
    """Looks up the first ``max_characters`` code points of a token; keeps digits and case.

    Source: paper, "Baseline single-task model", the embedding layer.
    """

    part = "char_cnn"
    file_name = "characters.txt"
    # (forms, max_chars), row 0 for padding.
    input_specs: ClassVar = {"char_ids": tf.TensorSpec([None, None], tf.int32)}

    @classmethod
    def build(
        cls, config: RunConfig, training: Mapping[str, Sequence[Sentence]]
    ) -> CharacterSource:
        tokens = (sentence.tokens for sentences in training.values() for sentence in sentences)
        return cls(build_characters(tokens), config.model)

    def encode_forms(self, tokens: Sequence[str]) -> Arrays:
        """Returns ``char_ids``, int32 (n, max_characters), and ``char_lengths``, int32 (n,)."""
        index, unknown = self.vocabulary.index, UNKNOWN_ID - FIRST_ID
        width = self.config.max_characters
        rows = [[index.get(c, unknown) + FIRST_ID for c in token[:width]] for token in tokens]
        lengths = np.array([len(row) for row in rows], np.int32)
        ids = np.full((len(rows), width), PADDING_ID, np.int32)
        # NumPy fills the selected places in row-major order.
        ids[np.arange(width) < lengths[:, np.newaxis]] = [i for row in rows for i in row]
        return {"char_ids": ids, "char_lengths": lengths}

    def make_batch(self, forms: Arrays, form_ids: np.ndarray) -> Arrays:
        """Returns ``char_ids``, int32 (forms, max_chars), as wide as the longest form."""
        return {"char_ids": forms["char_ids"][:, : forms["char_lengths"].max()]}

    def graph_encoder(self, directory: PathLike) -> GraphEncoder:
        return _GraphEncoder(directory, self.config.max_characters)

    def build_layer(self, make_dropout: MakeDropout) -> keras.layers.Layer:
        config = self.config
        return CharCNN(
            self.num_ids,
            config.char_dim,
            config.char_filters,
            config.char_width,
            make_dropout("char_input"),
            name=self.part,
        )

    def apply(self, layer: keras.layers.Layer, inputs: Tensors) -> tf.Tensor:
        return layer((inputs["char_ids"], inputs[FORM_IDS]))

    def describe(self) -> dict[str, Any]:
        return {"max_characters": self.config.max_characters}


class _GraphEncoder(GraphEncoder):
    def __init__(self, directory: PathLike, max_characters: int):
        super().__init__(name="characters")
        self.table = line_table(Path(directory) / CharacterSource.file_name)
        self.max_characters = max_characters

    def __call__(self, forms: tf.Tensor, form_ids: tf.Tensor) -> Tensors:
        # A character takes at most four bytes; a token may have millions.
        heads = tf.strings.substr(forms, 0, 4 * self.max_characters)
        decoded = tf.strings.unicode_decode(heads, "UTF-8", errors="replace")
        places = tf.range(tf.size(decoded.values, out_type=tf.int64))
        characters = encode(decoded.values, places, places + 1)
        ids = decoded.with_values(tf.cast(self.table.lookup(characters), tf.int32) + FIRST_ID)
        ids = ids.to_tensor(PADDING_ID, shape=[None, self.max_characters])
        # (1 + forms, max_characters)
        return {"char_ids": tf.pad(ids, [[1, 0], [0, 0]], constant_values=PADDING_ID)}
