"""Commands with names outside ASCII, where neither the locale nor the output is UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import NamedTuple

import pytest

from bioner_tf.corpora.fetch import sources
from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus

ENVIRONMENTS = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}


class Case(NamedTuple):
    """A command and a text that it prints, or writes into a file as UTF-8.

    Attributes:
        flags: The command and its flags; ROOT is the directory of the corpora and runs.
        text: What it writes.
        file: Where to, in ROOT; None: standard output.
        is_data: Whether it is UTF-8 on standard output, too.
    """

    flags: tuple[str, ...]
    text: str
    file: str | None = None
    is_data: bool = False


TAG = ("tag", "--model=ROOT/čau", "--input=ROOT/text.txt")
QUICK = {
    "sweep": Case(("sweep", "--flagfile=ROOT/sweep-ť.flags"), "_gènes_"),
    "bioner": Case(("bioner", "partner", "--data_dir=ROOT/data", "--main=gènes"), "with gènes "),
}
SLOW = {
    "train": Case(("train", "--flagfile=ROOT/train-ť.flags"), "Žluť/čau: this run has ended"),
    "export": Case(
        ("export", "--run_dir=ROOT/čau", "--export_dir=ROOT/éxport"),
        "It was trained on gènes, žaludek",
        "éxport/1/README.md",
    ),
    "evaluate": Case(
        ("evaluate", "--model=ROOT/čau", "--corpus_file=ROOT/data/gènes/test.tsv"), "Gène"
    ),
    "predictions": Case(("evaluate", "--model=ROOT/čau/predictions/gènes.test.tsv"), "Gène"),
    "tag": Case(TAG, '"text": "Gèneα, Žluť"', is_data=True),
    "highlight": Case((*TAG, "--output_format=highlight"), "Žluť", is_data=True),
    "tag a file": Case((*TAG, "--output=ROOT/ťag.jsonl"), "Gèneα", "ťag.jsonl"),
    "embed": Case(
        ("embed", "--input=ROOT/text.txt", "--output=ROOT/č.bin", "--dim=2", "--min_count=1"),
        "Žluť",
        "č.bin",
    ),
    "report": Case(
        ("report", "--sweep_dir=ROOT", "--output=ROOT/réport.md", "--nopictures"),
        "gènes",
        "réport.md",
    ),
    "compare": Case(("compare", "--first=ROOT/čau", "--second=ROOT/čau"), "gènes"),
    "fetch": Case(
        ("fetch", "--what=glove", "--from=ROOT/mirror", "--data_dir=ROOT/fétched"), "Žluť"
    ),
    "demo": Case(("demo", "--data_dir=ROOT/ďemo"), "Žluť/ďemo"),
}


def run(root, environment, flags):
    """Runs a command as a user does; returns what it prints."""
    command, *flags = (flag.replace("ROOT", str(root)) for flag in flags)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"bioner_tf.cli.{command}", *flags],
        env={**os.environ, **ENVIRONMENTS[environment]},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def check(root, environment, case):
    written = run(root, environment, case.flags)
    encoding = "utf-8"
    if case.file is not None:
        written = (root / case.file).read_bytes()
    elif environment == "latin-1" and not case.is_data:
        encoding = "latin-1"
    assert case.text.encode(encoding, "backslashreplace") in written


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request):
    return request.param


@pytest.fixture(scope="module")
def root(environment, tmp_path_factory):
    root = tmp_path_factory.mktemp("locale") / "Žluť"
    write_inputs(root)
    return root


def write_inputs(root):
    for name in ("gènes", "žaludek"):
        write_corpus(root / "data", name, types=("Gène",))
    config = make_config(root / "data", ["gènes", "žaludek"], epochs=1)
    train = "\n".join(flags_of(config, root / "čau"))
    (root / "train-ť.flags").write_text(f"# žluť\n{train}\n", encoding="utf-8")
    sweep = f"--data_dir={root}/data\n--mains=gènes\n--structures=single_task\n--dry_run\n"
    (root / "sweep-ť.flags").write_text(f"# žluť\n{sweep}", encoding="utf-8")
    (root / "text.txt").write_text("Gèneα, Žluť\n" * 3, encoding="utf-8")
    (root / "mirror").mkdir()
    with zipfile.ZipFile(root / "mirror" / "glove.6B.zip", "w") as archive:
        for name, inside in sources()["glove"].files.items():
            archive.writestr(inside or name, "thé 1 2 3\n" * 20)


@pytest.fixture(scope="module")
def trained(environment, root):
    """The same directory with a run in it that was trained in the environment."""
    run(root, environment, ("train", "--flagfile=ROOT/train-ť.flags"))
    return root


@pytest.mark.parametrize("case", QUICK.values(), ids=QUICK)
def test_names_outside_ascii(root, environment, case):
    check(root, environment, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW.values(), ids=SLOW)
def test_names_outside_ascii_in_a_run(trained, environment, case):
    check(trained, environment, case)


def test_arguments_that_are_not_utf8_are_told(tmp_path):
    program = [sys.executable, "-W", "ignore", "-m", "bioner_tf.cli.report"]
    done = subprocess.run([*program, b"--sweep_dir=caf\xe9"], capture_output=True)
    assert done.returncode == 2
    assert done.stderr.startswith(
        b"error: expected arguments in UTF-8, got '--sweep_dir=caf\\udce9'"
    )
