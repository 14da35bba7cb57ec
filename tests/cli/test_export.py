"""``bioner-export`` as a user runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from bioner_tf.config import parse_temperature
from bioner_tf.errors import UsageError
from tests.helpers.finished_run import shared_run


@pytest.mark.parametrize(("value", "number"), [("auto", None), ("1.5", 1.5), ("2", 2.0)])
def test_reads_a_temperature(value, number):
    assert parse_temperature(value) == number


@pytest.mark.parametrize("value", ["", "0", "-1", "nan", "inf", "hot"])
def test_refuses_what_is_no_temperature(value):
    with pytest.raises(UsageError, match="--temperature: expected auto or a number above 0"):
        parse_temperature(value)


def test_the_same_weights_give_the_same_bytes_wherever_the_run_is(tmp_path_factory, tmp_path):
    run_dirs = [tmp_path / "run", tmp_path / "moved" / "to another place"]
    for run_dir in run_dirs:
        shutil.copytree(shared_run(tmp_path_factory), run_dir)
        shutil.rmtree(run_dir / "export")
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "bioner_tf.cli.export", f"--run_dir={run_dir}"],
            stdout=subprocess.DEVNULL,
        )
        for run_dir in run_dirs
    ]
    assert [command.wait() for command in commands] == [0, 0]
    here, there = (
        {
            str(path.relative_to(run_dir)): path.read_bytes()
            for path in (run_dir / "export").rglob("*")
            if path.is_file()
        }
        for run_dir in run_dirs
    )
    assert "export/1/saved_model.pb" in here
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
