"""``bioner-train --distribute`` as a user runs it, on two devices and with two workers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.training.distribution import distribute, is_chief
from tests.helpers.commands import run_commands
from tests.helpers.processes import wait_for
from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus
from tests.helpers.workers import files_of, tf_configs, training_workers, wait_for_all

# At most; two workers on two free cores need about one minute.
SECONDS = 900


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    for name in ("genes", "drugs"):
        write_corpus(path, name, sentences=24)
    return path


def flags(data_dir, run_dir, distribute, epochs=2):
    config = make_config(data_dir, ["genes", "drugs"], epochs=epochs, distribute=distribute)
    return flags_of(config, run_dir)


def epochs_of(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["epoch"] for line in lines]


def scores_of(run_dir):
    return json.loads((run_dir / "report.json").read_text())["scores"]


MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from bioner_tf.cli import train
train.entry()
"""


@pytest.mark.slow
def test_a_mirrored_run_ends_and_goes_on(data_dir, tmp_path):
    for epochs in (2, 3):
        line = flags(data_dir, tmp_path / "run", "mirrored", epochs)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MIRRORED, *line],
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        assert epochs_of(tmp_path / "run") == list(range(1, epochs + 1))
    assert set(scores_of(tmp_path / "run")["genes"]) == {"devel", "test"}


def train_one_worker(data_dir, path, monkeypatch, kinds):
    """Trains a small run of one epoch of each kind; returns their checkpoints."""
    monkeypatch.setenv("TF_CONFIG", *tf_configs(1))
    lines = []
    for kind in kinds:
        config = make_config(data_dir, ["genes"], "single_task", epochs=1, distribute=kind)
        lines.append(flags_of(config, path / kind))
    for ended in run_commands("train", "bioner_tf.training.run", lines, path / "out"):
        assert (ended.code, ended.err) == (0, "")
    return [files_of(path / kind / "checkpoints" / "epoch-0001") for kind in kinds]


@pytest.mark.slow
def test_one_worker_trains_and_scores(data_dir, tmp_path, monkeypatch):
    train_one_worker(data_dir, tmp_path, monkeypatch, ["multiworker"])
    assert set(scores_of(tmp_path / "multiworker")["genes"]) == {"devel", "test"}


@pytest.mark.slow
def test_one_worker_trains_as_one_process_does(data_dir, tmp_path, monkeypatch):
    one, other = train_one_worker(data_dir, tmp_path, monkeypatch, ["none", "multiworker"])
    assert one == other


@pytest.fixture(scope="module")
def undisturbed(data_dir, tmp_path_factory):
    """The directory of a run of two workers to which nothing happened."""
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    with training_workers([flags(data_dir, run_dir, "multiworker")] * 2) as workers:
        assert [(e.code, e.err) for e in wait_for_all(workers, SECONDS)] == [(0, "")] * 2
    return run_dir


@pytest.mark.slow
def test_two_workers_train_score_and_report(undisturbed):
    assert epochs_of(undisturbed) == [1, 2]
    record = json.loads((undisturbed / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["genes/devel_f1"] == scores_of(undisturbed)["genes"]["devel"]["f1"] > 0
    assert [path.name for path in (undisturbed / "export").iterdir()] == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [[0], [1], [0, 1]], ids=["chief", "other worker", "both"])
def test_killed_workers_go_on_to_the_same_weights(data_dir, undisturbed, tmp_path, killed):
    run_dir = tmp_path / "run"
    line = flags(data_dir, run_dir, "multiworker")
    with training_workers([line, line]) as workers:
        wait_for((run_dir / "checkpoints" / "epoch-0001").exists, SECONDS)
        time.sleep(0.2)
        for number in killed:
            workers[number].send_signal(signal.SIGKILL)
        ended = wait_for_all(workers, SECONDS)
    assert not (run_dir / "report.json").exists()
    for number, (code, _, error) in enumerate(ended):
        if number in killed:
            assert code == -signal.SIGKILL
        elif 0 not in killed:
            assert (code, error.count("\n")) == (1, 1), error
            assert error.startswith("error: --distribute: expected an answer of every worker")
        else:
            # TensorFlow itself may end the other workers when the chief is gone.
            assert code != 0
    with training_workers([line, line]) as workers:
        ended = wait_for_all(workers, SECONDS)
    assert [(code, error) for code, _, error in ended] == [(0, "")] * 2
    assert all("going on after epoch 1" in out for _, out, _ in ended)
    one, other = (files_of(path / "checkpoints" / "epoch-0002") for path in (undisturbed, run_dir))
    assert one == other
    assert scores_of(run_dir) == scores_of(undisturbed)


@pytest.mark.slow
def test_workers_with_directories_of_their_own_are_refused(data_dir, undisturbed, tmp_path):
    lines = [
        flags(data_dir, path, "multiworker", epochs=3) for path in (undisturbed, tmp_path / "other")
    ]
    with training_workers(lines) as workers:
        ended = wait_for_all(workers, SECONDS)
    for code, _, error in ended:
        assert (code, error.count("\n")) == (1, 1)
        assert error.startswith("error: --run_dir: expected the same directory for every worker")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("junk", "Expecting value"),
        ('{"cluster": 3}', "must be a dictionary"),
        ('{"cluster": {"worker": ["a:1"]}}', "must also specify `task_type`"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 5}}', "exceeds"),
    ],
)
def test_a_malformed_tf_config_is_told_in_one_line(monkeypatch, config, told):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(BionerError) as error:
        distribute("multiworker")
    assert str(error.value).startswith("TF_CONFIG: expected JSON like")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("jobs", "task", "expected"),
    [
        (["worker"], ("worker", 0), True),
        (["worker"], ("worker", 1), False),
        (["chief", "worker"], ("chief", 0), True),
        (["chief", "worker"], ("worker", 0), False),
        ([], None, True),
    ],
)
def test_one_worker_is_the_chief(monkeypatch, jobs, task, expected):
    config = {"cluster": {job: ["a:1", "b:1"] for job in jobs}}
    if task:
        config["task"] = dict(zip(("type", "index"), task))
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert is_chief("multiworker") is expected
