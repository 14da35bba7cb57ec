"""Trains the networks of a run, from its newest checkpoint to its last epoch."""

from __future__ import annotations

import contextlib
import functools
from typing import Callable

from tensorflow import keras

from bioner_tf.models import MultiTaskTagger
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.history import History, devel_f1_key
from bioner_tf.scoring.metrics import Scores
from bioner_tf.training.batches import count_batches, turn_dataset, turn_rows
from bioner_tf.training.callbacks.guard import FiniteGuard
from bioner_tf.training.callbacks.progress import TrainingProgress
from bioner_tf.training.callbacks.saving import CheckpointSaver, Recorder, prune_checkpoints
from bioner_tf.training.callbacks.schedule import EarlyStopping, LearningRateDecay
from bioner_tf.training.callbacks.scores import DevelopmentScores
from bioner_tf.training.checkpoints import CheckpointStore
from bioner_tf.training.distribution import Distribution
from bioner_tf.training.inputs import TrainingInputs
from bioner_tf.training.trained_run import checkpoint_store, chosen_epoch, read_full_history
from bioner_tf.training.trainer import MultiTaskTrainer

ScoreDevel = Callable[[], dict[str, Scores]]


def fit(
    inputs: TrainingInputs,
    tagger: MultiTaskTagger,
    score_devel: ScoreDevel,
    directory: RunDirectory,
    distribution: Distribution,
) -> int:
    """Trains, starting from the newest checkpoint.

    Args:
        inputs: What the run reads.
        tagger: Its networks; afterwards they have the weights of the chosen epoch.
        score_devel: Scores the devel split of every corpus with the current weights.
        directory: The run directory.
        distribution: The devices.

    Returns:
        The chosen epoch.

    Raises:
        BionerError: The history does not match the checkpoints, or a loss is not finite.
    """
    config = inputs.config
    settings = config.training
    best_by = devel_f1_key(config.data.corpora[0])
    with distribution.strategy.scope():
        trainer = MultiTaskTrainer(tagger, settings)
        store = checkpoint_store(directory, tagger, trainer.optimizer)
        # Only the chief of several workers writes.
        done = store.restore_newest(set_aside=distribution.is_chief) or 0
    distribution.require_same_epoch(done)
    average = trainer.optimizer.average

    def score() -> dict[str, Scores]:
        with average.applied() if average is not None else contextlib.nullcontext():
            return score_devel()

    history = read_full_history(directory, done)
    stalled = settings.patience > 0 and history.has_stalled(best_by, settings.patience)
    if done:
        print(f"going on after epoch {done}", flush=True)
    if done < settings.epochs and not stalled:
        main = inputs.encoded_training[tagger.corpora[0]]
        # Rounded up: an epoch passes over the whole main corpus.
        steps = -(-count_batches(main, settings.batch_size) // distribution.replicas)
        draw = functools.partial(
            turn_dataset,
            inputs.encoded_training,
            inputs.forms,
            settings.batch_size,
            settings.seed,
        )
        trainer.fit(
            distribution.dataset(draw, first_step=done * steps),
            initial_epoch=done,
            epochs=settings.epochs,
            steps_per_epoch=steps,
            callbacks=_callbacks(inputs, score, directory, history, store, distribution),
            verbose=0,
        )
    final = chosen_epoch(config, history)
    if distribution.is_chief:
        # A run that was killed between saving and pruning has one checkpoint too many.
        prune_checkpoints(store, history, best_by)
        # Without the optimizer, this restores the averages of averaged weights.
        checkpoint_store(directory, tagger).restore(final)
    return final


def _callbacks(
    inputs: TrainingInputs,
    score_devel: ScoreDevel,
    directory: RunDirectory,
    history: History,
    store: CheckpointStore,
    distribution: Distribution,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks in the order in which they run at the end of an epoch."""
    config = inputs.config
    settings = config.training
    corpora = list(config.data.corpora)
    best_by = devel_f1_key(corpora[0])

    def rows_of_step(step: int) -> dict[str, list[int]]:
        turns = range(step * distribution.replicas, (step + 1) * distribution.replicas)
        drawn = list(turn_rows(inputs.encoded_training, settings.batch_size, settings.seed, turns))
        return {corpus: [int(r) for rows in drawn for r in rows[corpus]] for corpus in corpora}

    callbacks: list[keras.callbacks.Callback] = [
        LearningRateDecay(settings.learning_rate, settings.learning_rate_decay),
        FiniteGuard(corpora, rows_of_step),
    ]
    if config.data.train_on == "train":
        callbacks.append(DevelopmentScores(score_devel))
    callbacks.append(Recorder(history))
    if distribution.is_chief:
        callbacks += [
            CheckpointSaver(history, store, best_by, directory.events),
            TrainingProgress(corpora),
        ]
    if settings.patience:
        callbacks.append(EarlyStopping(history, best_by, settings.patience))
    return callbacks
