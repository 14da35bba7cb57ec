from __future__ import annotations

from typing import ClassVar

import pytest

from bioner_tf.experiments import evaluate


class StubTagger:
    """Finds a drug and a gene in each sentence of two tokens."""

    corpora = ("mixed",)
    types: ClassVar = {"mixed": ["Gene", "Drug"]}

    def __init__(self, types):
        self.metadata = {"settings": {"data": {"types": types}}}

    def tag_tokens(self, sentences, corpus):
        return [["B-Gene", "O"] for _ in sentences], None


@pytest.mark.parametrize(
    ("types", "support"), [({}, 2), ({"mixed": ["Gene"]}, 1), ({"other": ["Gene"]}, 2)]
)
def test_gold_entities_are_of_the_types_that_the_run_kept(monkeypatch, tmp_path, types, support):
    path = tmp_path / "test.tsv"
    path.write_text("p53\tB-Gene\naspirin\tB-Drug\n")
    monkeypatch.setattr(evaluate, "_load", lambda _: StubTagger(types))
    settings = evaluate.Evaluation(model=str(tmp_path), corpus_file=str(path))
    (evaluated,) = evaluate.evaluate(settings)
    assert evaluated.scores["support"] == support
    assert (evaluated.scores["predicted"], evaluated.scores["correct"]) == (1, 1)


@pytest.fixture
def warnings_of(monkeypatch, tmp_path, caplog):
    """Returns a function that evaluates a file and returns what is warned of."""

    def warnings(content, types=None):
        path = tmp_path / "test.tsv"
        path.write_text(content)
        monkeypatch.setattr(evaluate, "_load", lambda _: StubTagger(types or {}))
        settings = evaluate.Evaluation(model=str(tmp_path), corpus_file=str(path))
        list(evaluate.evaluate(settings))
        return [message.replace(str(tmp_path), "DIR") for message in caplog.messages]

    return warnings


def test_a_corpus_without_entities_is_warned_of(warnings_of):
    told = (
        "DIR/test.tsv: expected entities, got none, so precision, recall and F1 are 0; check that "
        "the tag is the last column"
    )
    assert warnings_of("p53\tO\nbinds\tO\n") == [told]


def test_types_that_the_model_does_not_have_are_warned_of(warnings_of):
    content = "p53\tB-Gene\nin\tO\n\nrat\tB-Species\nand\tO\n\nof\tO\nmouse\tI-Species\n"
    told = (
        "DIR/test.tsv:4: the model was not trained on entities of the type Species, so it misses "
        "all 2 of them"
    )
    assert warnings_of(content) == [told]


def test_types_that_the_run_left_out_are_not_warned_of(warnings_of):
    assert warnings_of("p53\tB-Gene\nrat\tB-Species\n", {"mixed": ["Gene"]}) == []
