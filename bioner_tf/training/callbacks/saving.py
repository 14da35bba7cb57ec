"""Records every epoch and saves it: history, TensorBoard events, checkpoint."""

from __future__ import annotations

import time

import tensorflow as tf
from tensorflow import keras

from bioner_tf.files import PathLike
from bioner_tf.runs.history import History
from bioner_tf.training.callbacks import Logs
from bioner_tf.training.checkpoints import CheckpointStore

_KEPT_CHECKPOINTS = 2


class Recorder(keras.callbacks.Callback):
    """Adds an epoch's logs to the history, with its learning rate and its seconds.

    Args:
        history: The record.
    """

    def __init__(self, history: History):
        super().__init__()
        self._history = history
        self._begun = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        record = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        record["learning_rate"] = float(self.model.optimizer.learning_rate.numpy())
        record["seconds"] = time.monotonic() - self._begun
        self._history.append(record)


class CheckpointSaver(keras.callbacks.Callback):
    """Saves what the recorder added: the history, TensorBoard's events, a checkpoint.

    Args:
        history: The record.
        store: The checkpoints; the last two are kept, and the best.
        best_by: The quantity whose highest value makes an epoch the best.
        event_dir: Where TensorBoard's events go.
    """

    def __init__(self, history: History, store: CheckpointStore, best_by: str, event_dir: PathLike):
        super().__init__()
        self._history = history
        self._store = store
        self._best_by = best_by
        self._writer = tf.summary.create_file_writer(str(event_dir))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        with self._writer.as_default(step=epoch + 1):
            for name, value in self._history.records[-1].items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        # Before the checkpoint: a resumed run drops the records after its checkpoint.
        self._history.save()
        self._store.save(epoch + 1)
        prune_checkpoints(self._store, self._history, self._best_by)


def prune_checkpoints(store: CheckpointStore, history: History, best_by: str) -> None:
    """Keeps the last two checkpoints and the best one.

    Args:
        store: The checkpoints.
        history: The record of all epochs so far.
        best_by: The quantity whose highest value makes an epoch the best.
    """
    last = len(history.records)
    recent = range(last + 1 - _KEPT_CHECKPOINTS, last + 1)
    best = history.best_epoch(best_by)
    store.keep_only([*recent, *([best] if best else [])])
