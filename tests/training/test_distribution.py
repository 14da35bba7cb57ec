"""Two devices and two workers against the same step computed by hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus

TIMEOUT = 180

PROGRAM = "tests.helpers.distributed_training"


def start(repository: Path, kind: str, path: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.helpers.distributed_training",
            kind,
            str(path),
        ],
        cwd=repository,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def expected(repository: Path, tmp_path_factory) -> list[np.ndarray]:
    path = tmp_path_factory.mktemp("reference") / "weights.npz"
    finish(start(repository, "reference", path))
    return list(np.load(path).values())


def check(path: Path, expected: list[np.ndarray]) -> None:
    actual = list(np.load(path).values())
    assert len(actual) == len(expected)
    for ours, reference in zip(actual, expected):
        np.testing.assert_allclose(ours, reference, atol=1e-4)


@pytest.mark.slow
def test_two_mirrored_devices_take_the_mean_step(repository, tmp_path, expected) -> None:
    path = tmp_path / "weights.npz"
    finish(start(repository, "mirrored", path))
    check(path, expected)


@pytest.mark.slow
def test_two_workers_take_the_mean_step_and_stay_equal(repository, tmp_path, expected) -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("localhost", 0))
        second.bind(("localhost", 0))
        workers = [f"localhost:{s.getsockname()[1]}" for s in (first, second)]
    paths = [tmp_path / f"{index}.npz" for index in range(2)]
    processes = [
        start(
            repository,
            "multiworker",
            path,
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index, path in enumerate(paths)
    ]
    for process in processes:
        finish(process)
    for path in paths:
        check(path, expected)


MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from bioner_tf.cli import train
train.entry()
"""


@pytest.mark.slow
def test_a_mirrored_run_ends_and_goes_on(tmp_path) -> None:
    write_corpus(tmp_path / "data", "genes")
    for epochs in (2, 3):
        config = make_config(
            tmp_path / "data", ["genes"], "single_task", epochs=epochs, distribute="mirrored"
        )
        flags = flags_of(config, tmp_path / "run")
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", MIRRORED, *flags],
            stderr=subprocess.PIPE,
            text=True,
        )
        finish(process)
        records = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in records] == list(range(1, epochs + 1))
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["epochs"] == 3
    assert set(report["scores"]["genes"]) == {"devel", "test"}
