"""``bioner-evaluate`` on a finished run: the numbers of its report, and what is refused."""

from __future__ import annotations

import json

import pytest

from bioner_tf.config import RunConfig
from tests.helpers.commands import run_commands
from tests.helpers.finished_run import CORPORA, shared_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """The directory of a finished run; not to be written to."""
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
}
# The type that training does not have, by case.
WARNED_OF = {"all corpora": "DATA/genes/test.tsv:12: ", "a file": "", "predictions": ""}
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
    "no model": (1, ["--model=ROOT/none", "--data_dir=DATA"], ["ROOT/none: ", "exported tagger"]),
    "no export": (1, ["--model=DATA", "--data_dir=DATA"], ["DATA: ", "bioner-export"]),
}


@pytest.fixture(scope="module")
def fill(run_dir, root):
    """Puts the real places into a text."""
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


def test_scores_are_those_of_the_report(ended, root, report):
    scores = {name: {"test": splits["test"]} for name, splits in report["scores"].items()}
    assert json.loads((root / "all.json").read_text()) == scores
    for name in CORPORA:
        assert f"{name}, test\n" in ended["all corpora"].out


def test_predictions_are_those_of_the_run(ended, root, run_dir):
    for name in CORPORA:
        written = (root / "all" / f"{name}.test.tsv").read_bytes()
        assert written == (run_dir / "predictions" / f"{name}.test.tsv").read_bytes()


def test_a_file_by_its_name(ended, root, report):
    expected = {"mixed": {"devel.tsv": report["scores"]["mixed"]["devel"]}}
    assert json.loads((root / "file.json").read_text()) == expected


def test_a_file_of_predictions_as_it_stands(ended, root, report):
    expected = {"genes": {"test": report["scores"]["genes"]["test"]}}
    assert json.loads((root / "predictions.json").read_text()) == expected


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(ended, fill, name):
    code, _, told = MISTAKES[name]
    assert (ended[name].code, ended[name].out) == (code, ""), ended[name].err
    assert ended[name].err.startswith("error: ")
    assert ended[name].err.endswith("\n")
    assert ended[name].err.count("\n") == 1
    for words in told:
        assert fill(words) in ended[name].err
