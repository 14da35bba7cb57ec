from __future__ import annotations

import subprocess
import sys

import pytest

from bioner_tf.corpora.corpus import Sentence
from bioner_tf.experiments.partners.indicators import CorpusText, Indicators, indicators
from bioner_tf.experiments.partners.ranking import measured_scores, rank
from bioner_tf.runs.collection import collect_runs
from tests.helpers.run_records import write_run


def text(*lines):
    """Makes sentences from words; a ``*`` marks words in an entity."""
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
    # Each of its words is either always or never in an entity.
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
    assert "2 trained partners: +1.00; with so few it means nothing" in done.stdout


def test_command_imports_no_tensorflow():
    command = "import sys, bioner_tf.cli.partner; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
