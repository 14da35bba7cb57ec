"""The tagger that comes with the package, on sentences of our own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import bioner_tf
from bioner_tf.errors import BionerError
from bioner_tf.tagging import bundled

TEXT = Path(__file__).parent / "data" / "five_types.txt"
MENTION = re.compile(r"\[([^|\]]+)\|([A-Za-z]+)\]")


def read_labelled() -> tuple[list[str], list[set[tuple[int, int, str]]]]:
    """The sentences without their marks, and the entities of each: start, end, type."""
    texts, golds = [], []
    for line in TEXT.read_text(encoding="utf-8").splitlines():
        text, gold, done = "", set(), 0
        for found in MENTION.finditer(line):
            text += line[done : found.start()]
            gold.add((len(text), len(text) + len(found[1]), found[2]))
            text, done = text + found[1], found.end()
        texts.append(text + line[done:])
        golds.append(gold)
    return texts, golds


@pytest.fixture(scope="module")
def answers():
    texts, golds = read_labelled()
    found = bioner_tf.load().tag_texts(texts)
    return texts, golds, [{(e.start, e.end, e.type) for e in entities} for entities in found]


def test_f1_on_our_own_sentences(answers):
    _, golds, found = answers
    correct = sum(len(gold & answer) for gold, answer in zip(golds, found))
    f1 = 2 * correct / (sum(map(len, golds)) + sum(map(len, found)))
    assert f1 >= 0.8, f1


def test_all_five_types_are_found_at_once(answers):
    texts, golds, found = answers
    assert texts[0].startswith("Metformin reduces TNF-alpha in mice with type 2 diabetes")
    assert found[0] == golds[0]


def test_an_installation_without_it_is_told(monkeypatch):
    monkeypatch.setattr(bundled, "NAME", "lost")
    with pytest.raises(BionerError, match=r"data/lost: expected the tagger lost, which comes with"):
        bioner_tf.load()


def test_loading_prints_nothing():
    code = "import bioner_tf; print(len(bioner_tf.load().tag_texts(['IL-2 binds STAT3.'])[0]))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == ""
    assert int(done.stdout) >= 1
