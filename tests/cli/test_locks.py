"""Two commands that write into one directory at once: one works, the other is told who does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.helpers.finished_run import shared_run
from tests.helpers.processes import wait_for
from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus


@pytest.mark.slow
@pytest.mark.parametrize(("command", "lock"), [("train", "train.lock"), ("export", "export.lock")])
def test_the_second_of_two_writers_is_refused(tmp_path_factory, tmp_path, command, lock):
    place = tmp_path / "place"
    if command == "train":
        write_corpus(tmp_path / "data", "genes", sentences=6)
        config = make_config(tmp_path / "data", ["genes"], "single_task", epochs=1)
        flags = flags_of(config, place)
    else:
        run_dir = shutil.copytree(shared_run(tmp_path_factory), tmp_path / "run")
        flags = [f"--run_dir={run_dir}", f"--export_dir={place}"]
    line = [sys.executable, "-m", f"bioner_tf.cli.{command}", *flags]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        wait_for(lambda: (place / lock).exists(), seconds=120)
        os.kill(first.pid, signal.SIGSTOP)
        try:
            second = subprocess.run(line, capture_output=True, text=True, check=False)
        finally:
            os.kill(first.pid, signal.SIGCONT)
        _, errors = first.communicate()
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith(f"error: {place}: expected to be the only process that writes")
    assert second.stderr.count("\n") == 1
    assert f"does: process {first.pid} on " in second.stderr
    assert first.returncode == 0, errors
    # The lock goes with its holder.
    assert not (place / lock).exists()
    if command == "export":
        assert [path.name for path in place.iterdir()] == ["1"]


@pytest.mark.slow
def test_a_killed_writer_holds_nothing(tmp_path_factory, tmp_path):
    run_dir = shutil.copytree(shared_run(tmp_path_factory), tmp_path / "run")
    place = tmp_path / "place"
    line = [sys.executable, "-m", "bioner_tf.cli.export"]
    line += [f"--run_dir={run_dir}", f"--export_dir={place}"]
    with subprocess.Popen(line) as first:
        wait_for(lambda: list(place.glob(".partial-*")), seconds=120)
        first.kill()
    assert (place / "export.lock").exists()
    (place / ".partial-removed-7").mkdir()
    subprocess.run(line, stdout=subprocess.DEVNULL, check=True)
    assert [path.name for path in place.iterdir()] == ["1"]
