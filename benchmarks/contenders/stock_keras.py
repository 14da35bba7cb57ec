"""The same networks of Keras's own layers and optimizer, and tensorflow-addons' CRF.

Threads as TensorFlow sets them. Dropout places, initial weights and numbers are those of bioner_tf
but for what costs no time.
"""

from __future__ import annotations

import warnings
from typing import Callable

import tensorflow as tf
from tensorflow import keras

from contenders import workload

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tensorflow_addons.text import crf_log_likelihood


class Encoder(keras.layers.Layer):
    """Bi-LSTM, dropout, projection."""

    def __init__(self):
        super().__init__()
        self.bilstm = keras.layers.Bidirectional(
            keras.layers.LSTM(workload.LSTM_UNITS, return_sequences=True)
        )
        self.dropout = keras.layers.Dropout(workload.DROPOUT_RATE)
        self.projection = keras.layers.Dense(workload.PROJECTION_UNITS, activation="elu")

    def call(self, inputs):
        """Encodes (features, mask)."""
        features, mask = inputs
        return self.projection(self.dropout(self.bilstm(features, mask=mask)))


class Words(keras.layers.Layer):
    """Word vectors and a character CNN, dropped out."""

    def __init__(self):
        super().__init__()
        self.words = keras.layers.Embedding(workload.NUM_WORDS, workload.WORD_DIM)
        self.characters = keras.Sequential(
            [
                keras.layers.Embedding(workload.NUM_CHARACTERS, workload.CHAR_DIM),
                keras.layers.Dropout(workload.DROPOUT_RATE),
                keras.layers.ZeroPadding1D(workload.CHAR_WIDTH - 1),
                keras.layers.Conv1D(workload.CHAR_FILTERS, workload.CHAR_WIDTH, activation="tanh"),
                keras.layers.GlobalMaxPooling1D(),
            ]
        )
        self.dropout = keras.layers.Dropout(workload.DROPOUT_RATE)

    def call(self, batch):
        """Represents the words of a batch."""
        spelled = tf.gather(self.characters(batch["char_ids"]), batch["form_ids"])
        return self.dropout(tf.concat([self.words(batch["word_ids"]), spelled], axis=-1))


class Network(keras.Model):
    """The network of one corpus over layers that it may share; its loss."""

    def __init__(self, words, shared, own, others):
        super().__init__()
        self.words, self.shared, self.own, self.others = words, shared, own, others
        if others:
            self.gate = keras.layers.Dense(workload.PROJECTION_UNITS, activation="sigmoid")
        self.unary = keras.layers.Dense(len(workload.TAGS))
        self.transitions = self.add_weight("transitions", (len(workload.TAGS),) * 2)

    def call(self, batch):
        """Returns the mean negative log-likelihood of a batch."""
        mask = tf.sequence_mask(batch["lengths"], tf.shape(batch["word_ids"])[1])
        inputs = (self.words(batch), mask)
        features = self.own(inputs)
        if self.others:
            gate = self.gate(tf.concat([other(inputs) for other in self.others], axis=-1))
            features = tf.concat([features * gate, self.shared(inputs)], axis=-1)
        scores = self.unary(features)
        likelihood, _ = crf_log_likelihood(
            scores, batch["tag_ids"], batch["lengths"], self.transitions
        )
        return -tf.reduce_mean(likelihood)


def build(structure: str, turns: list[dict[str, workload.Batch]]) -> Callable[[int], None]:
    """Returns a function that takes turn k."""
    keras.utils.set_random_seed(1)
    words, shared = Words(), Encoder()
    private = {corpus: Encoder() for corpus in turns[0]}
    networks = {}
    for corpus, own in private.items():
        others = [encoder for name, encoder in private.items() if name != corpus]
        networks[corpus] = Network(words, shared, own, others)
    tensors = [tf.nest.map_structure(tf.constant, turn) for turn in turns]
    for corpus, network in networks.items():
        network(tensors[0][corpus], training=True)
    variables = {v.ref(): v for n in networks.values() for v in n.trainable_variables}
    optimizer = keras.optimizers.RMSprop(
        workload.LEARNING_RATE,
        rho=workload.RHO,
        epsilon=workload.EPSILON,
        global_clipnorm=workload.CLIP_NORM,
    )
    optimizer.build(list(variables.values()))

    @tf.function(reduce_retracing=True)
    def train(turn):
        losses = []
        for corpus, network in networks.items():
            with tf.GradientTape() as tape:
                loss = network(turn[corpus], training=True)
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables))
            losses.append(loss)
        return tf.add_n(losses)

    return lambda number: float(train(tensors[number]))
