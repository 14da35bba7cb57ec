from __future__ import annotations

import pytest

from bioner_tf.experiments import evaluate
from bioner_tf.formats.annotation import Entity


class StubTagger:
    """Finds a gene in each sentence of two tokens; the gene is right."""

    def tag_tokens(self, sentences, corpus):
        return [["B-Gene", "O"] for _ in sentences], None

    def tag_texts(self, texts, corpus):
        return [[Entity(0, 3, "Gene", text[:3], 0.75)] for text in texts]


@pytest.fixture
def evaluate_stub(monkeypatch, tmp_path):
    """Evaluates the stub on a file; takes its content, the run's --types and other settings."""

    def evaluate_stub(content, types=(), **settings):
        path = tmp_path / "test.tsv"
        path.write_text(content)
        metadata = {"settings": {"data": {"types": dict(types)}}}
        monkeypatch.setattr(
            evaluate, "_read_metadata", lambda _: (metadata, {"mixed": ["Gene", "Drug"]})
        )
        monkeypatch.setattr(evaluate, "_load", lambda _: StubTagger())
        settings = evaluate.Evaluation(str(tmp_path), corpus_file=str(path), **settings)
        (evaluated,) = evaluate.evaluate(settings)
        return evaluated.scores

    return evaluate_stub


CONTENT = "p53\tB-Gene\naspirin\tB-Drug\n"


@pytest.mark.parametrize(
    ("types", "all_types", "support"),
    [
        ({}, False, 2),
        ({"mixed": ["Gene"]}, False, 1),
        ({"other": ["Gene"]}, False, 2),
        ({"mixed": ["Gene"]}, True, 2),
    ],
)
def test_gold_entities_are_of_the_types_that_the_run_kept(evaluate_stub, types, all_types, support):
    scores = evaluate_stub(CONTENT, types, all_types=all_types)
    assert scores["support"] == support
    assert (scores["predicted"], scores["correct"]) == (1, 1)


def test_renames_both_sides(evaluate_stub):
    scores = evaluate_stub(CONTENT, type_map=["Gene=Gene or drug", "Drug=Gene or drug"])
    assert list(scores["types"]) == ["Gene or drug"]
    assert (scores["support"], scores["predicted"], scores["correct"]) == (2, 1, 1)
    scores = evaluate_stub(CONTENT, type_map=["mixed:Gene="], calibration=True)
    assert (scores["support"], scores["predicted"]) == (1, 0)
    assert scores["calibration"]["entities"] == 0


def test_calibration_compares_spans_in_the_text(evaluate_stub):
    content = f"{CONTENT}\np53\tO\nx\tO\n\np53\tB-Gene\ngene\tI-Gene\n\nTAU\tB-Gene\n.\tO\n"
    found = evaluate_stub(content, calibration=True)["calibration"]
    # Two of four are right: the others are no entity, and too short.
    assert (found["entities"], found["error"]) == (4, 0.25)
    assert found["bins"][7] == {
        "low": 0.7,
        "high": 0.8,
        "entities": 4,
        "score": 0.75,
        "correct": 0.5,
    }


def test_documents_are_drawn_where_they_are_marked(evaluate_stub):
    marked = f"-DOCSTART-\tO\n\n{CONTENT}\n-DOCSTART-\tO\n\n{CONTENT}"
    assert evaluate_stub(marked)["draws"] == {"number": 1000, "of": "documents"}
    assert evaluate_stub(CONTENT, bootstrap=5)["draws"] == {"number": 5, "of": "sentences"}


@pytest.fixture
def warnings_of(evaluate_stub, tmp_path, caplog):
    """Returns a function that evaluates a file and returns what is warned of."""

    def warnings(content, types=(), **settings):
        evaluate_stub(content, types, **settings)
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


@pytest.mark.parametrize("name", ["Drug", ""])
def test_types_that_are_renamed_or_dropped_are_not_warned_of(warnings_of, name):
    assert warnings_of("p53\tB-Gene\nrat\tB-Species\n", type_map=[f"Species={name}"]) == []


def test_types_that_the_run_left_out_are_not_warned_of(warnings_of):
    assert warnings_of("p53\tB-Gene\nrat\tB-Species\n", {"mixed": ["Gene"]}) == []
