"""Shows how far training is."""

from __future__ import annotations

from tensorflow import keras

from bioner_tf.runs.history import devel_f1_key
from bioner_tf.terminal import Progress, clear_line
from bioner_tf.training.callbacks import Logs


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
        if devel_f1_key(self._main) in logs:
            scores = (100 * logs[f"{self._main}/devel_{s}"] for s in ("precision", "recall", "f1"))
            parts.append("devel P {:.2f} R {:.2f} F1 {:.2f}".format(*scores))
        parts.append(f"{self._turns.rate(float(logs['tokens'])):,.0f} tokens/s")
        parts.append(f"{self._epochs.time_left(epoch + 1)} left")
        print("  ".join(parts), flush=True)
