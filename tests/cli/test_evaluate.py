"""``bioner-evaluate`` on a finished run: the numbers of its report, and what is refused."""

from __future__ import annotations

import json

import pytest

from bioner_tf.config import RunConfig
from bioner_tf.corpora.predictions import read_predictions
from bioner_tf.errors import UsageError
from bioner_tf.experiments import evaluate
from bioner_tf.scoring.metrics import score_tags
from tests.helpers.commands import run_commands
from tests.helpers.finished_run import CORPORA, shared_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """The directory of a finished run; tests must not write to it."""
    return shared_run(tmp_path_factory)


@pytest.fixture(scope="module")
def report(run_dir):
    return json.loads((run_dir / "report.json").read_text())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluate")


# Flags (RUN is the run, DATA holds its corpora, ROOT is a place to write to), and for what is
# refused the exit code and what the error says.
SCORES = {
    "all corpora": [
        "--model=RUN",
        "--data_dir=DATA",
        "--json=ROOT/all.json",
        "--predictions=ROOT/all",
    ],
    "a file": [
        "--model=RUN/export/1",
        "--corpus_file=DATA/mixed/devel.tsv",
        "--corpora=mixed",
        "--json=ROOT/file.json",
    ],
    "predictions": ["--model=RUN/predictions/genes.test.tsv", "--json=ROOT/predictions.json"],
    "another corpus": [
        "--model=RUN",
        "--data_dir=DATA",
        "--corpora=mixed",
        "--gold_corpora=genes,mixed",
        "--type_map=Gene=gene,Rare=,mixed:Drug=",
        "--calibration",
        "--predictions=ROOT/another",
        "--json=ROOT/another.json",
    ],
    "another model": [
        "--model=RUN",
        "--data_dir=DATA",
        "--corpora=genes",
        "--against=RUN",
        "--against_corpus=mixed",
        "--bootstrap=0",
        "--swaps=50",
        "--json=ROOT/against.json",
    ],
}
# The type that training does not have, by case.
WARNED_OF = {
    "all corpora": "DATA/genes/test.tsv:12: ",
    "a file": "",
    "predictions": "",
    "another corpus": "",
    "another model": "DATA/genes/test.tsv:12: ",
}
MISTAKES = {
    "no sentences": (2, ["--model=RUN"], ["--corpus_file or --data_dir", "neither"]),
    "unknown corpus": (
        2,
        ["--model=RUN", "--data_dir=DATA", "--corpora=gene"],
        ["--corpora: ", "genes, mixed", "'gene'"],
    ),
    "predictions and sentences": (
        2,
        ["--model=RUN/predictions/genes.test.tsv", "--data_dir=DATA"],
        ["--model: ", "--data_dir"],
    ),
    "gold without corpora": (
        2,
        ["--model=RUN", "--data_dir=DATA", "--gold_corpora=mixed"],
        ["--gold_corpora: ", "--corpora", "genes, mixed"],
    ),
    "no item of a type map": (
        2,
        ["--model=RUN", "--data_dir=DATA", "--type_map=Gene"],
        ["--type_map: ", "TYPE=NAME", "'Gene'"],
    ),
    "unknown type": (
        2,
        ["--model=RUN", "--data_dir=DATA", "--type_map=genes:Drug="],
        ["--type_map: ", "genes (Gene, Rare)", "'Drug'"],
    ),
    "unknown other corpus": (
        2,
        ["--model=RUN", "--data_dir=DATA", "--against=RUN", "--against_corpus=gene"],
        ["--against_corpus: ", "genes, mixed", "'gene'"],
    ),
    "calibration of a file": (
        2,
        ["--model=RUN/predictions/genes.test.tsv", "--calibration"],
        ["--calibration: ", "an export"],
    ),
    "no model": (1, ["--model=ROOT/none", "--data_dir=DATA"], ["ROOT/none: ", "exported tagger"]),
    "no export": (1, ["--model=DATA", "--data_dir=DATA"], ["DATA: ", "bioner-export"]),
}


@pytest.fixture(scope="module")
def fill(run_dir, root):
    """Replaces the placeholders of paths in a text."""
    data_dir = RunConfig.load(run_dir / "config.json").data.data_dir
    places = {"RUN": str(run_dir), "DATA": data_dir, "ROOT": str(root)}

    def fill(text):
        for name, place in places.items():
            text = text.replace(name, place)
        return text

    return fill


@pytest.fixture(scope="module")
def ended(root, fill):
    """How ``bioner-evaluate`` ended, by case."""
    lines = {**SCORES, **{name: flags for name, (_, flags, _) in MISTAKES.items()}}
    filled = [[fill(flag) for flag in flags] for flags in lines.values()]
    return dict(
        zip(lines, run_commands("evaluate", "bioner_tf.tagging.tagger", filled, root / "output"))
    )


@pytest.mark.parametrize("name", SCORES)
def test_ends_well_and_shows_tables(ended, fill, name):
    told = "the model was not trained on entities of the type Rare, so it misses all 7 of them\n"
    expected = WARNED_OF[name] and f"warning: {fill(WARNED_OF[name])}{told}"
    assert (ended[name].code, ended[name].err) == (0, expected)
    assert "token accuracy" in ended[name].out


def as_reported(scores):
    """The scores without what a report does not have; checks that this is there."""
    scores = dict(scores)
    assert set(scores.pop("relaxed")) == {"exact", "partial", "type"}
    assert scores.pop("draws") == {"number": 1000, "of": "sentences"}
    for place in (scores, *scores["types"].values()):
        low, high = place["intervals"]["f1"]
        assert low <= place["f1"] <= high
    types = {name: dict(found) for name, found in scores["types"].items()}
    for place in (scores, *types.values()):
        del place["intervals"]
    return {**scores, "types": types}


def as_reported_by_split(path):
    read = json.loads(path.read_text())
    return {
        corpus: {split: as_reported(scores) for split, scores in splits.items()}
        for corpus, splits in read.items()
    }


def test_scores_are_those_of_the_report(ended, root, report):
    scores = {name: {"test": splits["test"]} for name, splits in report["scores"].items()}
    assert as_reported_by_split(root / "all.json") == scores
    for name in CORPORA:
        assert f"{name}, test\n" in ended["all corpora"].out


def test_predictions_are_those_of_the_run(ended, root, run_dir):
    for name in CORPORA:
        written = (root / "all" / f"{name}.test.tsv").read_bytes()
        assert written == (run_dir / "predictions" / f"{name}.test.tsv").read_bytes()


def test_a_file_by_its_name(ended, root, report):
    expected = {"mixed": {"devel.tsv": report["scores"]["mixed"]["devel"]}}
    assert as_reported_by_split(root / "file.json") == expected


def test_a_file_of_predictions_as_it_stands(ended, root, report):
    expected = {"genes": {"test": report["scores"]["genes"]["test"]}}
    assert as_reported_by_split(root / "predictions.json") == expected


def test_another_corpus_under_common_names(ended, root):
    scores = json.loads((root / "another.json").read_text())["mixed"]
    assert list(scores) == ["genes.test", "test"]
    assert "mixed, genes.test\n" in ended["another corpus"].out
    assert "expected calibration error" in ended["another corpus"].out
    for split, found in scores.items():
        assert list(found["types"]) == ["gene"]
        assert found["support"] > 0
        # The entities of the text are those of the tokens.
        assert found["calibration"]["entities"] == found["predicted"]
        # A file of these predictions gives the same scores: it holds the new names.
        tagged = read_predictions(root / "another" / f"mixed.{split}.tsv")
        gold, predicted = [s.gold for s in tagged], [s.predicted for s in tagged]
        assert score_tags(gold, predicted).micro.to_json().items() <= found.items()


def test_another_model_by_another_corpus(ended, root):
    found = json.loads((root / "against.json").read_text())["genes"]["test"]
    assert {"relaxed", "against"} <= set(found)
    assert "intervals" not in found
    assert set(found["against"]) == {"precision", "recall", "f1"}


@pytest.mark.parametrize("name", sorted(set(MISTAKES) - {"no export", "no model"}))
def test_a_mistake_is_told_before_a_model_is_loaded(run_dir, fill, monkeypatch, name):
    def load(_):
        raise AssertionError

    monkeypatch.setattr(evaluate, "_load", load)
    fields = {flag[2:].partition("=")[0]: flag.partition("=")[2] for flag in MISTAKES[name][1]}
    for listed in ("corpora", "gold_corpora", "type_map"):
        fields.update({listed: fields[listed].split(",")} if listed in fields else {})
    fields.update({"calibration": True} if "calibration" in fields else {})
    fields = {n: fill(v) if isinstance(v, str) else v for n, v in fields.items()}
    with pytest.raises(UsageError):
        list(evaluate.evaluate(evaluate.Evaluation(**fields)))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(ended, fill, name):
    code, _, told = MISTAKES[name]
    assert (ended[name].code, ended[name].out) == (code, ""), ended[name].err
    assert ended[name].err.startswith("error: ")
    assert ended[name].err.endswith("\n")
    assert ended[name].err.count("\n") == 1
    for words in told:
        assert fill(words) in ended[name].err
