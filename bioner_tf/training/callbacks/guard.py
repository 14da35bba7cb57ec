"""Stops training when numbers are no longer finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Callable

from tensorflow import keras

from bioner_tf.errors import BionerError
from bioner_tf.training.callbacks import Logs


def find_non_finite(logs: Mapping[str, Any], corpus: str) -> list[str]:
    """Returns the quantities of a corpus that are not finite."""
    return [q for q in ("loss", "gradient_norm") if not math.isfinite(logs[f"{corpus}/{q}"])]


class FiniteGuard(keras.callbacks.Callback):
    """Stops training when a loss or a gradient is not finite.

    Args:
        corpora: The corpora, in the order of their updates.
        rows: Returns the training sentences in a step's batches by corpus; steps are counted from
            the first epoch on.
    """

    def __init__(self, corpora: list[str], rows: Callable[[int], Mapping[str, list[int]]]):
        super().__init__()
        self._corpora = corpora
        self._rows = rows
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Checks the running means, which stay non-finite after one non-finite value."""
        for corpus in self._corpora:
            if found := find_non_finite(logs, corpus):
                rows = self._rows(self._epoch * self.params["steps"] + batch)[corpus]
                raise BionerError(
                    f"epoch {self._epoch + 1}, turn {batch + 1}: expected finite numbers, got a "
                    f"{' and a '.join(found)} of {corpus} that is not; its batch held the "
                    f"training sentences {', '.join(map(str, rows))} (from 0); what was saved "
                    f"after epoch {self._epoch} is kept: look at the sentences, or train with a "
                    "lower --learning_rate"
                )
