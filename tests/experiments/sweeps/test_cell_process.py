from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from bioner_tf.experiments.sweeps.cell_process import (
    CellProcess,
    interrupted_by_sigterm,
    is_trained_by_another,
    stop_all,
)
from tests.helpers.processes import is_running, wait_for

HOLDER = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(60)
"""


def tethered(*command):
    return [sys.executable, "-m", "bioner_tf.experiments.sweeps.tether", *command]


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_tethered_program_is_the_same_program(tmp_path):
    (tmp_path / "program.py").write_text(
        "import sys\nprint(__name__, sys.argv)\nprint('told', file=sys.stderr)\nsys.exit(3)\n"
    )
    plain = run(sys.executable, "-m", "program", "--a=1", "b", cwd=tmp_path)
    command = tethered("program", "--a=1", "b")
    # The write end of this pipe stays open until the program has ended.
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.wait() == plain.returncode == 3
        assert (process.stdout.read(), process.stderr.read()) == (plain.stdout, plain.stderr)


def test_tethered_program_dies_with_its_holder(tmp_path):
    (tmp_path / "program.py").write_text(
        "import pathlib, time\npathlib.Path('began').touch()\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-c", HOLDER, *tethered("program")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as holder:
        child = int(holder.stdout.readline())
        wait_for((tmp_path / "began").exists)
        assert is_running(child)
        holder.kill()
    wait_for(lambda: not is_running(child))


def test_cell_is_anothers_for_as_long_as_its_process_lives(tmp_path):
    assert not is_trained_by_another(tmp_path / "cell")
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = CellProcess.start(tmp_path / "cell", sleep)
    assert is_trained_by_another(tmp_path / "cell")
    assert CellProcess.start(tmp_path / "cell", sleep) is None
    stop_all([process])
    assert process.finish() == "killed by SIGTERM"
    assert not is_trained_by_another(tmp_path / "cell")


def test_deaf_process_is_stopped_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("bioner_tf.experiments.sweeps.cell_process._GRACE_SECONDS", 0.1)
    deaf = (
        "import pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path('deaf').touch()\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", deaf]
    process = CellProcess.start(tmp_path / "cell", command, working_dir=tmp_path)
    wait_for((tmp_path / "deaf").exists)
    stop_all([process])
    assert process.popen.returncode == -signal.SIGKILL


def test_sigterm_interrupts_a_block_and_what_follows_is_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
