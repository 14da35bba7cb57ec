"""A turn of training: what moves, by how much, and what must not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import TrainingConfig
from bioner_tf.training import MultiTaskTrainer
from tests.small import make_tagger, make_turn


def values(tagger) -> dict[str, list[np.ndarray]]:
    return {
        part: [v.numpy() for layer in layers for v in layer.trainable_variables]
        for part, layers in tagger.parts.items()
    }


def moved(before, after) -> set[str]:
    return {
        part for part in before if any((a != b).any() for a, b in zip(before[part], after[part]))
    }


def test_an_update_for_a_corpus_leaves_what_it_does_not_use() -> None:
    tagger = make_tagger("cross_sharing", ["a", "b", "c"])
    trainer = MultiTaskTrainer(tagger, TrainingConfig())
    before = values(tagger)
    trainer._update("b", make_turn(tagger)["b"])
    # All private Bi-LSTMs are trained, through the gate; gates and CRFs of the others are not.
    encoders = {"shared", "private.a", "private.b", "private.c"}
    expected = {"word_embedding", "char_cnn", "gate.b", "crf.b"} | encoders
    assert moved(before, values(tagger)) == expected


def test_a_turn_updates_each_corpus_in_order_with_its_own_clipped_gradient() -> None:
    tagger, reference = (make_tagger("cross_sharing", ["a", "b"]) for _ in range(2))
    config = TrainingConfig(clip_norm=0.5, learning_rate=0.01)
    turn = make_turn(tagger)
    trainer = MultiTaskTrainer(tagger, config)
    trainer.train_step(turn)

    # The same in NumPy, dense, with the gradients of one loss at a time.
    losses = MultiTaskTrainer(reference, config)
    velocity = {v.ref(): np.zeros(v.shape) for v in reference.variables()}
    for corpus in ("a", "b"):
        variables = reference.networks[corpus].trainable_variables
        with tf.GradientTape() as tape:
            loss = losses.batch_losses(corpus, turn[corpus])["loss"]
        gradients = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, variables)]
        norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradients))
        assert norm > 0.5
        for variable, gradient in zip(variables, gradients):
            gradient = gradient * 0.5 / norm
            square = 0.95 * velocity[variable.ref()] + 0.05 * gradient**2
            velocity[variable.ref()] = square
            variable.assign_sub(0.01 * gradient / (np.sqrt(square) + 1e-8))
        reference.updates.assign_add(1)

    assert tagger.updates.numpy() == 2
    for actual, expected in zip(tagger.variables(), reference.variables()):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=2e-5)


def test_the_loss_is_summed_over_a_sentence_and_averaged_over_the_batch() -> None:
    tagger = make_tagger("single_task", ["a"], dropout_rate=0.0)
    trainer = MultiTaskTrainer(tagger, TrainingConfig())
    batch = make_turn(tagger)["a"]
    alone = []
    for row in range(3):
        rows = {name: batch[name][row : row + 1] for name in batch if name != "char_ids"}
        alone.append(
            trainer.batch_losses("a", {**rows, "char_ids": batch["char_ids"]})["loss"].numpy()
        )
    assert trainer.batch_losses("a", batch)["loss"].numpy() == pytest.approx(
        np.mean(alone), rel=1e-5
    )


def test_fit_logs_the_means_of_the_epoch_and_compiles_once() -> None:
    tagger = make_tagger("cross_sharing", ["a", "b"], dropout_rate=0.0)
    trainer = MultiTaskTrainer(tagger, TrainingConfig(learning_rate=0.01))
    turns = [make_turn(tagger, seed) for seed in range(4)]
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(turns),
        output_signature=tf.nest.map_structure(
            lambda t: tf.TensorSpec([None] * t.shape.rank, t.dtype), turns[0]
        ),
    ).apply(tf.data.experimental.assert_cardinality(len(turns)))
    history = trainer.fit(dataset, epochs=4, verbose=0).history
    assert set(history) == {
        "tokens",
        *(f"{corpus}/{name}" for corpus in "ab" for name in ("loss", "task", "gradient_norm")),
    }
    assert history["tokens"] == [4 * 2 * 9] * 4
    assert history["a/loss"][-1] < history["a/loss"][0] - 0.5
    assert tagger.updates.numpy() == 32
    assert trainer.train_tf_function.experimental_get_tracing_count() == 1
