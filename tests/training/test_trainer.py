"""A turn of training: which variables move, by how much, and which do not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import TrainingConfig
from bioner_tf.training.trainer import MultiTaskTrainer
from tests.helpers.small_taggers import make_tagger, make_turn


def values(tagger) -> dict[str, list[np.ndarray]]:
    return {
        part: [v.numpy() for layer in layers for v in layer.trainable_variables]
        for part, layers in tagger.parts.items()
    }


def moved(before, after) -> set[str]:
    return {
        part for part in before if any((a != b).any() for a, b in zip(before[part], after[part]))
    }


# What an update for corpus b moves, beside the embeddings and b's CRF; docs/training.md.
MOVED_BY_B = {
    "fully_shared": {"shared"},
    "shared_private": {"shared", "private.b"},
    "adversarial": {"shared", "private.b", "discriminator"},
    # All private Bi-LSTMs are trained, through the gate; the others' gates are not.
    "cross_sharing": {"shared", "private.a", "private.b", "private.c", "gate.b"},
}


@pytest.mark.parametrize("structure", MOVED_BY_B)
def test_an_update_for_a_corpus_leaves_what_it_does_not_use(structure: str) -> None:
    tagger = make_tagger(structure, ["a", "b", "c"])
    trainer = MultiTaskTrainer(tagger, TrainingConfig())
    before, slots = values(tagger), [slot.numpy() for slot in trainer.optimizer.variables]
    trainer._update("b", make_turn(tagger)["b"])
    expected = {"word_embedding", "char_cnn", "crf.b"} | MOVED_BY_B[structure]
    assert moved(before, values(tagger)) == expected
    # Nor does the optimizer's memory of it: as many velocities move as weights.
    weights = sum(len(before[part]) for part in expected)
    changed = [
        variable.name
        for variable, old in zip(trainer.optimizer.variables, slots)
        if "velocity" in variable.name and (variable.numpy() != old).any()
    ]
    assert len(changed) == weights


def test_the_losses_beside_the_task_are_weighed_and_added() -> None:
    tagger = make_tagger("adversarial", ["a", "b"], dropout_rate=0.0)
    trainer = MultiTaskTrainer(tagger, TrainingConfig(alpha=0.5, beta=2.0))
    losses = trainer.batch_losses("a", make_turn(tagger)["a"])
    assert set(losses) == {"loss", "task", "adversarial", "difference"}
    expected = losses["task"] + 0.5 * losses["adversarial"] + 2.0 * losses["difference"]
    assert losses["loss"].numpy() == pytest.approx(expected.numpy())
    assert min(loss.numpy() for loss in losses.values()) > 0


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
        length = batch["lengths"][row]
        rows = {
            name: batch[name][row : row + 1, :length]
            for name in ("word_ids", "form_ids", "tag_ids")
        }
        rows.update(lengths=length[None], char_ids=batch["char_ids"])
        alone.append(trainer.batch_losses("a", rows)["loss"].numpy())
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
    history = trainer.fit(dataset, epochs=2, verbose=0).history
    assert set(history) == {
        "tokens",
        *(f"{corpus}/{name}" for corpus in "ab" for name in ("loss", "task", "gradient_norm")),
    }
    assert history["tokens"] == [4 * 2 * 9] * 2
    assert history["a/loss"][-1] < history["a/loss"][0] - 0.2
    assert tagger.updates.numpy() == 16
    assert trainer.train_tf_function.experimental_get_tracing_count() == 1
