"""Conditional random fields over a sentence's tags; the only importer of tensorflow-addons.

Two kinds with one interface (``CRF``). Decoding (``layers.decoding``) uses their *potentials*,
float (batch, time, num_tags, num_tags): the score of tag j at token t after tag i at token t - 1.
At the first token only row 0 counts. Padding never counts.
"""

from __future__ import annotations

import abc
import warnings

import tensorflow as tf
from tensorflow import keras

from bioner_tf.layers.decoding import log_partition, sequence_score

with warnings.catch_warnings():
    # tensorflow-addons warns at every import that its development has ended.
    warnings.simplefilter("ignore")
    from tensorflow_addons.text import crf_log_likelihood


class CRF(keras.layers.Layer, abc.ABC):
    """A linear-chain CRF over the tags of a sentence.

    Called with features, float32 (batch, time, width), and lengths, int32 (batch,), each 1 or more,
    it returns emissions, float32 (batch, time, ...), the inputs of its other methods.

    Args:
        num_tags: Number of tags.
    """

    def __init__(self, num_tags: int, **kwargs):
        super().__init__(**kwargs)
        self.num_tags = num_tags

    @abc.abstractmethod
    def negative_log_likelihood(
        self, emissions: tf.Tensor, tag_ids: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        """Returns -log p(tags | sentence) in nats, float32 (batch,), summed over the sentence.

        Args:
            emissions: The layer's output.
            tag_ids: int32 (batch, time), any valid id on padding, for example 0.
            lengths: int32 (batch,), 1 or more.

        Source: paper, Eq. 9.
        """

    @abc.abstractmethod
    def potentials(self, emissions: tf.Tensor) -> tf.Tensor:
        """Returns the potentials, float32 (batch, time, num_tags, num_tags)."""


class StaticCRF(CRF):
    """tensorflow-addons' CRF: a score for every tag at every token, and one transition matrix.

    Source: paper, "Conditional random field". Deviation: in Eq. 8, transition scores also depend on
    the token; here they do not.
    """

    def __init__(self, num_tags: int, **kwargs):
        super().__init__(num_tags, **kwargs)
        self.unary = keras.layers.Dense(num_tags, name="unary")

    def build(self, input_shape: list[tf.TensorShape]) -> None:
        """Makes the weights for features (batch, time, width)."""
        self.unary.build(input_shape[0])
        self.transitions = self.add_weight(
            "transitions", (self.num_tags, self.num_tags), initializer="orthogonal"
        )
        self.start = self.add_weight("start", (self.num_tags,), initializer="zeros")
        self.end = self.add_weight("end", (self.num_tags,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Scores the tags.

        Args:
            inputs: Features, float32 (batch, time, width), and lengths, int32 (batch,), 1 or more.

        Returns:
            Emissions, float32 (batch, time, num_tags). They include the start scores at a
            sentence's first token and the end scores at its last.
        """
        features, lengths = inputs
        scores = self.unary(features)
        time = tf.shape(scores)[1]
        first = tf.one_hot(0, time, dtype=scores.dtype)[None, :, None]
        last = tf.one_hot(lengths - 1, time, dtype=scores.dtype)[:, :, None]
        return scores + first * self.start + last * self.end

    def negative_log_likelihood(
        self, emissions: tf.Tensor, tag_ids: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        """See ``CRF``."""
        log_likelihood, _ = crf_log_likelihood(emissions, tag_ids, lengths, self.transitions)
        return -log_likelihood

    def potentials(self, emissions: tf.Tensor) -> tf.Tensor:
        """See ``CRF``."""
        time = tf.shape(emissions)[1]
        # No transition leads into the first token.
        later = 1.0 - tf.one_hot(0, time, dtype=emissions.dtype)[:, None, None]
        # (batch, time, 1, num_tags) + (time, num_tags, num_tags)
        return emissions[:, :, None, :] + later * self.transitions


class PairwiseCRF(CRF):
    """The paper's CRF: each token has a separate score for each pair of tags.

    The score of tag k after tag j at token i is W_{j,k} z_i + b_{j,k}. An additional row j stands
    for the state before the first token.

    Source: paper, Eq. 8.
    """

    def __init__(self, num_tags: int, **kwargs):
        super().__init__(num_tags, **kwargs)
        self.pairs = keras.layers.Dense((num_tags + 1) * num_tags, name="pairs")

    def build(self, input_shape: list[tf.TensorShape]) -> None:
        """Makes the weights for features (batch, time, width)."""
        self.pairs.build(input_shape[0])
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Scores the pairs of tags.

        Returns:
            Emissions, float32 (batch, time, (num_tags + 1) * num_tags).
        """
        features, _ = inputs
        return self.pairs(features)

    def negative_log_likelihood(
        self, emissions: tf.Tensor, tag_ids: tf.Tensor, lengths: tf.Tensor
    ) -> tf.Tensor:
        """See ``CRF``."""
        potentials = self.potentials(emissions)
        return log_partition(potentials, lengths) - sequence_score(potentials, tag_ids, lengths)

    def potentials(self, emissions: tf.Tensor) -> tf.Tensor:
        """See ``CRF``."""
        batch, time, _ = tf.unstack(tf.shape(emissions))
        scores = tf.reshape(emissions, (batch, time, self.num_tags + 1, self.num_tags))
        # Only the first token uses the row of the state before the sentence.
        start = tf.repeat(scores[:, :1, self.num_tags :], self.num_tags, axis=2)
        return tf.concat([start, scores[:, 1:, : self.num_tags]], axis=1)


_CRFS = {"static": StaticCRF, "pairwise": PairwiseCRF}


def build_crf(kind: str, num_tags: int, name: str) -> CRF:
    """Returns a new CRF of a kind ("static" or "pairwise")."""
    return _CRFS[kind](num_tags, name=name)
