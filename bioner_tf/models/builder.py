"""The parts of every sharing structure: inputs, sources, encoders, CRFs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import WORD_DROPOUT, ModelConfig
from bioner_tf.layers.bilstm import BiLSTM, ParallelBiLSTMs, ToSentences
from bioner_tf.layers.crf import CRF, build_crf
from bioner_tf.layers.features import SeededDropout
from bioner_tf.machine import usable_precision
from bioner_tf.sources.base import LENGTHS, Source, network_specs
from bioner_tf.sources.words import WordSource

# For each corpus, the outputs of its network by name.
Outputs = Mapping[str, Mapping[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class MultiTaskTagger:
    """One network for each corpus, over shared layers.

    Attributes:
        sources: The feature sources of the networks.
        networks: Functional models by corpus, the main one first. Inputs: the dict that
            ``sources.base.network_specs`` declares. Output: a dict with the ``emissions`` for the
            CRF of the corpus, as long as the longest sentence; every other entry is an additional
            loss, float32 (batch,), which the trainer weights and adds.
        trunk: The part that all networks share: from the same inputs to a list of features, each
            float32 (batch, time, width), or (tokens, width) after Bi-LSTMs.
        heads: By corpus, the rest of its network: from ``(features, lengths)``, where features is
            a list, to the network's emissions.
        crfs: The CRF layers by corpus.
        parts: The layers by part of the tagger ("shared", "private.<corpus>", ...).
        row_wise_table: The variable that is updated row by row (the word vectors), if any.
        updates: int64 scalar variable, the number of training steps so far; the trainer counts.
        precision: Type of the Bi-LSTMs' matmuls; "float32" if this machine supports no other.
    """

    sources: Sequence[Source]
    networks: Mapping[str, keras.Model]
    trunk: keras.Model
    heads: Mapping[str, keras.Model]
    crfs: Mapping[str, CRF]
    parts: Mapping[str, Sequence[keras.layers.Layer]]
    row_wise_table: tf.Variable | None
    updates: tf.Variable
    precision: str

    @property
    def corpora(self) -> list[str]:
        """The corpora's names, the main one first."""
        return list(self.networks)

    def variables(self) -> list[tf.Variable]:
        """Every trainable variable once, sorted by the layer's distance from the emissions."""
        unique = {}
        for network in self.networks.values():
            for variable in network.trainable_variables:
                unique.setdefault(variable.ref(), variable)
        return list(unique.values())

    def count_parameters(self) -> dict[str, object]:
        """Counts the trainable parameters as the paper's Table 3 does, and by part.

        Returns:
            ``total``, ``word_embedding``, ``rest`` (total without the word table) and ``parts``.
        """
        parts = {
            part: sum(int(np.prod(v.shape)) for layer in layers for v in layer.trainable_variables)
            for part, layers in self.parts.items()
        }
        total = sum(parts.values())
        words = parts[WordSource.part]
        return {"total": total, "word_embedding": words, "rest": total - words, "parts": parts}


def layer_name(name: str) -> str:
    """Replaces characters that Keras forbids in layer names by ``.u<code point in hexadecimal>.``.

    Names of ASCII letters, digits and ``_ . - /`` do not change; different names stay different.
    """
    escaped = r"[^A-Za-z0-9_./-]|\.(?=u[0-9a-f]+\.)"
    return re.sub(escaped, lambda found: f".u{ord(found[0]):x}.", name)


class TaggerBuilder:
    """Builds the layers of one tagger and records the part that each belongs to.

    Args:
        config: The sizes.
        sources: The feature sources of the networks.
        tags: The tags of each corpus, the main corpus first.
        seed: The seed of initial weights and dropout.
    """

    def __init__(
        self,
        config: ModelConfig,
        sources: Sequence[Source],
        tags: Mapping[str, Sequence[str]],
        seed: int,
    ):
        keras.utils.set_random_seed(seed)
        self.corpora = list(tags)
        self._inputs = {
            name: keras.Input(spec.shape[1:], dtype=spec.dtype, name=name)
            for name, spec in network_specs(sources).items()
        }
        self.lengths = self._inputs[LENGTHS]
        self._config = config
        self._precision = usable_precision(config.precision)
        self._sources = sources
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
        self._row_wise_table: tf.Variable | None = None
        self._common: list[tf.Tensor] = []
        self._crfs: dict[str, CRF] = {}
        self._parts: dict[str, list[keras.layers.Layer]] = {}

    def part(self, name: str, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Adds ``layer`` to the part ``name`` and returns it."""
        self._parts.setdefault(name, []).append(layer)
        return layer

    def word_representations(self) -> tf.Tensor:
        """Returns X, (batch, time, width): the concatenated features of the sources, after dropout.

        Raises:
            ValueError: If more than one source has a row-wise table.

        Source: paper, "Baseline single-task model", the embedding layer.
        """
        layers = [self.part(s.part, s.build_layer(self.dropout)) for s in self._sources]
        features = [s.apply(layer, self._inputs) for s, layer in zip(self._sources, layers)]
        tables = {
            source.part: table
            for source, layer in zip(self._sources, layers)
            if (table := source.row_wise_table(layer)) is not None
        }
        if len(tables) > 1:
            raise ValueError(
                "row_wise_table: expected at most one source with a row-wise table, because the "
                f"optimizer updates only one row by row, got {', '.join(tables)}"
            )
        self._row_wise_table = next(iter(tables.values()), None)
        joined = keras.layers.Concatenate(name="word_representations")(features)
        represented = self.dropout("lstm_input")(joined)
        self.share([represented])
        return represented

    def share(self, features: Sequence[tf.Tensor]) -> None:
        """Declares ``features`` as the output of the part that all networks share.

        The default is X. Structures that also share Bi-LSTMs call this method.
        """
        self._common = list(features)

    def encoders(self, names: Sequence[str]) -> dict[str, Encoder]:
        """Makes one encoder for each name; ``encode`` runs any of them in parallel."""
        return {name: Encoder(self, self._config, name) for name in names}

    def encode(self, features: tf.Tensor, encoders: Mapping[str, Encoder]) -> dict[str, tf.Tensor]:
        """Runs encoders over the same features.

        Args:
            features: (batch, time, width).
            encoders: The encoders to run, by name.

        Returns:
            For each name the projected outputs for all real tokens, (tokens, projection_units).
        """
        bilstms = [encoder.bilstm for encoder in encoders.values()]
        hidden = ParallelBiLSTMs(bilstms, self._precision)((features, self.lengths))
        return {
            name: encoder.project(output)
            for (name, encoder), output in zip(encoders.items(), hidden)
        }

    def emissions(self, corpus: str, features: tf.Tensor) -> tf.Tensor:
        """Returns the emissions of the corpus's CRF for its features V_k, (tokens, width)."""
        crf = build_crf(self._config.crf, len(self._tags[corpus]), name=layer_name(f"crf.{corpus}"))
        self.part(f"crf.{corpus}", crf)
        self._crfs[corpus] = crf
        return crf((self.to_sentences(features), self.lengths))

    def to_sentences(self, features: tf.Tensor) -> tf.Tensor:
        """Puts encoded features, (tokens, width), into sentences, (batch, time, width)."""
        return ToSentences()((features, self.lengths))

    def assemble(self, outputs: Outputs) -> MultiTaskTagger:
        """Makes the tagger from the outputs that a structure built for each corpus."""
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
            self._sources,
            networks,
            keras.Model(self._inputs, self._common, name="trunk"),
            heads,
            self._crfs,
            self._parts,
            self._row_wise_table,
            self._updates,
            self._precision,
        )

    def dropout(self, place: str) -> keras.layers.Layer:
        """Makes the dropout layer for one of ``config.DROPOUT_PLACES``, or ``WORD_DROPOUT``."""
        config = self._config
        rate = config.dropout_rate if place in config.dropout_places else 0.0
        rate = config.word_dropout if place == WORD_DROPOUT else rate
        self._dropouts += 1
        return SeededDropout(rate, (self._seed, self._dropouts), self._updates)


class Encoder:
    """A Bi-LSTM with dropout on its output and a projection (linear, then ELU).

    Source: paper, "Training details", Bi-LSTM layers; the ELU is from the authors' program.
    """

    def __init__(self, builder: TaggerBuilder, config: ModelConfig, name: str):
        self.bilstm = builder.part(
            name, BiLSTM(config.lstm_units, name=layer_name(f"{name}.bilstm"))
        )
        self._dropout = builder.dropout("lstm_output")
        self._projection = builder.part(
            name,
            keras.layers.Dense(
                config.projection_units, activation="elu", name=layer_name(f"{name}.projection")
            ),
        )

    def project(self, hidden: tf.Tensor) -> tf.Tensor:
        """Projects a Bi-LSTM's output, (tokens, 2 * lstm_units)."""
        return self._projection(self._dropout(hidden))
