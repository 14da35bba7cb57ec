"""bioner_tf itself: training, and its Bi-LSTMs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from harness import Task

from bioner_tf.config import ModelConfig, TrainingConfig
from bioner_tf.corpora.vocabulary import FIRST_ID, Vocabulary
from bioner_tf.layers.bilstm import BiLSTM, ParallelBiLSTMs, ToSentences
from bioner_tf.machine import use_threads
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.sources.characters import CharacterSource
from bioner_tf.sources.words import WordSource
from bioner_tf.training.trainer import MultiTaskTrainer
from contenders import workload


def build_networks(
    setting: workload.Setting,
    precision: str = "float32",
    tags: Mapping[str, Sequence[str]] | None = None,
) -> tuple[ModelConfig, MultiTaskTagger]:
    """Builds the networks with random weights, by default with the same tags for all corpora."""
    table = np.random.default_rng(1).random((setting.num_words, workload.WORD_DIM), np.float32)
    table = (table - 0.5) * 0.34
    config = ModelConfig(
        structure=setting.structure,
        word_dim=workload.WORD_DIM,
        char_dim=workload.CHAR_DIM,
        char_filters=workload.CHAR_FILTERS,
        char_width=workload.CHAR_WIDTH,
        lstm_units=workload.LSTM_UNITS,
        projection_units=workload.PROJECTION_UNITS,
        dropout_rate=workload.DROPOUT_RATE,
        precision=precision,
    )
    tags = tags or dict.fromkeys(setting.corpora, workload.TAGS)
    sources = [
        WordSource(_entries(setting.num_words), config, table),
        CharacterSource(_entries(workload.NUM_CHARACTERS), config),
    ]
    return config, build_tagger(config, sources, tags, seed=1)


def _entries(rows: int) -> Vocabulary:
    """Makes a vocabulary for a table of so many rows."""
    return Vocabulary(tuple(map(str, range(rows - FIRST_ID))))


def build_training(turns: int, precision: str = "float32", **setting: Any) -> list[Task]:
    """Returns the turns of training."""
    use_threads()
    chosen = workload.Setting(**setting)
    _, tagger = build_networks(chosen, precision)
    trainer = MultiTaskTrainer(tagger, TrainingConfig(alpha=workload.ALPHA, beta=workload.BETA))
    tensors = [
        tf.nest.map_structure(tf.constant, turn) for turn in workload.make_turns(chosen, turns)
    ]
    signature = tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype), tensors[0]
    )
    train = tf.function(trainer.train_step, input_signature=[signature])
    return [lambda turn=turn: float(train(turn)["tokens"]) for turn in tensors]


def build_bilstms(
    count: int, batch_size: int, length: int, precision: str = "float32"
) -> list[Task]:
    """Returns one pass forward and backward through ``count`` Bi-LSTMs."""
    use_threads()
    layer = ParallelBiLSTMs([BiLSTM(workload.LSTM_UNITS) for _ in range(count)], precision)
    features, lengths = map(tf.constant, workload.make_features(batch_size, length))
    layer.build([features.shape, lengths.shape])

    @tf.function(input_signature=[tf.TensorSpec([None, None, features.shape[-1]], tf.float32)])
    def run(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            hidden = layer((features, lengths), training=True)
            outputs = [ToSentences()((tokens, lengths)) for tokens in hidden]
        return tape.gradient(outputs, [features, *layer.trainable_variables])

    return [lambda: run(features)[0].numpy()]
