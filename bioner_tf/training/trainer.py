"""Multi-task training in turns: one batch and one update of every corpus in each step."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from tensorflow import keras

from bioner_tf.config import TrainingConfig
from bioner_tf.models import MultiTaskTagger
from bioner_tf.sources.base import LENGTHS, TAG_IDS
from bioner_tf.training.optimizer import RMSprop, clip_by_global_norm


class MultiTaskTrainer(keras.Model):
    """Trains a tagger; ``fit`` takes turns (``batches.turn_dataset``) and any Keras callback.

    A step is a turn: for every corpus in order its batch, its loss, its gradient clipped by global
    norm, its update. Variables that the network of a corpus does not use are not changed by its
    update.

    Logs of an epoch are means over its updates: for every corpus ``<corpus>/loss`` and its parts
    (see ``batch_losses``), and ``<corpus>/gradient_norm``, the norm before clipping. ``tokens`` is
    the number of real tokens of the epoch.

    Under a ``tf.distribute`` strategy every replica takes a turn of its own in a step; a corpus's
    gradients are averaged over the replicas before they are clipped and applied. So a step of R
    replicas is the step of one replica with R times the batch size.

    Args:
        tagger: The networks and their variables.
        config: How to train.

    Source: paper, "MTM training" and "Training settings".
    """

    def __init__(self, tagger: MultiTaskTagger, config: TrainingConfig):
        super().__init__(name="multi_task_trainer")
        self.tagger = tagger
        self._clip_norm = config.clip_norm
        self._loss_weights = {"adversarial": config.alpha, "difference": config.beta}
        self._means = {
            f"{corpus}/{quantity}": keras.metrics.Mean(name=f"{corpus}/{quantity}")
            for corpus, network in tagger.networks.items()
            for quantity in ("loss", "task", *network.output, "gradient_norm")
            if quantity != "emissions"
        }
        self._tokens = keras.metrics.Sum(name="tokens")
        optimizer = RMSprop(
            config.learning_rate,
            config.rho,
            tagger.updates,
            average_decay=config.average_decay,
            turn_updates=len(tagger.corpora),
        )
        optimizer.build(tagger.variables(), row_wise=tagger.row_wise_table)
        self.compile(optimizer=optimizer)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means and sums, which Keras resets before every epoch."""
        return [*self._means.values(), self._tokens]

    def train_step(self, turn: Mapping[str, Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Takes one turn.

        Args:
            turn: For each corpus its batch, as long as the longest sentence: the network's inputs,
                and ``tag_ids`` int32 (batch, time).

        Returns:
            The running means and sums by name.
        """
        for corpus in self.tagger.corpora:
            for quantity, value in self._update(corpus, turn[corpus]).items():
                self._means[f"{corpus}/{quantity}"].update_state(value)
            self._tokens.update_state(turn[corpus][LENGTHS])
        if self.optimizer.average is not None:
            self.optimizer.average.end_turn()
        return {metric.name: metric.result() for metric in self.metrics}

    def batch_losses(self, corpus: str, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the losses of a batch, each averaged over its sentences, float scalars.

        ``task`` is the CRF's, in nats summed over a sentence; a structure may add others
        (``adversarial``, ``difference``); ``loss`` is their weighted sum.

        Source: paper, Eq. 9, 13 and 17.
        """
        network = self.tagger.networks[corpus]
        outputs = dict(network({name: batch[name] for name in network.input}, training=True))
        task = self.tagger.crfs[corpus].negative_log_likelihood(
            outputs.pop("emissions"), batch[TAG_IDS], batch[LENGTHS]
        )
        losses = {"task": tf.reduce_mean(task)}
        total = losses["task"]
        for name, values in outputs.items():
            losses[name] = tf.reduce_mean(values)
            total += self._loss_weights[name] * losses[name]
        return {"loss": total, **losses}

    def _update(self, corpus: str, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Takes a step for one corpus; returns its losses and the norm of the gradient."""
        variables = self.tagger.networks[corpus].trainable_variables
        with tf.GradientTape() as tape:
            losses = self.batch_losses(corpus, batch)
        gradients = tape.gradient(losses["loss"], variables)
        replicas = tf.distribute.get_replica_context()
        if replicas.num_replicas_in_sync > 1:
            # The mean over the replicas is clipped, not each replica's own gradient.
            gradients = replicas.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        gradients, norm = clip_by_global_norm(gradients, self._clip_norm)
        self.optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
        return {**losses, "gradient_norm": norm}
