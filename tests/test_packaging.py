from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bioner_tf
from bioner_tf.cli.bioner import COMMANDS


@pytest.fixture(scope="module")
def built(repository, tmp_path_factory):
    """What `pip install .` would install, and the metadata, without pip and without network."""
    target = tmp_path_factory.mktemp("built")
    commands = [
        ["egg_info", f"--egg-base={target}"],
        ["build", f"--build-base={target / 'build'}", f"--build-lib={target / 'lib'}"],
    ]
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", *commands[0], *commands[1]],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    return target


def test_only_the_package_is_installed(built):
    assert [path.name for path in (built / "lib").iterdir()] == ["bioner_tf"]


def test_every_module_and_data_file_is_installed(built, repository):
    source = repository / "bioner_tf"
    expected = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | {Path("data/flags", path.name) for path in (repository / "flags").iterdir()}
    installed = built / "lib" / "bioner_tf"
    found = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    assert found == expected


def test_installed_commands_find_the_flagfiles_in_any_directory(built, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bioner_tf.cli.train", "--flagfile=flags/demo.flags"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(built / "lib")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    # The directory that the flagfile names.
    assert done.stderr.startswith("error: demo: expected a directory of corpora")


def test_version_is_the_packages_own(built):
    metadata = (built / "bioner_tf.egg-info" / "PKG-INFO").read_text(encoding="utf-8")
    assert f"\nVersion: {bioner_tf.__version__}\n" in metadata
    python = re.search(r"^Requires-Python: (.+)$", metadata, re.MULTILINE)[1]
    assert set(python.replace(" ", "").split(",")) == {">=3.9", "<3.12"}


def test_every_command_leads_to_an_entry(built, repository):
    scripts = configparser.ConfigParser()
    scripts.read(built / "bioner_tf.egg-info" / "entry_points.txt", encoding="utf-8")
    assert dict(scripts["console_scripts"]) == {
        "bioner": "bioner_tf.cli.bioner:entry",
        **{f"bioner-{command}": f"bioner_tf.cli.{command}:entry" for command in COMMANDS},
    }
    for command in COMMANDS:
        path = repository / "bioner_tf" / "cli" / f"{command}.py"
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert "main" in {node.name for node in body if isinstance(node, ast.FunctionDef)}
        assigned = {ast.unparse(node) for node in body if isinstance(node, ast.Assign)}
        assert "entry = app.command(main)" in assigned


def test_changelog_tells_of_this_version(repository):
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {bioner_tf.__version__}" in changelog
