from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bioner_tf.corpora.corpus import Sentence, write_predictions
from bioner_tf.corpora.predictions import TaggedSentence, read_predictions, require_same_sentences
from bioner_tf.errors import BionerError

SENTENCES = [
    TaggedSentence(("BRCA1", "binds", "\u2028"), ("B-Gene", "O", "O"), ("B-Gene", "I-Gene", "O")),
    TaggedSentence(("p53",), ("B-Gene",), ("O",)),
]


def write(path, sentences=SENTENCES):
    gold = [Sentence(s.tokens, s.gold) for s in sentences]
    write_predictions(path, gold, [s.predicted for s in sentences])
    return path


def test_what_was_written_is_read(tmp_path):
    assert read_predictions(write(tmp_path / "a.test.tsv")) == SENTENCES


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\tO\tO\nb\tO\n\n", ":2: .*got 2 columns"),
        ("a\tO\tgene\n", ":1: .*got the tag 'gene'"),
        ("a\tO\tO", "newline at its end"),
        ("\n", "no sentence"),
    ],
    ids=["columns", "tag", "torn", "empty"],
)
def test_what_is_none_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(BionerError, match=rf"a\.tsv{told}" if told[0] == ":" else told):
        read_predictions(tmp_path / "a.tsv")


def test_missing_file_is_told(tmp_path):
    with pytest.raises(BionerError, match="no such file"):
        read_predictions(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    ("others", "told"),
    [
        (SENTENCES[:1], "expected the 2 sentences of one, got 1"),
        ([SENTENCES[0], SENTENCES[1]._replace(gold=("O",))], "sentence 2"),
    ],
    ids=["fewer", "other gold tags"],
)
def test_other_sentences_are_refused(others, told):
    require_same_sentences(SENTENCES, SENTENCES, ("one", "other"))
    with pytest.raises(BionerError, match=f"other: .*{told}"):
        require_same_sentences(SENTENCES, others, ("one", "other"))


def test_predictions_are_scored_and_compared_by_command(tmp_path):
    perfect = [s._replace(predicted=s.gold) for s in SENTENCES] * 30
    write(tmp_path / "one.test.tsv", perfect)
    write(tmp_path / "other.test.tsv", SENTENCES * 30)
    command = "from bioner_tf.cli import evaluate; evaluate.entry()"
    given = ["--model=one.test.tsv", "--against=other.test.tsv", "--bootstrap=100", "--swaps=999"]
    done = subprocess.run(
        [sys.executable, "-c", command, *given, "--json=scores.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    scores = json.loads((tmp_path / "scores.json").read_text())["one"]["test"]
    assert scores["f1"] == 1.0
    assert scores["intervals"]["f1"] == [1.0, 1.0]
    assert scores["against"]["f1"] == {"difference": 1.0, "p": 0.001}
    assert "f1         +100.00  p = 0.0010" in done.stdout
