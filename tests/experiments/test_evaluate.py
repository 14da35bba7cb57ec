from __future__ import annotations

import pytest

from bioner_tf.experiments import evaluate


class StubTagger:
    """Finds a drug and a gene in each sentence of two tokens."""

    corpora = ("mixed",)

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
