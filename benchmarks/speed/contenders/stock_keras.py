"""The same networks of Keras's own layers and optimizer, and tensorflow-addons' CRF.

Threads as TensorFlow sets them. Dropout places, initial weights and numbers are those of bioner_tf
but for what costs no time.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from harness import Task
from tensorflow import keras

from contenders import peers, workload

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tensorflow_addons.text import crf_decode, crf_log_likelihood, crf_log_norm


class Encoder(keras.layers.Layer):
    """Bi-LSTM, dropout, projection."""

    def __init__(self):
        super().__init__()
        self.bilstm = make_bilstm()
        self.dropout = keras.layers.Dropout(workload.DROPOUT_RATE)
        self.projection = keras.layers.Dense(workload.PROJECTION_UNITS, activation="elu")

    def call(self, inputs):
        """Encodes (features, mask)."""
        features, mask = inputs
        return self.projection(self.dropout(self.bilstm(features, mask=mask)))


def make_bilstm() -> keras.layers.Layer:
    """Returns a new Bi-LSTM."""
    return keras.layers.Bidirectional(keras.layers.LSTM(workload.LSTM_UNITS, return_sequences=True))


class Words(keras.layers.Layer):
    """Word vectors and a character CNN, dropped out."""

    def __init__(self, num_words: int):
        super().__init__()
        self.words = keras.layers.Embedding(num_words, workload.WORD_DIM)
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


class CRF(keras.layers.Layer):
    """Scores of tags, of their transitions, and of starting and ending with them."""

    def __init__(self):
        super().__init__()
        self.unary = keras.layers.Dense(len(workload.TAGS))

    def build(self, input_shape):
        """Makes the weights."""
        num_tags = len(workload.TAGS)
        self.transitions = self.add_weight("transitions", (num_tags, num_tags))
        self.start = self.add_weight("start", (num_tags,), initializer="zeros")
        self.end = self.add_weight("end", (num_tags,), initializer="zeros")

    def call(self, features, lengths):
        """Scores the tags of every token, (batch, time, num_tags)."""
        scores = self.unary(features)
        time = tf.shape(scores)[1]
        first = tf.one_hot(0, time)[None, :, None] * self.start
        last = tf.one_hot(lengths - 1, time)[:, :, None] * self.end
        return scores + first + last


class Network(keras.Model):
    """The network of one corpus over layers that it may share.

    Layers that the structure lacks are None; ``others`` are the Bi-LSTMs that feed the gate.
    """

    def __init__(self, corpus, words, shared, own, others, discriminator):
        super().__init__()
        self.corpus, self.words, self.shared, self.own = corpus, words, shared, own
        self.others, self.discriminator = others, discriminator
        self.gate = None
        if others:
            self.gate = keras.layers.Dense(workload.PROJECTION_UNITS, activation="sigmoid")
        self.crf = CRF()

    def call(self, batch):
        """Returns the tags' scores, the shared and the private features."""
        mask = tf.sequence_mask(batch["lengths"], tf.shape(batch["word_ids"])[1])
        inputs = (self.words(batch), mask)
        own = self.own(inputs) if self.own else None
        shared = self.shared(inputs) if self.shared else None
        gated = own
        if self.gate:
            gated *= self.gate(tf.concat([other(inputs) for other in self.others], axis=-1))
        features = tf.concat([part for part in (gated, shared) if part is not None], axis=-1)
        return self.crf(features, batch["lengths"]), shared, own

    def loss_of(self, batch):
        """Returns the loss of a batch."""
        scores, shared, own = self(batch, training=True)
        likelihood, _ = crf_log_likelihood(
            scores, batch["tag_ids"], batch["lengths"], self.crf.transitions
        )
        loss = -tf.reduce_mean(likelihood)
        if self.discriminator:
            loss += self.adversarial_loss(shared, own, batch)
        return loss

    def adversarial_loss(self, shared, own, batch):
        """Returns what keeps shared features shared and private ones apart, weighted."""
        lengths = batch["lengths"]
        last = tf.gather(shared, lengths - 1, axis=1, batch_dims=1)
        logits = self.discriminator(reverse_gradient(last))
        deceived = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.fill(tf.shape(lengths), self.corpus), logits
        )
        real = tf.sequence_mask(lengths, tf.shape(shared)[1], tf.float32)[:, :, None]
        products = tf.matmul(shared * real, own, transpose_a=True)
        alike = tf.reduce_sum(tf.square(products), axis=(1, 2))
        return tf.reduce_mean(workload.ALPHA * deceived + workload.BETA * alike)


@tf.custom_gradient
def reverse_gradient(features):
    """Gives the features back, and their gradient with the opposite sign."""
    return tf.identity(features), lambda gradient: -gradient


def build_networks(setting: workload.Setting) -> dict[str, Network]:
    """Builds the network of each corpus."""
    keras.utils.set_random_seed(1)
    corpora, wiring = setting.corpora, setting.wiring
    words = Words(setting.num_words)
    shared = Encoder() if wiring.shared else None
    private = {corpus: Encoder() if wiring.private else None for corpus in corpora}
    discriminator = keras.layers.Dense(len(corpora)) if wiring.adversarial else None
    networks = {}
    for number, (corpus, own) in enumerate(private.items()):
        others = [other for name, other in private.items() if wiring.gated and name != corpus]
        networks[corpus] = Network(number, words, shared, own, others, discriminator)
    return networks


def build_training(turns: int, **setting: Any) -> list[Task]:
    """Returns the turns of training."""
    chosen = workload.Setting(**setting)
    networks = build_networks(chosen)
    tensors = [
        tf.nest.map_structure(tf.constant, turn) for turn in workload.make_turns(chosen, turns)
    ]
    for corpus, network in networks.items():
        network.loss_of(tensors[0][corpus])
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
                loss = network.loss_of(turn[corpus])
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables))
            losses.append(loss)
        return tf.add_n(losses)

    return [lambda turn=turn: float(train(turn)) for turn in tensors]


def build_bilstms(count: int, batch_size: int, length: int) -> list[Task]:
    """Returns one pass forward and backward through ``count`` Bi-LSTMs."""
    layers = [make_bilstm() for _ in range(count)]
    features, lengths = map(tf.constant, workload.make_features(batch_size, length))
    mask = tf.sequence_mask(lengths, length)
    for layer in layers:
        layer.build(features.shape)
    weights = [weight for layer in layers for weight in layer.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec([None, None, features.shape[-1]], tf.float32)])
    def run(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            outputs = [layer(features, mask=mask) for layer in layers]
        return tape.gradient(outputs, [features, *weights])

    return [lambda: run(features)[0].numpy()]


def make_decoder(network: Network) -> peers.Decode:
    """Returns what tags a batch: Viterbi, and the marginals as the gradient of log Z."""

    @tf.function(
        input_signature=[
            {
                name: tf.TensorSpec([None] * rank, tf.int32)
                for name, rank in (
                    ("word_ids", 2),
                    ("lengths", 1),
                    ("char_ids", 2),
                    ("form_ids", 2),
                )
            }
        ]
    )
    def decode(batch):
        scores, _, _ = network(batch)
        return decode_scores(scores, batch["lengths"], network.crf.transitions)

    def run(batch: workload.Batch) -> tuple[np.ndarray, np.ndarray]:
        tags, probabilities = decode(tf.nest.map_structure(tf.constant, batch))
        return tags.numpy(), probabilities.numpy()

    return run


def decode_scores(scores, lengths, transitions):
    """Returns the best tags, (batch, time), and the marginal probability of each."""
    tags, _ = crf_decode(scores, transitions, lengths)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        log_norm = crf_log_norm(scores, lengths, transitions)
    marginals = tape.gradient(log_norm, scores)
    return tags, tf.gather(marginals, tags, axis=2, batch_dims=2)
