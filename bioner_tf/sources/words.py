"""The word of a token: a row of a table of word vectors, fine-tuned in training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import RANDOM_WORD_DIM, WORD_DROPOUT, ModelConfig, RunConfig
from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.vocabulary import (
    FIRST_ID,
    PADDING_ID,
    UNKNOWN_ID,
    Vocabulary,
    build_words,
    count_forms,
    lower_word,
    normalise_word,
)
from bioner_tf.files import PathLike
from bioner_tf.layers.features import WordEmbedding
from bioner_tf.sources.base import Arrays, GraphEncoder, MakeDropout, Source, Tensors, line_table
from bioner_tf.vectors.files import load_vectors
from bioner_tf.vectors.table import Coverage, build_embedding_table


class WordSource(Source):
    """Looks up a token's normalised form; if it is unknown, the same in lower case.

    Args:
        vocabulary: The words.
        config: ``word_dim`` is the width of a vector.
        table: float32 (num_ids, word_dim), the initial vectors; by default zeros, for a run that
            loads its weights.
        coverage: How much of each corpus's training text has a pretrained vector.
        pretrained: Whether there are pretrained vectors.

    Source: paper, "Baseline single-task model", the embedding layer.
    """

    part = "word_embedding"
    file_name = "words.txt"
    input_specs: ClassVar = {"word_ids": tf.TensorSpec([None, None], tf.int32)}

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: ModelConfig,
        table: np.ndarray | None = None,
        coverage: Coverage | None = None,
        pretrained: bool = False,
    ):
        super().__init__(vocabulary, config)
        shape = (self.num_ids, config.word_dim)
        self.table = np.zeros(shape, np.float32) if table is None else table
        self.coverage = coverage
        self._pretrained = pretrained

    @classmethod
    def build(cls, config: RunConfig, training: Mapping[str, Sequence[Sentence]]) -> WordSource:
        """Reads the pretrained vectors, if any, and draws random vectors for the other words.

        Raises:
            BionerError: If the vectors cannot be read.
        """
        data, model = config.data, config.model
        vectors = load_vectors(data.vectors, model.word_dim or None) if data.vectors else None
        if model.word_dim == 0:
            width = RANDOM_WORD_DIM if vectors is None else vectors.dim
            model = dataclasses.replace(model, word_dim=width)
        vocabulary = build_words(
            (sentence.tokens for sentences in training.values() for sentence in sentences),
            vectors.words if vectors else (),
            data.max_vector_words,
        )
        table, coverage = build_embedding_table(
            vocabulary,
            vectors,
            model.word_dim,
            config.training.seed,
            {
                corpus: count_forms(sentence.tokens for sentence in sentences)
                for corpus, sentences in training.items()
            },
        )
        return cls(vocabulary, model, table, coverage, vectors is not None)

    def head(self, max_words: int) -> WordSource:
        """Returns a source of the first words, the most frequent ones of training, with zeros."""
        return WordSource(Vocabulary(self.vocabulary.entries[:max_words]), self.config)

    def encode_forms(self, tokens: Sequence[str]) -> Arrays:
        """Returns ``word_ids``, int32 (n,)."""
        return {"word_ids": np.array([self._look_up(token) for token in tokens], np.int32)}

    def _look_up(self, token: str) -> int:
        index = self.vocabulary.index
        form = normalise_word(token)
        position = index.get(form)
        if position is None:
            position = index.get(lower_word(form))
        return UNKNOWN_ID if position is None else position + FIRST_ID

    def make_batch(self, forms: Arrays, form_ids: np.ndarray) -> Arrays:
        """Returns ``word_ids``, int32 (batch, time)."""
        return {"word_ids": forms["word_ids"][form_ids]}

    def graph_encoder(self, directory: PathLike) -> GraphEncoder:
        return _GraphEncoder(directory)

    def build_layer(self, make_dropout: MakeDropout) -> keras.layers.Layer:
        return WordEmbedding(
            *self.table.shape,
            UNKNOWN_ID,
            make_dropout(WORD_DROPOUT) if self.config.word_dropout else None,
            embeddings_initializer=lambda shape, dtype: tf.constant(self.table, dtype),
            name=self.part,
        )

    def apply(self, layer: keras.layers.Layer, inputs: Tensors) -> tf.Tensor:
        return layer(inputs["word_ids"])

    def row_wise_table(self, layer: keras.layers.Layer) -> tf.Variable:
        return layer.embeddings

    def describe_data(self, corpus: str) -> dict[str, Any]:
        return {} if self.coverage is None else {"coverage": self.coverage.to_json()[corpus]}

    def summary(self) -> str:
        return f"word vectors found\n{self.coverage}" if self._pretrained else ""


class _GraphEncoder(GraphEncoder):
    def __init__(self, directory: PathLike):
        super().__init__(name="words")
        self.table = line_table(Path(directory) / WordSource.file_name)

    def __call__(self, forms: tf.Tensor, form_ids: tf.Tensor) -> Tensors:
        words = tf.strings.regex_replace(forms, "[0-9]", "0")
        lines = self.table.lookup(words)
        # Without an encoding, ``lower`` changes ASCII letters only, as ``lower_word`` does.
        lines = tf.where(lines < 0, self.table.lookup(tf.strings.lower(words)), lines)
        ids = tf.pad(tf.cast(lines, tf.int32) + FIRST_ID, [[1, 0]], constant_values=PADDING_ID)
        return {"word_ids": tf.gather(ids, form_ids)}
