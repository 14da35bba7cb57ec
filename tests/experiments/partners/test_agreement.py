"""Gradients that agree: against arithmetic by hand, and on corpora of which the answer is known."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import TrainingConfig
from bioner_tf.corpora.corpus import read_split
from bioner_tf.errors import BionerError
from bioner_tf.experiments.partners.agreement import cosines, measure_agreement, start_alike
from bioner_tf.training.trainer import MultiTaskTrainer
from tests.helpers.commands import run_commands
from tests.helpers.run_records import write_run
from tests.helpers.small_taggers import make_tagger, make_turn
from tests.helpers.synthetic_corpora import make_config, write_corpus


def fully_shared(data_dir, corpora, **changes):
    return make_config(data_dir, corpora, "fully_shared", dropout_rate=0.0, **changes)


def write_known(data_dir):
    """A corpus, one of the same sentences, and one of those with their tags at other tokens."""
    write_corpus(data_dir, "genes", sentences=60)
    shutil.copytree(data_dir / "genes", data_dir / "same")
    sentences = read_split(data_dir / "genes/train.tsv").sentences
    tags = np.random.default_rng(0).permutation([tag for s in sentences for tag in s.tags])
    drawn = iter(tag.replace("I-", "B-") for tag in tags)
    rows = ("".join(f"{token}\t{next(drawn)}\n" for token in s.tokens) for s in sentences)
    (data_dir / "shuffled").mkdir()
    (data_dir / "shuffled/train.tsv").write_text("\n".join(rows), encoding="utf-8")
    for name in ("genes", "same"):
        (data_dir / name / "test.tsv").unlink()


@pytest.fixture
def trainer():
    tagger = make_tagger("fully_shared", ["a", "b", "c"], dropout_rate=0.0)
    return MultiTaskTrainer(tagger, TrainingConfig())


def shared_variables(tagger):
    names = ("char_cnn", "side_by_side", "shared.projection")
    found = [v for v in tagger.variables() if v.name.startswith(names)]
    # Characters' vectors, a convolution, two LSTMs and a projection.
    assert len(found) == 1 + 2 + 6 + 2
    return found


def test_cosines_are_those_of_the_shared_weights_gradients(trainer) -> None:
    tagger = trainer.tagger
    turn = make_turn(tagger)
    gradients = {}
    for corpus in tagger.corpora:
        batch = dict(turn[corpus])
        tags = batch.pop("tag_ids")
        with tf.GradientTape() as tape:
            emissions = tagger.networks[corpus](batch, training=True)["emissions"]
            crf = tagger.crfs[corpus]
            loss = sum(crf.negative_log_likelihood(emissions, tags, batch["lengths"]))
        parts = tape.gradient(loss, shared_variables(tagger))
        gradients[corpus] = [
            tf.convert_to_tensor(part).numpy().astype(np.float64) for part in parts
        ]

    def product(one, other):
        return sum(np.sum(x * y) for x, y in zip(gradients[one], gradients[other]))

    expected = [product("a", c) / np.sqrt(product("a", "a") * product(c, c)) for c in ("b", "c")]
    np.testing.assert_allclose(cosines(trainer, turn), expected, rtol=1e-4, atol=1e-6)
    assert max(np.abs(expected)) > 0.01


def test_a_step_on_the_candidate_changes_the_main_loss_by_as_much_as_the_cosine_says(
    trainer,
) -> None:
    tagger = trainer.tagger
    turn = make_turn(tagger, seed=3)
    shared = shared_variables(tagger)
    agreement = cosines(trainer, turn)[0].numpy()

    def main_loss():
        return trainer.batch_losses("a", turn["a"])["loss"].numpy()

    def direction(corpus):
        with tf.GradientTape() as tape:
            loss = trainer.batch_losses(corpus, turn[corpus])["loss"]
        gradient = [tf.convert_to_tensor(g) for g in tape.gradient(loss, shared)]
        norm = tf.linalg.global_norm(gradient)
        return [g / norm for g in gradient]

    def slope(steps, length=0.02):
        """How fast the loss falls, by central differences."""
        losses = []
        for sign in (-1, 2, -1):
            for variable, step in zip(shared, steps):
                variable.assign_sub(sign * length * step)
            losses.append(main_loss())
        return (losses[0] - losses[1]) / (2 * length)

    own, other = slope(direction("a")), slope(direction("b"))
    assert own > 0
    assert other / own == pytest.approx(agreement, abs=0.01)


def test_gradients_of_nothing_agree_with_nothing(trainer) -> None:
    for corpus in ("a", "b"):
        crf = trainer.tagger.crfs[corpus]
        for variable in crf.trainable_variables:
            variable.assign(tf.zeros_like(variable))
    assert cosines(trainer, make_turn(trainer.tagger)).numpy().tolist() == [0.0, 0.0]


def test_crfs_start_alike_for_tags_of_one_meaning() -> None:
    tagger = make_tagger("fully_shared", ["a", "b"])
    start_alike(tagger.crfs["a"], ("O", "B-X", "I-X"), seed=3)
    start_alike(tagger.crfs["b"], ("S-Y", "O"), seed=3)
    one, other = (tagger.crfs[corpus].unary.kernel.numpy() for corpus in "ab")
    assert (one[:, 0] == other[:, 1]).all()
    assert (one[:, 1] == other[:, 0]).all()
    assert np.linalg.matrix_rank(one) == 3


@pytest.fixture
def eagerly():
    """Runs functions op by op: for a few turns building their graphs takes longer."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eagerly")
def test_a_seed_has_one_answer_and_no_test_split_is_read(tmp_path, capsys) -> None:
    write_known(tmp_path)
    (tmp_path / "genes/devel.tsv").unlink()
    first, again, other = (
        measure_agreement(fully_shared(tmp_path, ["genes", "same"], seed=seed), turns)
        for seed, turns in ((1, 2), (1, 2), (2, 1))
    )
    # One of two turns is measured.
    assert [(name, len(each)) for name, each in first.items()] == [("same", 1)]
    assert first == again != other
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["turn 1/2", "turn 2/2"] * 2 + ["turn 1/1"]


@pytest.mark.usefixtures("eagerly")
def test_numbers_that_are_not_finite_are_told(tmp_path, capsys) -> None:
    write_known(tmp_path)
    config = fully_shared(tmp_path, ["genes", "same"], learning_rate=1e30)
    with pytest.raises(
        BionerError, match=r"turn 1: .* gradient_norm of same that is not; .* \d+, "
    ):
        measure_agreement(config, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_same_corpus_agrees_and_one_of_shuffled_tags_does_not(tmp_path, seed) -> None:
    write_known(tmp_path)
    config = fully_shared(
        tmp_path, ["genes", "shuffled", "same"], seed=seed, batch_size=16, learning_rate=0.01
    )
    found = {name: np.mean(each) for name, each in measure_agreement(config, 60).items()}
    assert found["same"] > 0.5
    assert abs(found["shuffled"]) < 0.2


@pytest.mark.slow
def test_command_ranks_with_gradients(tmp_path) -> None:
    write_known(tmp_path)
    shutil.copy(tmp_path / "same/devel.tsv", tmp_path / "shuffled/devel.tsv")
    for name, f1 in (("same", 0.8), ("shuffled", 0.7)):
        write_run(tmp_path / "sweep" / name, "cross_sharing", ("genes", name), f1)
    line = [f"--data_dir={tmp_path}", "--main=genes", "--steps=4", f"--sweep_dir={tmp_path}/sweep"]
    both, one = run_commands(
        "partner",
        "bioner_tf.experiments.partners.agreement",
        [line, [*line, "--candidates=same"]],
        tmp_path / "out",
    )
    assert (both.code, one.code) == (0, 0)
    header, *rows = (line.split() for line in both.out.splitlines()[:3])
    assert header[-3:] == ["gradients", "test", "F1"]
    assert {row[0]: row[-1] for row in rows} == {"same": "80.00", "shuffled": "70.00"}
    assert all(row[-3] == "±" for row in rows)
    assert re.search(r"2 trained partners: [+-]1\.00 \(without gradients: \+1\.00\); of", both.out)
    assert "turn 4/4" in both.err
    # Of a single candidate there is no order.
    assert one.out.splitlines()[1].split()[:2] == ["same", "+0.00"]
    assert "1 trained partners: not defined" in one.out
