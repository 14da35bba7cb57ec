from __future__ import annotations

import subprocess
import sys

import pytest

from bioner_tf.corpora.corpus import Sentence, write_predictions
from bioner_tf.errors import BionerError
from bioner_tf.experiments.reports.cases import to_html, to_text
from bioner_tf.experiments.reports.compare import compare, overview
from bioner_tf.experiments.reports.mistakes import find_mistakes
from tests.helpers.run_records import write_run

GOLD = [
    (("a", "<b>", "c"), ("B-X", "I-X", "O")),
    (("Nef", "binds"), ("B-X", "O")),
    (("Vitamin", "K"), ("O", "O")),
    (("d",), ("B-X",)),
]
FIRST = [("B-X", "O", "O"), ("O", "O"), ("B-X", "I-X"), ("B-X",)]
SECOND = [("B-X", "I-X", "O"), ("B-X", "O"), ("O", "O"), ("B-Y",)]


def write(directory, structure, corpora, predicted):
    write_run(directory, structure, corpora)
    sentences = [Sentence(*each) for each in GOLD]
    write_predictions(directory / f"predictions/{corpora[0]}.test.tsv", sentences, predicted)
    return str(directory)


@pytest.fixture
def comparison(tmp_path):
    first = write(tmp_path / "stm", "single_task", ("main",), FIRST)
    second = write(tmp_path / "cs", "cross_sharing", ("main", "other"), SECOND)
    return compare(first, second)


@pytest.mark.parametrize(
    ("gold", "predicted", "kinds"),
    [
        ("BIO", "BIO", []),
        ("BIO", "OOO", ["missed"]),
        ("OOO", "OBI", ["spurious"]),
        ("BIO", "BOO", ["boundary"]),
        ("BII", "OBI", ["boundary"]),
        ("BIO", "bio", ["type"]),
        ("BIO", "bOO", ["type"]),
        ("BOB", "OBO", ["missed", "spurious", "missed"]),
        # One entity is split in two: the longer part is paired with it, the other is spurious.
        ("BIII", "BIBO", ["boundary", "spurious"]),
        # Two entities are merged: the result is paired with the one that it overlaps more.
        ("BBII", "BIII", ["missed", "boundary"]),
        ("BIB", "BIO", ["missed"]),
    ],
)
def test_mistakes_by_hand(gold, predicted, kinds):
    def tags(word):
        names = {"B": "B-X", "I": "I-X", "O": "O", "b": "B-Y", "i": "I-Y", "o": "O"}
        return [names[letter] for letter in word]

    mistakes = find_mistakes(tags(gold), tags(predicted))
    assert [mistake.kind for mistake in mistakes] == kinds


def test_sentences_are_sorted_by_who_is_right(comparison):
    assert comparison.cases(wrong=0) == [0, 1, 2]
    assert comparison.cases(wrong=1) == [3]
    assert comparison.cases(0, ["missed"]) == [1]
    assert comparison.cases(0, ["spurious"]) == [2]
    assert comparison.cases(0, ["boundary"]) == [0]
    sentences, mistakes = overview(comparison)
    assert sentences.header[2] == "only STM right"
    assert sentences.rows == [["4", "0", "1", "3", "0"]]
    assert mistakes.rows == [["STM", "1", "1", "1", "0"], ["CS-MTM", "0", "0", "0", "1"]]


def test_text_shows_gold_and_both_predictions(comparison):
    text = to_text(comparison)
    assert "== CS-MTM is right, STM is wrong\n" in text
    assert "sentence 2: missed 'Nef'\n  gold    [Nef]X binds\n  STM     Nef binds\n" in text
    assert "sentence 3: spurious 'Vitamin K'\n" in text
    assert "  STM     [Vitamin K]X\n" in text
    assert "sentence 4: type 'd'" in text


def test_html_marks_right_and_wrong(comparison):
    page = to_html(comparison)
    assert '<mark class="gold">Nef <small>X</small></mark> binds' in page
    assert '<mark class="right">Nef <small>X</small></mark> binds' in page
    assert '<mark class="wrong">Vitamin K <small>X</small></mark>' in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.startswith("<!DOCTYPE html>")


def test_kinds_and_numbers_can_be_limited(comparison):
    assert "sentence 2" not in to_text(comparison, ["spurious"])
    assert "(the first 1 of 3)" in to_text(comparison, most=1)


def test_models_of_one_structure_are_called_by_their_directories(tmp_path):
    first = write(tmp_path / "seed1", "single_task", ("main",), FIRST)
    second = write(tmp_path / "seed2", "single_task", ("main",), SECOND)
    assert [model.name for model in compare(first, second).models] == ["seed1", "seed2"]


def test_runs_without_predictions_are_told(tmp_path):
    first = write(tmp_path / "a", "single_task", ("main",), FIRST)
    second = str(write_run(tmp_path / "b"))
    with pytest.raises(BionerError, match="no such file; expected predictions"):
        compare(first, second)


def test_command_compares_files(tmp_path):
    sentences = [Sentence(*each) for each in GOLD]
    write_predictions(tmp_path / "one.test.tsv", sentences, FIRST)
    write_predictions(tmp_path / "two.test.tsv", sentences, SECOND)
    command = "from bioner_tf.cli import compare; compare.entry()"
    given = ["--first=one.test.tsv", "--second=two.test.tsv", "--html=cases.html"]
    done = subprocess.run(
        [sys.executable, "-c", command, *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "cases.html\n", "")
    assert "Vitamin K" in (tmp_path / "cases.html").read_text()
