from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from bioner_tf.corpora.corpus import Sentence
from bioner_tf.experiments.partners.ranking import (
    CorpusText,
    Indicators,
    describe_mean,
    indicators,
    measured_scores,
    rank,
    rank_correlation,
)
from bioner_tf.experiments.reports.collect import collect_runs
from tests.helpers.run_records import write_run


def text(*lines):
    """Sentences out of words, those in an entity with a ``*`` behind them."""
    return [
        Sentence(
            tuple(word.rstrip("*") for word in line.split()),
            tuple("B-X" if word.endswith("*") else "O" for word in line.split()),
        )
        for line in lines
    ]


MAIN = CorpusText(text("the BRCA1* gene binds", "the p53* gene acts"), text("the Nef* gene acts"))


def test_corpus_is_nearest_to_itself():
    found = indicators(MAIN, MAIN)
    assert found.words == pytest.approx(1.0)
    # Every word of it is always, or never, in an entity.
    assert found.labels == pytest.approx(1.0, abs=0.01)  # but for the smoothing


def test_words_of_nothing_in_common():
    other = CorpusText(text("a* b", "c d"), text("e"))
    found = indicators(MAIN, other)
    assert found.words == pytest.approx(0.0)
    assert (found.mentions, found.labels, found.contexts) == (0.0, 0.0, 0.0)


def test_words_by_hand():
    one, other = (CorpusText(text(line), text(line)) for line in ("a b", "a c"))
    # Half of the words are shared: a divergence of half a bit.
    assert indicators(one, other).words == pytest.approx(0.5)


def test_new_mentions_are_those_that_training_does_not_have():
    knows = CorpusText(text("here Nef* acts"), text("x"))
    knows_others = CorpusText(text("here p53* and BRCA1* act"), text("x"))
    assert indicators(MAIN, knows).mentions == 1.0
    assert indicators(MAIN, knows_others).mentions == 0.0


def test_labels_that_contradict_count_against():
    contradicts = CorpusText(text("the* BRCA1 gene* binds*", "the* p53 gene* acts*"), text("x"))
    assert indicators(MAIN, contradicts).labels == pytest.approx(-1.0, abs=0.01)


def test_contexts_agree_where_words_do_not():
    other = CorpusText(text("the AKT2* gene binds", "the src* gene acts"), text("x"))
    found = indicators(MAIN, other)
    assert found.contexts > 0.9
    assert abs(found.labels) < found.contexts


def test_ranking_is_by_the_mean_of_standard_deviations():
    near, far = Indicators(0.9, 0.5, 0.4, 0.3), Indicators(0.7, 0.1, 0.2, 0.3)
    scores = rank({"far": far, "near": near})
    # Three indicators are one deviation above the average of two, one does not differ.
    assert list(scores.items()) == [("near", pytest.approx(0.75)), ("far", pytest.approx(-0.75))]
    assert rank({"only": near}) == {"only": 0.0}


def test_gradients_count_as_much_as_any_other_indicator():
    near, far = Indicators(0.9, 0.5, 0.4, 0.3, 0.1), Indicators(0.7, 0.1, 0.2, 0.3, 0.2)
    # Three of five for the one, one for the other.
    scores = rank({"far": far, "near": near})
    assert list(scores.items()) == [("near", pytest.approx(0.4)), ("far", pytest.approx(-0.4))]


def test_mean_is_told_with_its_standard_error():
    values = [0.1, 0.2, 0.4]
    assert describe_mean(values) == f"0.233 ± {stats.sem(values):.3f}"
    assert describe_mean([0.5]) == "0.500"


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlation_is_spearmans(seed):
    values, others = np.random.default_rng(seed).integers(0, 4, size=(2, 8))
    expected = stats.spearmanr(values, others).statistic
    assert rank_correlation(values, others) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "others"), [([1], [2]), ([1, 1], [1, 2])])
def test_rank_correlation_of_too_little_is_none(values, others):
    assert rank_correlation(values, others) is None


def test_measured_scores_are_those_of_the_structure(tmp_path):
    write_run(tmp_path / "a1", "cross_sharing", ("main", "a"), 0.7)
    write_run(tmp_path / "a2", "cross_sharing", ("main", "a"), 0.8, seed=2)
    write_run(tmp_path / "b", "fully_shared", ("main", "b"), 0.9)
    found = measured_scores(collect_runs(tmp_path).runs, "main", ["a", "b"])
    assert found == {"a": pytest.approx(0.75)}


def test_command_ranks_and_compares(tmp_path):
    for name, lines in {
        "main": MAIN,
        "near": MAIN,
        "far": CorpusText(text("a* b"), text("c")),
    }.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for split in ("train", "devel"):
            sentences = getattr(lines, split)
            rows = ("".join(f"{t}\t{tag}\n" for t, tag in zip(*s)) for s in sentences)
            (tmp_path / f"data/{name}/{split}.tsv").write_text("\n".join(rows))
    write_run(tmp_path / "sweep/near", "cross_sharing", ("main", "near"), 0.7)
    write_run(tmp_path / "sweep/far", "cross_sharing", ("main", "far"), 0.6)
    command = "from bioner_tf.cli import partner; partner.entry()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--data_dir=data", "--main=main", "--sweep_dir=sweep"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines[1:3]] == ["near", "far"]
    assert lines[1][-1] == "70.00"
    assert "2 trained partners: +1.00; of so few it means nothing" in done.stdout


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--vectors=words.bin"], "--vectors: expected together with --steps=N"),
        (["--steps=-1"], "--steps"),
    ],
)
def test_wrong_flags_are_refused_in_one_line(flags, told):
    command = "from bioner_tf.cli import partner; partner.entry()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--data_dir=data", "--main=main", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_command_of_corpora_alone_imports_no_tensorflow():
    command = "import sys, bioner_tf.cli.partner; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
