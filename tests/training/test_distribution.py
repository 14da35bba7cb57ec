"""Two devices and two workers against the same step computed by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.training.distribution import require_deterministic_operations
from tests.helpers.workers import tf_configs

TIMEOUT = 180


@pytest.mark.parametrize("devices", [[], ["GPU:0"]], ids=["no GPU", "a GPU"])
def test_operations_are_deterministic_where_there_is_a_gpu(monkeypatch, devices) -> None:
    calls = []
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: devices if kind == "GPU" else ["CPU:0"]
    )
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: calls.append("enabled")
    )
    require_deterministic_operations()
    assert calls == ["enabled"] * len(devices)


def start(repository: Path, kind: str, path: Path, **environment: str) -> subprocess.Popen:
    program = "tests.helpers.distributed_training"
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", program, kind, str(path)],
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
    paths = [tmp_path / f"{index}.npz" for index in range(2)]
    processes = [
        start(repository, "multiworker", path, TF_CONFIG=config)
        for path, config in zip(paths, tf_configs(2))
    ]
    for process in processes:
        finish(process)
    for path in paths:
        check(path, expected)
