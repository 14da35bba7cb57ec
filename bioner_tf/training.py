"""Multi-task training in turns: one batch and one update of every corpus in each step."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import TrainingConfig
from bioner_tf.models import MultiTaskTagger
from bioner_tf.optimizer import RMSprop, clip_by_global_norm


class MultiTaskTrainer(keras.Model):
    """Trains a tagger; ``fit`` takes turns (``pipeline.turn_dataset``) and any Keras callback.

    A step is a turn: for every corpus in order its batch, its loss, its gradient clipped by global
    norm, its update. What the network of a corpus does not use gets no gradient in that update and
    does not move.

    Logs of an epoch: for every corpus ``<corpus>/loss``, the mean over the epoch's updates of the
    training loss, in nats a sentence, and ``<corpus>/gradient_norm``, that of the norm before
    clipping; ``tokens``, the number of real tokens that were seen.

    Args:
        tagger: The networks and their variables.
        config: How to train.

    Source: paper, "MTM training" and "Training settings".
    """

    def __init__(self, tagger: MultiTaskTagger, config: TrainingConfig):
        super().__init__(name="multi_task_trainer")
        self.tagger = tagger
        self._clip_norm = config.clip_norm
        self._means = {
            name: keras.metrics.Mean(name=name)
            for corpus in tagger.corpora
            for name in (f"{corpus}/loss", f"{corpus}/gradient_norm")
        }
        self._tokens = keras.metrics.Sum(name="tokens")
        optimizer = RMSprop(config.learning_rate, config.rho, tagger.updates)
        optimizer.build(tagger.variables(), row_wise=tagger.word_table)
        self.compile(optimizer=optimizer)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means and sums, which Keras resets before every epoch."""
        return [*self._means.values(), self._tokens]

    def train_step(self, turn: Mapping[str, Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Takes one turn.

        Args:
            turn: For each corpus its batch: the network's inputs, and ``tag_ids`` int32 (batch,
                time).

        Returns:
            The running means and sums by name.
        """
        for corpus in self.tagger.corpora:
            loss, norm = self._update(corpus, turn[corpus])
            self._means[f"{corpus}/loss"].update_state(loss)
            self._means[f"{corpus}/gradient_norm"].update_state(norm)
            self._tokens.update_state(turn[corpus]["lengths"])
        return {metric.name: metric.result() for metric in self.metrics}

    def batch_loss(self, corpus: str, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the loss of a batch: nats, summed over a sentence, averaged over the batch.

        Source: paper, Eq. 9 and 13.
        """
        inputs = {name: batch[name] for name in ("word_ids", "lengths", "char_ids", "form_ids")}
        outputs = self.tagger.networks[corpus](inputs, training=True)
        return tf.reduce_mean(
            self.tagger.crfs[corpus].negative_log_likelihood(
                outputs["emissions"], batch["tag_ids"], batch["lengths"]
            )
        )

    def _update(self, corpus: str, batch: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        variables = self.tagger.networks[corpus].trainable_variables
        with tf.GradientTape() as tape:
            loss = self.batch_loss(corpus, batch)
        gradients, norm = clip_by_global_norm(tape.gradient(loss, variables), self._clip_norm)
        self.optimizer.apply_gradients(zip(gradients, variables))
        return loss, norm
