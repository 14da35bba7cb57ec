from __future__ import annotations

import subprocess
import sys

import pytest

import bioner_tf
from bioner_tf.cli.bioner import COMMANDS


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bioner_tf.cli.bioner", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]], ids=" ".join)
def test_commands_are_listed_with_a_line_each(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.split("\n")
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == COMMANDS
    assert all(len(line) <= 110 for line in lines)
    width = max(map(len, COMMANDS))
    assert f"  {'demo':<{width}}  Writes two small corpora of our own " in done.stdout


def test_command_is_run_with_its_own_flags(tmp_path):
    done = run("demo", f"--data_dir={tmp_path}/demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "demo/demo-genes").is_dir()
    shown = run("tag", "--help")
    assert "usage: bioner tag [--flag=value ...]" in shown.stdout
    assert "--output_format" in shown.stdout
    done = run("train", "stray")
    assert done.returncode == 2
    assert done.stderr.endswith("(see bioner train --help)\n")


@pytest.mark.parametrize("command", ["nonsense", "app", "bioner", "__init__", "../cli/demo", ""])
def test_unknown_command_is_one_line_and_code_2(command):
    done = run(command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: expected a command (compare, demo, ")
    assert done.stderr.endswith(f"), got {command!r} (see bioner --help)\n")


def test_unknown_flag_is_one_line_and_code_2():
    done = run("--nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nonsense" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--version"], ["tag", "--version"]], ids=" ".join)
def test_version(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"bioner_tf {bioner_tf.__version__}\n"
