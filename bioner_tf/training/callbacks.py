"""What happens at the end of an epoch: scores, record, checkpoint, and a line for the person."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import tensorflow as tf
from tensorflow import keras

from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, write_text_atomically
from bioner_tf.runs.collection import read_history
from bioner_tf.scoring.metrics import Scores
from bioner_tf.terminal import Progress, clear_line
from bioner_tf.training.checkpoints import CheckpointStore

Logs = dict[str, Any]

_KEPT_CHECKPOINTS = 2


class DevelopmentScores(keras.callbacks.Callback):
    """Adds each corpus's devel scores to the logs of an epoch, as ``<corpus>/devel_f1`` and so on.

    Args:
        score: Scores the networks as they are, by corpus.
    """

    def __init__(self, score: Callable[[], Mapping[str, Scores]]):
        super().__init__()
        self._score = score

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Scores and adds."""
        for corpus, scores in self._score().items():
            micro = scores.micro
            for name, counts in scores.types.items():
                logs[f"{corpus}/devel_f1/{name}"] = counts.f1
            logs[f"{corpus}/devel_precision"] = micro.precision
            logs[f"{corpus}/devel_recall"] = micro.recall
            logs[f"{corpus}/devel_f1"] = micro.f1


class LearningRateDecay(keras.callbacks.Callback):
    """Sets an epoch's learning rate, a function of the epoch alone.

    Args:
        initial: That of the first epoch.
        factor: On it after every epoch.
    """

    def __init__(self, initial: float, factor: float):
        super().__init__()
        self._initial = initial
        self._factor = factor

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Sets the rate."""
        self.model.optimizer.learning_rate = self._initial * self._factor**epoch


def find_non_finite(logs: Mapping[str, Any], corpus: str) -> list[str]:
    """Which of a corpus's quantities are no longer finite numbers."""
    return [q for q in ("loss", "gradient_norm") if not math.isfinite(logs[f"{corpus}/{q}"])]


class FiniteGuard(keras.callbacks.Callback):
    """Stops training where a loss or a gradient is no longer a finite number.

    Args:
        corpora: The corpora, in the order of their updates.
        rows: Gives, for a step (counted from the first epoch on), the training sentences of each
            corpus's batches in it.
    """

    def __init__(self, corpora: list[str], rows: Callable[[int], Mapping[str, list[int]]]):
        super().__init__()
        self._corpora = corpora
        self._rows = rows
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Takes note of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Checks the running means, which the first value that is not finite spoils."""
        for corpus in self._corpora:
            if spoilt := find_non_finite(logs, corpus):
                rows = self._rows(self._epoch * self.params["steps"] + batch)[corpus]
                raise BionerError(
                    f"epoch {self._epoch + 1}, turn {batch + 1}: expected finite numbers, got a "
                    f"{' and a '.join(spoilt)} of {corpus} that is not; its batch held the "
                    f"training sentences {', '.join(map(str, rows))} (from 0); what was saved "
                    f"after epoch {self._epoch} is kept: look at the sentences, or train with a "
                    "lower --learning_rate"
                )


class History:
    """The record of the epochs, ``metrics.jsonl``: one JSON object an epoch.

    Args:
        path: The file.
        epochs: Records beyond this many are of work that was lost; the next one replaces them.
    """

    def __init__(self, path: PathLike, epochs: int):
        self._path = Path(path)
        self.records: list[Logs] = [dict(record) for record in read_history(self._path)[:epochs]]

    def append(self, record: Logs) -> None:
        """Adds the record of the next epoch."""
        self.records.append(record)

    def save(self) -> None:
        """Writes the file."""
        write_text_atomically(self._path, "".join(json.dumps(r) + "\n" for r in self.records))

    def has_stalled(self, key: str, patience: int) -> bool:
        """Whether the last ``patience`` epochs (1 or more) brought no higher ``key``."""
        best = self.best_epoch(key)
        return best is not None and len(self.records) - best >= patience

    def best_epoch(self, key: str) -> int | None:
        """Returns the first epoch (from 1) with the highest ``key``, None where none has it."""
        values = [(record[key], -record["epoch"]) for record in self.records if key in record]
        return -max(values)[1] if values else None


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
        """Starts the clock."""
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Adds."""
        record = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        record["learning_rate"] = float(self.model.optimizer.learning_rate.numpy())
        record["seconds"] = time.monotonic() - self._begun
        self._history.append(record)


class CheckpointSaver(keras.callbacks.Callback):
    """Puts on the disk what the recorder added: the history, TensorBoard's events, a checkpoint.

    Args:
        history: The record.
        store: The checkpoints; the last two are kept, and the best.
        best_by: The log by which an epoch is the best.
        event_dir: Where TensorBoard's events go.
    """

    def __init__(self, history: History, store: CheckpointStore, best_by: str, event_dir: PathLike):
        super().__init__()
        self._history = history
        self._store = store
        self._best_by = best_by
        self._writer = tf.summary.create_file_writer(str(event_dir))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Writes and saves."""
        with self._writer.as_default(step=epoch + 1):
            for name, value in self._history.records[-1].items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        # Before the checkpoint: a run resumes from this, and drops what the history has beyond it.
        self._history.save()
        self._store.save(epoch + 1)
        best = self._history.best_epoch(self._best_by)
        recent = range(epoch + 2 - _KEPT_CHECKPOINTS, epoch + 2)
        self._store.keep_only([*recent, *([best] if best else [])])


class EarlyStopping(keras.callbacks.Callback):
    """Ends training when the history says that it has stalled; to be called after the recorder.

    Args:
        history: The record.
        key: What should rise.
        patience: Epochs that it may fail to, 1 or more.
    """

    def __init__(self, history: History, key: str, patience: int):
        super().__init__()
        self._history = history
        self._key = key
        self._patience = patience

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Looks at the history."""
        if self._history.has_stalled(self._key, self._patience):
            self.model.stop_training = True


class TrainingProgress(keras.callbacks.Callback):
    """Shows a bar while an epoch runs, on a terminal, and prints a line after every epoch.

    Args:
        corpora: The corpora; the line shows the devel scores of the first, the main one.
    """

    def __init__(self, corpora: list[str]):
        super().__init__()
        self._main = corpora[0]
        self._corpora = corpora
        self._epochs: Progress | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        total = self.params["epochs"]
        self._epochs = self._epochs or Progress("epochs", total, start=epoch)
        self._turns = Progress("turns", self.params["steps"], f"epoch {epoch + 1}/{total}")

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._turns.draw(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        clear_line()
        loss = sum(float(logs[f"{corpus}/loss"]) for corpus in self._corpora)
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}", f"loss {loss:.3f}"]
        if f"{self._main}/devel_f1" in logs:
            scores = (100 * logs[f"{self._main}/devel_{s}"] for s in ("precision", "recall", "f1"))
            parts.append("devel P {:.2f} R {:.2f} F1 {:.2f}".format(*scores))
        parts.append(f"{self._turns.rate(float(logs['tokens'])):,.0f} tokens/s")
        parts.append(f"{self._epochs.time_left(epoch + 1)} left")
        print("  ".join(parts), flush=True)
