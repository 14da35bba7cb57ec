"""Scores of the devel splits after every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from tensorflow import keras

from bioner_tf.runs.history import devel_f1_key
from bioner_tf.scoring.metrics import Scores
from bioner_tf.training.callbacks import Logs


class DevelopmentScores(keras.callbacks.Callback):
    """Adds each corpus's devel scores to the logs of an epoch, as ``<corpus>/devel_f1`` and so on.

    Args:
        score: Scores the current weights, by corpus.
    """

    def __init__(self, score: Callable[[], Mapping[str, Scores]]):
        super().__init__()
        self._score = score

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for corpus, scores in self._score().items():
            micro = scores.micro
            for name, counts in scores.types.items():
                logs[f"{devel_f1_key(corpus)}/{name}"] = counts.f1
            logs[f"{corpus}/devel_precision"] = micro.precision
            logs[f"{corpus}/devel_recall"] = micro.recall
            logs[devel_f1_key(corpus)] = micro.f1
