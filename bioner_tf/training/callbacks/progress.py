"""Shows how far training is."""

from __future__ import annotations

from tensorflow import keras

from bioner_tf.runs.history import devel_f1_key
from bioner_tf.terminal import Progress, clear_line
from bioner_tf.training.callbacks import Logs


class TrainingProgress(keras.callbacks.Callback):
    """Shows a bar while an epoch runs, on a terminal, and prints a line after every epoch.

    The first turn of the process builds the graph, which can take longer than an epoch: speed and
    remaining time are measured from the end of that turn on.

    Args:
        corpora: The corpora; the line shows the devel scores of the first, the main one.
    """

    def __init__(self, corpora: list[str]):
        super().__init__()
        self._main = corpora[0]
        self._corpora = corpora
        # None until the graph is built.
        self._epochs: Progress | None = None
        self._epoch = 0
        self._rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        title = f"epoch {epoch + 1}/{self.params['epochs']}"
        self._turns = Progress("turns", self.params["steps"], title)
        self._tokens = Progress("tokens")

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if self._epochs is None:
            done = self._epoch + (batch + 1) / self.params["steps"]
            self._epochs = Progress("epochs", self.params["epochs"], start=done)
            self._turns.restart(batch + 1)
            self._tokens.restart(float(logs["tokens"]))
        elif batch + 1 == self.params["steps"]:
            # Without the scoring that follows.
            self._rate = self._tokens.rate(float(logs["tokens"]))
        self._turns.draw(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        clear_line()
        loss = sum(float(logs[f"{corpus}/loss"]) for corpus in self._corpora)
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}", f"loss {loss:.3f}"]
        if devel_f1_key(self._main) in logs:
            scores = (100 * logs[f"{self._main}/devel_{s}"] for s in ("precision", "recall", "f1"))
            parts.append("devel P {:.2f} R {:.2f} F1 {:.2f}".format(*scores))
        # Both are unknown after an epoch of the single turn that built the graph.
        if self._epochs is not None and self._rate:
            parts.append(f"{self._rate:,.0f} tokens/s")
            parts.append(f"{self._epochs.time_left(epoch + 1)} left")
        print("  ".join(parts), flush=True)
