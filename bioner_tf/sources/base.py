"""The interface of a feature source, and the inputs that all sources share.

A batch holds each distinct token (*form*) once. The shared inputs are ``lengths``, int32 (batch,),
the number of tokens of each sentence, and ``form_ids``, int32 (batch, time), the form of each
token: 0 is padding, form i is row i of a source's values for each form.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import ModelConfig, RunConfig
from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.vocabulary import FIRST_ID, Vocabulary
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike

LENGTHS = "lengths"
FORM_IDS = "form_ids"
TAG_IDS = "tag_ids"  # added to the network's inputs in a training batch

Arrays = Mapping[str, np.ndarray]
Tensors = Mapping[str, tf.Tensor]
# Makes the dropout layer for one of ``config.DROPOUT_PLACES``, or ``config.WORD_DROPOUT``.
MakeDropout = Callable[[str], keras.layers.Layer]


class Source(abc.ABC):
    """A feature source: one kind of information about every token.

    A source can turn tokens into its inputs in Python, for training, and in the graph, for serving;
    both give the same result. Its layer turns the inputs into features.

    Args:
        vocabulary: The vocabulary; the id of an entry is its position + ``FIRST_ID``.
        config: The sizes of the model.

    Attributes:
        part: The part of the tagger that its weights belong to, in counts and checkpoints.
        file_name: The file of its vocabulary, in a run's vocabulary directory and in exports.
        input_specs: Its inputs by name; dimension 0 is the batch or the forms.
    """

    part: ClassVar[str]
    file_name: ClassVar[str]
    input_specs: ClassVar[Mapping[str, tf.TensorSpec]]

    def __init__(self, vocabulary: Vocabulary, config: ModelConfig):
        self.vocabulary = vocabulary
        self.config = config

    @classmethod
    @abc.abstractmethod
    def build(cls, config: RunConfig, training: Mapping[str, Sequence[Sentence]]) -> Source:
        """Makes the source of a new run.

        Args:
            config: The run.
            training: The training sentences of each corpus.
        """

    @classmethod
    def load(cls, config: ModelConfig, directory: PathLike) -> Source:
        """Makes the source of a run whose vocabulary was saved in ``directory``.

        Raises:
            BionerError: If the file is missing or damaged.
        """
        return cls(Vocabulary.load(Path(directory) / cls.file_name), config)

    def save(self, directory: PathLike) -> None:
        """Writes the vocabulary into ``directory``."""
        self.vocabulary.save(Path(directory) / self.file_name)

    @property
    def num_ids(self) -> int:
        """The number of ids, padding and unknown included."""
        return FIRST_ID + len(self.vocabulary)

    @abc.abstractmethod
    def encode_forms(self, tokens: Sequence[str]) -> Arrays:
        """Encodes distinct tokens; called once in a run.

        Returns:
            Arrays with a row for each token; rows of 0 must mean padding.
        """

    @abc.abstractmethod
    def make_batch(self, forms: Arrays, form_ids: np.ndarray) -> Arrays:
        """Makes the inputs of a batch.

        Args:
            forms: A row of 0 for padding, then the rows of ``encode_forms`` for the batch's forms.
            form_ids: int32 (batch, time), the form of each token.

        Returns:
            Arrays as ``input_specs`` declares them.
        """

    @abc.abstractmethod
    def graph_encoder(self, directory: PathLike) -> GraphEncoder:
        """Makes the encoder for an export from the vocabulary file in ``directory``."""

    @abc.abstractmethod
    def build_layer(self, make_dropout: MakeDropout) -> keras.layers.Layer:
        """Makes the layer that turns the source's inputs into features."""

    @abc.abstractmethod
    def apply(self, layer: keras.layers.Layer, inputs: Tensors) -> tf.Tensor:
        """Calls the layer on all inputs of a network; returns float32 (batch, time, width)."""

    def row_wise_table(self, layer: keras.layers.Layer) -> tf.Variable | None:
        """Returns the layer's table of which an update changes only a few rows, if there is one."""
        return None

    def describe(self) -> dict[str, Any]:
        """Returns the source's settings for an export's metadata, as JSON values."""
        return {}

    def describe_data(self, corpus: str) -> dict[str, Any]:
        """Returns facts about a corpus's training sentences for a run's report, as JSON values."""
        return {}

    def summary(self) -> str:
        """Returns a message that a run prints before it trains, or ``""``."""
        return ""


class GraphEncoder(tf.Module, abc.ABC):
    """The encoder of a source in an exported graph; holds its look-up tables."""

    @abc.abstractmethod
    def __call__(self, forms: tf.Tensor, form_ids: tf.Tensor) -> Tensors:
        """Makes the source's inputs for a batch.

        Args:
            forms: string (forms,), the distinct tokens of the batch, any bytes.
            form_ids: int32 (batch, time): 0 on padding, i + 1 for the token ``forms[i]``.

        Returns:
            Tensors as ``input_specs`` declares them.
        """


def network_specs(sources: Iterable[Source]) -> dict[str, tf.TensorSpec]:
    """Returns all inputs of a network by name.

    Raises:
        ValueError: If two sources have an input of the same name.
    """
    specs = {
        LENGTHS: tf.TensorSpec([None], tf.int32),
        FORM_IDS: tf.TensorSpec([None, None], tf.int32),
    }
    for source in sources:
        if taken := sorted({*specs, TAG_IDS} & set(source.input_specs)):
            raise ValueError(
                f"{type(source).__name__}: expected unique input names, got {taken[0]!r}, "
                "which another source or the batch already uses"
            )
        specs.update(source.input_specs)
    return specs


def line_table(path: PathLike) -> tf.lookup.StaticHashTable:
    """Makes a table from a file's lines to their numbers, -1 for other strings.

    The id of an entry is this number + ``FIRST_ID``. The file becomes an asset of the export.

    Raises:
        BionerError: If the file is empty.
    """
    if not Path(path).stat().st_size:
        # TensorFlow can save an empty table, but cannot load it.
        raise BionerError(f"{path}: expected a vocabulary of at least one entry, got none")
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        key_dtype=tf.string,
        key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    # -1 + FIRST_ID is the id of unknown entries.
    return tf.lookup.StaticHashTable(initializer, default_value=-1)
