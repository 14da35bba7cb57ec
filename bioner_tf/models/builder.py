"""What every sharing structure is assembled from: inputs, embeddings, encoders, CRFs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import ModelConfig
from bioner_tf.layers.crf import CRF, build_crf
from bioner_tf.layers.features import BiLSTM, CharCNN, SeededDropout, SideBySide, ToSentences
from bioner_tf.machine import usable_precision

# What a structure builds: for every corpus its network's outputs by name.
Outputs = Mapping[str, Mapping[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class MultiTaskTagger:
    """One network a corpus over shared layers.

    Attributes:
        networks: Functional models by corpus, the main one first. Inputs: a dict of ``word_ids``
            int32 (batch, time), ``lengths`` int32 (batch,), ``char_ids`` int32 (forms, max_chars)
            and ``form_ids`` int32 (batch, time), the row of ``char_ids`` that spells each token.
            Output: a dict with the ``emissions`` that the corpus's CRF takes, as long as the
            longest sentence; whatever else is in it is a loss beside the task's, float32 (batch,),
            which the trainer weighs and adds.
        trunk: What all networks begin with: of the same inputs a list of features, each float32
            (batch, time, width), or (tokens, width) behind Bi-LSTMs.
        heads: By corpus what its network goes on with: called with ``(features, lengths)``, the
            features a list, they give the network's emissions.
        crfs: The CRF layers by corpus.
        parts: The layers by part of the tagger ("shared", "private.<corpus>", ...).
        word_table: The variable that holds the word vectors.
        updates: int64 scalar variable, the training steps taken so far; the trainer counts it up.
    """

    networks: Mapping[str, keras.Model]
    trunk: keras.Model
    heads: Mapping[str, keras.Model]
    crfs: Mapping[str, CRF]
    parts: Mapping[str, Sequence[keras.layers.Layer]]
    word_table: tf.Variable
    updates: tf.Variable

    @property
    def corpora(self) -> list[str]:
        """The corpora's names, the main one first."""
        return list(self.networks)

    def variables(self) -> list[tf.Variable]:
        """Every trainable variable of every network once, in the order that checkpoints rely on.

        It is that of Keras, which goes by how far a layer is from the emissions.
        """
        unique = {}
        for network in self.networks.values():
            for variable in network.trainable_variables:
                unique.setdefault(variable.ref(), variable)
        return list(unique.values())

    def count_parameters(self) -> dict[str, object]:
        """Counts the trainable parameters, as the paper's Table 3 does, and by part.

        Returns:
            ``total``, ``word_embedding``, ``rest`` (total without the word table) and ``parts``.
        """
        parts = {
            part: sum(int(np.prod(v.shape)) for layer in layers for v in layer.trainable_variables)
            for part, layers in self.parts.items()
        }
        total = sum(parts.values())
        words = parts["word_embedding"]
        return {"total": total, "word_embedding": words, "rest": total - words, "parts": parts}


class Parts:
    """Hands out the layers of one tagger, and remembers which part each belongs to.

    Args:
        config: The sizes.
        word_table: float32 (words, word_dim).
        num_characters: Rows of the character table.
        tags: The tags of each corpus, the main corpus first.
        seed: Of the initial weights and of dropout.
    """

    def __init__(
        self,
        config: ModelConfig,
        word_table: np.ndarray,
        num_characters: int,
        tags: Mapping[str, Sequence[str]],
        seed: int,
    ):
        keras.utils.set_random_seed(seed)
        self.corpora = list(tags)
        self.lengths = keras.Input((), dtype=tf.int32, name="lengths")
        self._inputs = {
            "word_ids": keras.Input((None,), dtype=tf.int32, name="word_ids"),
            "lengths": self.lengths,
            "char_ids": keras.Input((None,), dtype=tf.int32, name="char_ids"),
            "form_ids": keras.Input((None,), dtype=tf.int32, name="form_ids"),
        }
        self._config = config
        self._precision = usable_precision(config.precision)
        self._word_table = word_table
        self._num_characters = num_characters
        self._tags = tags
        self._seed = seed
        self._dropouts = 0
        self._updates = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="updates",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._common: list[tf.Tensor] = []
        self._crfs: dict[str, CRF] = {}
        self._parts: dict[str, list[keras.layers.Layer]] = {}

    def part(self, name: str, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Books ``layer`` under the part ``name`` and returns it."""
        self._parts.setdefault(name, []).append(layer)
        return layer

    def word_representations(self) -> tf.Tensor:
        """Returns X, (batch, time, word_dim + char_filters): word ⊕ character CNN, dropped out.

        Source: paper, "Baseline single-task model", the embedding layer.
        """
        config = self._config
        words = self.part(
            "word_embedding",
            keras.layers.Embedding(
                *self._word_table.shape,
                embeddings_initializer=lambda shape, dtype: tf.constant(self._word_table, dtype),
                name="word_embedding",
            ),
        )
        characters = self.part(
            "char_cnn",
            CharCNN(
                self._num_characters,
                config.char_dim,
                config.char_filters,
                config.char_width,
                self._dropout("char_input"),
                name="char_cnn",
            ),
        )
        self._word_variable = words
        spelled = characters((self._inputs["char_ids"], self._inputs["form_ids"]))
        joined = keras.layers.Concatenate(name="word_representations")(
            (words(self._inputs["word_ids"]), spelled)
        )
        represented = self._dropout("lstm_input")(joined)
        self.share([represented])
        return represented

    def share(self, features: Sequence[tf.Tensor]) -> None:
        """Declares that all networks go on from ``features`` and nothing before them.

        X is shared by itself; a structure that goes further with all corpora says so.
        """
        self._common = list(features)

    def encoders(self, names: Sequence[str]) -> dict[str, Encoder]:
        """Makes one encoder a name; ``encode`` runs any of them side by side."""
        return {name: Encoder(self, self._config, name) for name in names}

    def encode(self, features: tf.Tensor, encoders: Mapping[str, Encoder]) -> dict[str, tf.Tensor]:
        """Runs encoders over the same features.

        Args:
            features: (batch, time, width).
            encoders: Those to run, by name.

        Returns:
            For each name the projected output of all real tokens, (tokens, projection_units).
        """
        bilstms = [encoder.bilstm for encoder in encoders.values()]
        together = SideBySide(bilstms, self._precision)
        hidden = together((features, self.lengths))
        return {
            name: encoder.project(output)
            for (name, encoder), output in zip(encoders.items(), hidden)
        }

    def emissions(self, corpus: str, features: tf.Tensor) -> tf.Tensor:
        """Returns what the CRF of ``corpus`` gives for V_k, its features (tokens, width)."""
        crf = build_crf(self._config.crf, len(self._tags[corpus]), name=f"crf.{corpus}")
        self.part(f"crf.{corpus}", crf)
        self._crfs[corpus] = crf
        return crf((self.to_sentences(features), self.lengths))

    def to_sentences(self, features: tf.Tensor) -> tf.Tensor:
        """Puts features that were encoded, (tokens, width), into (batch, time, width)."""
        return ToSentences()((features, self.lengths))

    def assemble(self, outputs: Outputs) -> MultiTaskTagger:
        """Makes the tagger of the outputs that a structure built for each corpus."""
        networks = {
            corpus: keras.Model(self._inputs, dict(outputs[corpus]), name=f"network_{index}")
            for index, corpus in enumerate(self.corpora)
        }
        heads = {
            corpus: keras.Model(
                (self._common, self.lengths), outputs[corpus]["emissions"], name=f"head_{index}"
            )
            for index, corpus in enumerate(self.corpora)
        }
        return MultiTaskTagger(
            networks,
            keras.Model(self._inputs, self._common, name="trunk"),
            heads,
            self._crfs,
            self._parts,
            self._word_variable.embeddings,
            self._updates,
        )

    def _dropout(self, place: str) -> keras.layers.Layer:
        rate = self._config.dropout_rate if place in self._config.dropout_places else 0.0
        self._dropouts += 1
        return SeededDropout(rate, (self._seed, self._dropouts), self._updates)


class Encoder:
    """A Bi-LSTM with dropout on its output and a projection (linear, then ELU).

    Source: paper, "Training details", Bi-LSTM layers; the ELU is the authors' program's.
    """

    def __init__(self, parts: Parts, config: ModelConfig, name: str):
        self.bilstm = parts.part(name, BiLSTM(config.lstm_units, name=f"{name}.bilstm"))
        self._dropout = parts._dropout("lstm_output")
        self._projection = parts.part(
            name,
            keras.layers.Dense(
                config.projection_units, activation="elu", name=f"{name}.projection"
            ),
        )

    def project(self, hidden: tf.Tensor) -> tf.Tensor:
        """Projects a Bi-LSTM's output, (tokens, 2 * lstm_units)."""
        return self._projection(self._dropout(hidden))
