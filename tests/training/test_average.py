"""The average of the weights against the definition, in float64, and through runs."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import CRFS, STRUCTURES, TrainingConfig
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.training.checkpoints import name_variables
from bioner_tf.training.optimizer import RMSprop
from bioner_tf.training.run import train
from bioner_tf.training.trained_run import load_run
from bioner_tf.training.trainer import MultiTaskTrainer
from tests.helpers.small_taggers import TAGS, make_batch, make_tagger
from tests.helpers.synthetic_corpora import make_config, write_corpus

DECAY = 0.7
BOTH = "train,devel"
# The structure with all kinds of weights takes longest to trace.
QUICK = {("single_task", "pairwise"), ("adversarial", "static")}


def mean_of(turns: list[np.ndarray], decay: float = DECAY) -> np.ndarray:
    """The definition, from the weights at the end of each turn."""
    shares = [decay ** (len(turns) - number) for number in range(1, len(turns) + 1)]
    return sum(s * t.astype(np.float64) for s, t in zip(shares, turns)) / sum(shares)


def test_rows_that_rest_are_averaged_like_all_others() -> None:
    rng = np.random.default_rng(0)
    table = tf.Variable(rng.normal(size=(5, 2)), dtype=tf.float32)
    vector = tf.Variable([1.0, -2.0])
    optimizer = RMSprop(
        0.1, 0.9, tf.Variable(0, dtype=tf.int64), average_decay=DECAY, turn_updates=2
    )
    optimizer.build([table, vector], row_wise=table)
    turns: list[list[np.ndarray]] = []
    # Row 4 is never touched, row 3 once at the end, row 2 rests for three turns, row 0 changes
    # twice in one turn.
    for touched in (([0, 2], [1]), ([0], [0, 1]), ([1], [1]), ([0], [1]), ([2, 0], [3, 0])):
        for rows in touched:
            values = tf.constant(rng.normal(size=(len(rows), 2)), tf.float32)
            gradients = tf.IndexedSlices(values, tf.constant(rows), (5, 2)), tf.ones(2)
            optimizer.apply_gradients(zip(gradients, [table, vector]))
        optimizer.average.end_turn()
        turns.append([table.numpy(), vector.numpy()])
        for number, average in enumerate(optimizer.average.values()):
            expected = mean_of([turn[number] for turn in turns])
            np.testing.assert_allclose(average, expected, rtol=2e-5, atol=1e-6)


def test_before_the_first_turn_the_average_is_the_weights() -> None:
    table, vector = tf.Variable(tf.ones((3, 2))), tf.Variable([4.0])
    optimizer = RMSprop(0.1, 0.9, tf.Variable(0, dtype=tf.int64), average_decay=DECAY)
    optimizer.build([table, vector], row_wise=table)
    for average, variable in zip(optimizer.average.values(), (table, vector)):
        np.testing.assert_array_equal(average, variable)


@pytest.mark.parametrize(
    ("structure", "crf"),
    [
        pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow, id="-".join(case))
        for case in itertools.product(STRUCTURES, CRFS)
    ],
)
def test_every_weight_of_every_structure_is_averaged_over_the_turns(
    structure: str, crf: str
) -> None:
    corpora = ["a"] if structure == "single_task" else ["a", "b", "c"]
    tagger = make_tagger(structure, corpora, crf=crf)
    trainer = MultiTaskTrainer(tagger, TrainingConfig(learning_rate=0.1, average_decay=DECAY))
    step = tf.function(trainer.train_step)
    turns = []
    for seed in range(4):
        step({c: make_batch(len(TAGS[c]), 10 * seed + n) for n, c in enumerate(corpora)})
        turns.append([variable.numpy() for variable in tagger.variables()])
    trained = turns[-1]
    averages = trainer.optimizer.average.values()
    for number, (variable, average) in enumerate(zip(tagger.variables(), averages)):
        expected = mean_of([turn[number] for turn in turns])
        np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-6, err_msg=variable.name)
    with trainer.optimizer.average.applied():
        for variable, average in zip(tagger.variables(), averages):
            np.testing.assert_array_equal(variable, average)
    for variable, value in zip(tagger.variables(), trained):
        np.testing.assert_array_equal(variable, value)


def test_without_a_decay_nothing_is_kept() -> None:
    tagger = make_tagger("fully_shared", ["a", "b"])
    plain = MultiTaskTrainer(tagger, TrainingConfig())
    averaged = MultiTaskTrainer(tagger, dataclasses.replace(TrainingConfig(), average_decay=0.9))
    assert plain.optimizer.average is None
    weights = len(tagger.variables())
    names = list(map(str, range(weights)))
    kept = len(averaged.optimizer.named_state(names)) - len(plain.optimizer.named_state(names))
    assert kept == weights


def test_a_run_is_scored_exported_and_loaded_with_the_average(tmp_path) -> None:
    write_corpus(tmp_path / "data", "genes", sentences=16)
    config = make_config(
        tmp_path / "data", ["genes"], "single_task", epochs=4, average_decay=0.6, train_on=BOTH
    )
    train(config, tmp_path / "run", "")
    checkpoint = tf.train.load_checkpoint(str(tmp_path / "run/checkpoints/epoch-0004/state"))
    loaded = load_run(tmp_path / "run")
    differ = 0
    for name, variable in name_variables(loaded.tagger).items():
        np.testing.assert_array_equal(variable, checkpoint.get_tensor(name))
        differ += not np.array_equal(variable, checkpoint.get_tensor(f"optimizer.weights.{name}"))
    assert differ
    # The predictions that the run was scored by are those of its export.
    tagger, found = Tagger(tmp_path / "run"), 0
    text = (tmp_path / "run/predictions/genes.test.tsv").read_text(encoding="utf-8")
    for sentence in text.strip("\n").split("\n\n"):
        tokens, _, predicted = zip(*(line.split("\t") for line in sentence.split("\n")))
        assert tagger.tag_tokens([tokens])[0] == [list(predicted)]
        found += sum(tag != "O" for tag in predicted)
    assert found
