"""The tutorial, its notebook and the FAQ: their code runs, and the commands have their flags."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bioner_tf.cli.bioner import COMMANDS
from bioner_tf.errors import BionerError
from bioner_tf.tagging.bundled import find_bundled
from tests.helpers.notebook import NOTEBOOK, TUTORIAL, split_document, to_notebook

FAQ = TUTORIAL.with_name("faq.md")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty working directory in which the commands can be called by their names."""
    try:
        find_bundled()
    except BionerError as error:
        pytest.skip(str(error))
    programs = tmp_path / "bin"
    programs.mkdir()
    for command in COMMANDS:
        program = programs / f"bioner-{command}"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bioner_tf.cli.{command} "$@"\n')
        program.chmod(0o755)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "work"


def run_blocks(document: Path) -> None:
    names: dict[str, object] = {}
    for part in split_document(document.read_text(encoding="utf-8")):
        if part.language == "sh":
            subprocess.run(["bash", "-euo", "pipefail", "-c", part.text], check=True)
        elif part.language == "python":
            exec(part.text, names)


def test_the_notebook_is_the_tutorial():
    expected = to_notebook(TUTORIAL.read_text(encoding="utf-8"))
    # If it differs: python -m tests.helpers.notebook
    assert NOTEBOOK.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("document", [TUTORIAL, FAQ], ids=lambda path: path.stem)
def test_python_blocks_are_python(document):
    blocks = [p for p in split_document(document.read_text("utf-8")) if p.language == "python"]
    assert len(blocks) >= 4
    for block in blocks:
        compile(block.text, document.name, "exec")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_flags_that_documents_give_a_command_exist(repository, command):
    pattern = rf"bioner-{command}\b((?:[^\n`|;]|\\\n)*)"
    used = set()
    for document in [repository / "README.md", *(repository / "docs").glob("*.md")]:
        for arguments in re.findall(pattern, document.read_text(encoding="utf-8")):
            used |= set(re.findall(r"(?<=\s)--(\w+)", arguments))
    shown = subprocess.run(
        [sys.executable, "-m", f"bioner_tf.cli.{command}", "--helpfull"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = set(re.findall(r"^\s*-{1,2}(?:\[no\])?(\w+)", shown, re.MULTILINE))
    negated = {f"no{name}" for name in known}
    assert used - known - negated - {"helpfull", "help", "version"} == set()


def test_the_faqs_code_runs(workplace, capsys):
    run_blocks(FAQ)
    shown = capsys.readouterr().out
    assert "['IL', '-', '2', '(', '5', 'µg', '/', 'ml', ')']" in shown
    assert "0 9 Metformin Chemical" in shown


@pytest.mark.slow
def test_the_tutorials_code_runs(workplace, capfd):
    run_blocks(TUTORIAL)
    shown = capfd.readouterr().out
    assert "BRCA1\tB-Gene\ncauses\tO\nbreast\tB-Disease\ncancer\tI-Disease\n" in shown
    table = (workplace / "table.csv").read_text(encoding="utf-8")
    assert table.startswith("type,name,abstracts,PMIDs\n")
    assert "Gene,brca1,1,1\n" in table
    assert (workplace / "runs" / "own" / "report.json").exists()
    assert (workplace / "models" / "own" / "1").is_dir()


@pytest.mark.slow
def test_the_notebook_runs(workplace):
    nbformat = pytest.importorskip("nbformat", reason="nbformat (the extra docs) is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient (the extra docs) is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel (the extra docs) is not installed")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    assert (workplace / "models" / "own" / "1").is_dir()
