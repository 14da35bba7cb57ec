from __future__ import annotations

import fcntl
import json
import os
import signal
import sys

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.cell_process import TRAINER
from bioner_tf.experiments.sweeps.cell_state import BUSY, FINISHED
from bioner_tf.experiments.sweeps.cell_task import Task, follow_cell
from bioner_tf.experiments.sweeps.plan import Plan
from tests.helpers import fake_trainer
from tests.helpers.run_records import write_run

FAKE_TRAINER = (sys.executable, fake_trainer.__file__)


def cell_of(main):
    return Plan(structures=["single_task"], mains=[main], epochs=2).cells()[0]


def task_of(directory, trainer=FAKE_TRAINER, **changes):
    for main in ("a", "bad", "slow"):
        (directory / cell_of(main).name).mkdir(exist_ok=True)
    settings = {
        "sweep_dir": directory,
        "working_dir": str(directory),
        "data_dir": "data",
        "vectors_dir": "vectors",
        "cell_cores": 2,
        "cell_gpus": 0.0,
        "trainer": trainer,
    }
    return Task(**{**settings, **changes})


def test_cell_goes_on_after_the_epochs_of_an_earlier_start(tmp_path):
    cell = cell_of("a")
    write_run(tmp_path / cell.name, corpora=("a",), f1=None, epochs=2, epochs_done=1)
    assert follow_cell(cell, task_of(tmp_path)) == FINISHED
    lines = (tmp_path / cell.name / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert (tmp_path / cell.name / "console.log").read_text() == "went on after 1\n"


def test_finished_cell_is_not_started(tmp_path):
    cell = cell_of("a")
    write_run(tmp_path / cell.name, corpora=("a",), epochs=2)
    assert follow_cell(cell, task_of(tmp_path, trainer=["/nonexistent"])) == FINISHED


def test_failure_is_an_error_and_recorded(tmp_path):
    cell = cell_of("bad")
    with pytest.raises(BionerError, match=r"^bad/train.tsv:7: expected a tag \(exit code 1\)$"):
        follow_cell(cell, task_of(tmp_path))
    failure = json.loads((tmp_path / cell.name / "failure.json").read_text())
    assert failure["error"] == "bad/train.tsv:7: expected a tag (exit code 1)"


def test_process_of_another_is_left_alone(tmp_path):
    cell = cell_of("a")
    task = task_of(tmp_path)
    with (tmp_path / cell.name / "sweep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert follow_cell(cell, task, lock_seconds=0.0) == BUSY
    # We get the lock if it is free in time: the process of an earlier try needs time to die.
    assert follow_cell(cell, task) == FINISHED


def test_machine_that_shares_nothing_is_told(tmp_path):
    task = task_of(tmp_path, sweep_dir=tmp_path / "elsewhere")
    with pytest.raises(BionerError, match=r"expected .*elsewhere.*, from a file system that all"):
        follow_cell(cell_of("a"), task)
    assert not (tmp_path / "elsewhere").exists()


def test_nothing_is_left_behind_when_the_watching_ends(tmp_path):
    cell = cell_of("slow")

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            follow_cell(cell, task_of(tmp_path))
    finally:
        signal.signal(signal.SIGALRM, before)
    with (tmp_path / cell.name / "sweep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


ENVIRONMENT = (
    "import json, os, sys\n"
    "print(json.dumps([os.environ.get('CUDA_VISIBLE_DEVICES'), os.getcwd(), sys.argv[1:]]))\n"
)


@pytest.mark.parametrize(("gpus", "devices"), [(0.0, "-1"), (1.0, "5")], ids=["without", "with"])
def test_process_gets_what_the_cell_asked_for(tmp_path, monkeypatch, gpus, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    trainer = (sys.executable, "-c", ENVIRONMENT)
    cell = cell_of("a")
    follow_cell(cell, task_of(tmp_path, trainer, cell_gpus=gpus))
    told = json.loads((tmp_path / cell.name / "console.log").read_text())
    assert told[:2] == [devices, os.path.realpath(tmp_path)]
    # The same command as without Ray, except for --cores.
    plain = cell.arguments("data", "vectors", str(tmp_path / cell.name))
    assert told[2] == [*plain, "--cores=2"]


def test_trainer_is_bioner_train_of_the_machines_own_python(tmp_path):
    command = task_of(tmp_path, trainer=None).command(cell_of("a"))
    assert command[: len(TRAINER)] == list(TRAINER)
