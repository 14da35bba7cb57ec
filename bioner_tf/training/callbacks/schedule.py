"""The learning rate of each epoch, and the end of training."""

from __future__ import annotations

from tensorflow import keras

from bioner_tf.runs.history import History
from bioner_tf.training.callbacks import Logs


class LearningRateDecay(keras.callbacks.Callback):
    """Sets an epoch's learning rate, a function of the epoch alone.

    Args:
        initial: The rate of the first epoch.
        factor: What the rate is multiplied by after every epoch.
    """

    def __init__(self, initial: float, factor: float):
        super().__init__()
        self._initial = initial
        self._factor = factor

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.model.optimizer.learning_rate = self._initial * self._factor**epoch


class EarlyStopping(keras.callbacks.Callback):
    """Ends training when it has stalled; must run after the recorder.

    Args:
        history: The record.
        key: The quantity that should rise.
        patience: The epochs without a rise after which training ends, 1 or more.
    """

    def __init__(self, history: History, key: str, patience: int):
        super().__init__()
        self._history = history
        self._key = key
        self._patience = patience

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._history.has_stalled(self._key, self._patience):
            self.model.stop_training = True
