"""What happens at the end of an epoch, each callback alone with a stand-in for the trainer."""

from __future__ import annotations

import itertools
import sys
import time
import types

import pytest
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event

from bioner_tf.errors import BionerError
from bioner_tf.runs.history import History
from bioner_tf.scoring.metrics import score_tags
from bioner_tf.training.callbacks.guard import FiniteGuard
from bioner_tf.training.callbacks.progress import TrainingProgress
from bioner_tf.training.callbacks.saving import CheckpointSaver, Recorder
from bioner_tf.training.callbacks.schedule import EarlyStopping, LearningRateDecay
from bioner_tf.training.callbacks.scores import DevelopmentScores
from bioner_tf.training.checkpoints import CheckpointStore
from bioner_tf.training.optimizer import RMSprop
from tests.helpers.run_records import F1, history_of

FINITE = {"a/loss": 1.0, "a/gradient_norm": 2.0, "b/loss": 3.0, "b/gradient_norm": 4.0}
LOGS = {"a/loss": 1.25, "b/loss": 2.0, "tokens": 300.0}


def trainer():
    optimizer = RMSprop(0.5, 0.9, tf.Variable(0, dtype=tf.int64))
    return types.SimpleNamespace(optimizer=optimizer, stop_training=False)


def test_the_learning_rate_is_a_function_of_the_epoch():
    callback = LearningRateDecay(0.001, 0.97)
    callback.set_model(trainer())
    # In any order: a resumed run begins anywhere.
    for epoch in (3, 0, 79):
        callback.on_epoch_begin(epoch)
        rate = float(callback.model.optimizer.learning_rate)
        assert rate == pytest.approx(0.001 * 0.97**epoch, rel=1e-6)


def test_development_scores_enter_the_logs_by_corpus_and_type():
    gold, predicted = [["B-X", "O", "B-Y"]], [["B-X", "B-X", "O"]]
    logs = {"a/loss": 1.0}
    DevelopmentScores(lambda: {"a": score_tags(gold, predicted)}).on_epoch_end(0, logs)
    # By hand: X is right once of two, Y is missed.
    assert logs == {
        "a/loss": 1.0,
        "a/devel_precision": 0.5,
        "a/devel_recall": 0.5,
        "a/devel_f1": 0.5,
        "a/devel_f1/X": pytest.approx(2 / 3),
        "a/devel_f1/Y": 0.0,
    }


def test_the_recorder_adds_rate_and_seconds(tmp_path, monkeypatch):
    clock = itertools.count(100.0, 2.5)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    recorder = Recorder(History(tmp_path / "m", 0))
    recorder.set_model(trainer())
    recorder.on_epoch_begin(4)
    recorder.on_epoch_end(4, {"a/loss": tf.constant(1.5)})
    record = {"epoch": 5, "a/loss": 1.5, "learning_rate": 0.5, "seconds": 2.5}
    assert recorder._history.records == [record]


class TestCheckpointSaver:
    def keep(self, tmp_path, scores):
        """Runs epochs with these scores; returns the checkpoints after each."""
        store = CheckpointStore(
            tmp_path / "checkpoints", {"a": tf.Variable(0.0)}, tf.Variable(0, dtype=tf.int64)
        )
        history = History(tmp_path / "metrics.jsonl", 0)
        keeper = CheckpointSaver(history, store, F1, tmp_path / "events")
        kept = []
        for epoch, score in enumerate(scores):
            record = {"epoch": epoch + 1, "a/loss": 0.5}
            history.append(record if score is None else {**record, F1: score})
            keeper.on_epoch_end(epoch, {})
            kept.append(store.epochs())
        return kept

    def test_keeps_the_last_two_and_the_best(self, tmp_path):
        kept = self.keep(tmp_path, [0.1, 0.3, 0.2, 0.2, 0.3, 0.4])
        assert kept == [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5], [5, 6]]

    def test_keeps_the_last_two_where_nothing_is_held_out(self, tmp_path):
        assert self.keep(tmp_path, [None] * 4) == [[1], [1, 2], [2, 3], [3, 4]]

    def test_a_lost_checkpoint_leaves_a_record_too_many_never_one_too_few(
        self, tmp_path, monkeypatch
    ):
        def fail(self, epoch):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(CheckpointStore, "save", fail)
        with pytest.raises(OSError, match="No space left"):
            self.keep(tmp_path, [0.1])
        assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
        assert History(tmp_path / "metrics.jsonl", 0).records == []

    def test_tensorboard_gets_every_number(self, tmp_path):
        self.keep(tmp_path, [0.1, 0.3])
        (path,) = (tmp_path / "events").iterdir()
        seen = {}
        for record in tf.data.TFRecordDataset(str(path)):
            event = Event.FromString(record.numpy())
            for value in event.summary.value:
                seen[event.step, value.tag] = float(tf.make_ndarray(value.tensor))
        assert seen == {
            (1, "epoch"): 1,
            (1, "a/loss"): 0.5,
            (1, F1): pytest.approx(0.1),
            (2, "epoch"): 2,
            (2, "a/loss"): 0.5,
            (2, F1): pytest.approx(0.3),
        }


def test_early_stopping_stops_the_trainer(tmp_path):
    history = history_of(tmp_path / "m", 0.3, 0.2)
    callback = EarlyStopping(history, F1, patience=2)
    callback.set_model(trainer())
    callback.on_epoch_end(1, {})
    assert not callback.model.stop_training
    history.append({"epoch": 3, F1: 0.3})
    callback.on_epoch_end(2, {})
    assert callback.model.stop_training


class TestFiniteGuard:
    @pytest.fixture
    def guard(self):
        guard = FiniteGuard(["a", "b"], lambda step: {"a": [step], "b": [step, 7]})
        guard.set_params({"steps": 10})
        guard.on_epoch_begin(2)
        return guard

    def test_lets_finite_numbers_pass(self, guard):
        guard.on_train_batch_end(0, FINITE)

    @pytest.mark.parametrize(
        ("spoilt", "told"),
        [
            ({"a/loss": float("nan")}, ("a loss of a", "sentences 24 ")),
            ({"a/gradient_norm": float("inf")}, ("a gradient_norm of a", "sentences 24 ")),
            ({"b/loss": tf.constant(float("inf"))}, ("a loss of b", "sentences 24, 7 ")),
            (
                {"b/loss": float("nan"), "b/gradient_norm": float("nan")},
                ("a loss and a gradient_norm of b", "sentences 24, 7 "),
            ),
        ],
        ids=["loss", "norm", "tensor", "both"],
    )
    def test_names_turn_and_sentences(self, guard, spoilt, told):
        with pytest.raises(BionerError) as error:
            guard.on_train_batch_end(4, {**FINITE, **spoilt})
        message = str(error.value)
        assert message.startswith("epoch 3, turn 5: ")
        # The step is counted from the first epoch on: 2 * 10 + 4.
        assert all(part in message for part in told)
        assert "\n" not in message


class TestProgress:
    def run(self, monkeypatch, capsys, logs, epochs=3, first=0, terminal=False, turns=5):
        """Runs two epochs: the graph takes 100 s, a turn 2 s, scoring 1 s; returns the output."""
        now = [0.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
        progress = TrainingProgress(["a", "b"])
        progress.set_params({"epochs": epochs, "steps": turns})
        progress.on_train_begin()
        for epoch in (first, first + 1):
            progress.on_epoch_begin(epoch)
            for turn in range(turns):
                now[0] += 100.0 if (epoch, turn) == (first, 0) else 2.0
                tokens = logs["tokens"] * (turn + 1) / turns
                progress.on_train_batch_end(turn, {**logs, "tokens": tokens})
            now[0] += 1.0
            progress.on_epoch_end(epoch, logs)
        return capsys.readouterr()

    def test_one_line_an_epoch(self, monkeypatch, capsys):
        output = self.run(monkeypatch, capsys, LOGS)
        assert output.out.splitlines() == [
            # 240 tokens in four turns; 9 s for 0.8 epochs.
            "epoch 1/3  loss 3.250  30 tokens/s  0:00:22 left",
            # 20 s for 1.8 epochs.
            "epoch 2/3  loss 3.250  30 tokens/s  0:00:11 left",
        ]
        assert output.err == ""

    def test_a_first_epoch_that_only_built_the_graph_has_no_speed(self, monkeypatch, capsys):
        output = self.run(monkeypatch, capsys, LOGS, turns=1)
        assert output.out.splitlines() == [
            "epoch 1/3  loss 3.250",
            # 300 tokens in a turn of 2 s; 4 s for the epoch and for scoring the one before.
            "epoch 2/3  loss 3.250  150 tokens/s  0:00:04 left",
        ]

    def test_devel_scores_of_the_main_corpus(self, monkeypatch, capsys):
        scores = {"devel_precision": 0.5, "devel_recall": 0.25, "devel_f1": 1 / 3}
        logs = {**LOGS, **{f"a/{name}": value for name, value in scores.items()}}
        line = self.run(monkeypatch, capsys, logs).out.splitlines()[0]
        assert "  devel P 50.00 R 25.00 F1 33.33  " in line

    def test_a_resumed_run_reckons_with_the_epochs_of_its_own(self, monkeypatch, capsys):
        output = self.run(monkeypatch, capsys, LOGS, epochs=500, first=300)
        first = output.out.splitlines()[0]
        # 199 epochs of 11.25 s.
        assert first.startswith("epoch 301/500")
        assert first.endswith("0:37:19 left")

    def test_a_bar_on_a_terminal(self, monkeypatch, capsys):
        output = self.run(monkeypatch, capsys, LOGS, terminal=True)
        assert "1/5 turns  0.0 turns/s \r" in output.err
        assert "2/5 turns  0.5 turns/s  0:00:06 left" in output.err
        assert output.err.count("\n") == 0
        # The line of the epoch replaces the bar.
        assert output.err.endswith("left \r\033[K")
        assert len(output.out.splitlines()) == 2
