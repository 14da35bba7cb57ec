"""Run by test_distribution.py in processes of their own: devices are set before TensorFlow starts.

``mirrored`` takes a step on two virtual devices; ``reference`` computes the same step by hand.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import tensorflow as tf

from bioner_tf.config import TrainingConfig
from bioner_tf.training.batches import batch_signature
from bioner_tf.training.distribution import distribute
from bioner_tf.training.optimizer import clip_by_global_norm
from bioner_tf.training.trainer import MultiTaskTrainer
from tests.helpers.small_taggers import make_tagger, make_turn

STEPS = 3
CONFIG = TrainingConfig(learning_rate=0.01, clip_norm=0.3)


def make() -> MultiTaskTrainer:
    return MultiTaskTrainer(make_tagger("cross_sharing", ["a", "b"], dropout_rate=0.0), CONFIG)


def train(kind: str) -> MultiTaskTrainer:
    """Trains through ``fit``, as a run does."""
    distribution = distribute(kind)
    assert distribution.replicas == 2
    with distribution.strategy.scope():
        trainer = make()

    def build(numbers):
        signature = batch_signature(trainer.tagger.sources, with_tags=True)
        return tf.data.Dataset.from_generator(
            lambda: (make_turn(trainer.tagger, 10 * number) for number in numbers()),
            output_signature=dict.fromkeys(trainer.tagger.corpora, signature),
        )

    trainer.fit(distribution.dataset(build, 0), steps_per_epoch=STEPS, verbose=0)
    return trainer


def mean_of(first, second):
    if not isinstance(first, tf.IndexedSlices):
        return (first + second) / 2
    values = tf.concat([first.values, second.values], axis=0) / 2
    rows = tf.concat([first.indices, second.indices], axis=0)
    return tf.IndexedSlices(values, rows, first.dense_shape)


def train_by_hand() -> MultiTaskTrainer:
    """Averages the gradients of two turns, then clips, then updates: corpus by corpus."""
    trainer = make()
    numbers = itertools.count()
    for _ in range(STEPS):
        turns = [make_turn(trainer.tagger, 10 * next(numbers)) for _ in range(2)]
        for corpus in trainer.tagger.corpora:
            variables = trainer.tagger.networks[corpus].trainable_variables
            gradients = []
            for turn in turns:
                with tf.GradientTape() as tape:
                    loss = trainer.batch_losses(corpus, turn[corpus])["loss"]
                gradients.append(tape.gradient(loss, variables))
            mean = [mean_of(*pair) for pair in zip(*gradients)]
            mean, norm = clip_by_global_norm(mean, CONFIG.clip_norm)
            assert norm > CONFIG.clip_norm
            trainer.optimizer.apply_gradients(zip(mean, variables))
    return trainer


def main(kind: str, path: str) -> None:
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    trainer = train_by_hand() if kind == "reference" else train(kind)
    np.savez(path, *[variable.numpy() for variable in trainer.tagger.variables()])


if __name__ == "__main__":
    main(*sys.argv[1:])
