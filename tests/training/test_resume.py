"""A run that is killed at any instant and started again ends like one that was not killed.

Every process here is a real ``bioner-train``, killed by SIGKILL at an exact moment: the child
patches the function in which it is to die.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bioner_tf.config import RunConfig
from tests.helpers.outcomes import assert_same_outcome, outcome
from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus

pytestmark = pytest.mark.slow

EPOCHS = 3

# Kills the process at a call of a function whose arguments contain a text: the so-manieth such
# call, before or after its work.
CHILD = """
import importlib, os, signal, sys

def kill_at(where, text, call, when):
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), []
    def patched(*args, **kwargs):
        calls.extend([args] if text in str(args) else [])
        dies = text in str(args) and len(calls) == call
        if dies and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, patched)

if sys.argv[1]:
    where, text, call, when = sys.argv[1].split("|")
    kill_at(where, text, int(call), when)
del sys.argv[1]
from bioner_tf.cli import train
train.entry()
"""


def start(config: RunConfig, run_dir: Path, moment: str = "", **environment: str):
    """Starts ``bioner-train``, which is killed at ``moment`` if that is given."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, moment, *flags_of(config, run_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def train(config: RunConfig, run_dir: Path, **environment: str) -> str:
    """Trains to the end; returns what was printed, on stderr first."""
    process = start(config, run_dir, **environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return err + out


def killed(config: RunConfig, run_dir: Path, moment: str) -> None:
    """Trains until ``moment``, which must be reached."""
    process = start(config, run_dir, moment)
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, f"{moment}: {process.returncode} {err}"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("corpora")
    write_corpus(directory, "genes")
    write_corpus(directory, "mixed", types=("Gene", "Drug"), scheme="IOBES", sentences=11)
    return directory


@pytest.fixture(scope="module")
def config(data_dir):
    return make_config(data_dir, ["genes", "mixed"], epochs=EPOCHS, average_decay=0.5)


@pytest.fixture(scope="module")
def small_config(data_dir):
    """A run that starts in half the time, for tests that do not depend on the structure."""
    return make_config(data_dir, ["genes"], "single_task", epochs=EPOCHS)


@pytest.fixture(scope="module")
def undisturbed(config, tmp_path_factory):
    """The directory and the outcome of a run that was not killed."""
    return run_undisturbed(config, tmp_path_factory)


@pytest.fixture(scope="module")
def small_undisturbed(small_config, tmp_path_factory):
    """The same for the small run."""
    return run_undisturbed(small_config, tmp_path_factory)


def run_undisturbed(config, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    # Nothing on stderr.
    assert train(config, run_dir).startswith("trainable parameters\n")
    return run_dir, outcome(run_dir)


def test_two_runs_on_one_machine_are_the_same_to_the_bit(config, undisturbed, tmp_path):
    # Nothing may hang on the order of a set, which Python draws anew in every process.
    train(config, tmp_path / "run", PYTHONHASHSEED="7")
    assert_same_outcome(tmp_path / "run", undisturbed[1])


EPOCH_MOMENTS = [
    "os:replace|vocabulary/characters.txt|1|before",
    "bioner_tf.training.callbacks.progress:TrainingProgress.on_train_batch_end||2|before",
    "os:replace|metrics.jsonl|1|before",
    "tensorflow:raw_ops.SaveV2||1|before",
    "os:replace|checkpoints/epoch-0001|1|before",
    "os:replace|checkpoints/epoch-0001|1|after",
    "bioner_tf.training.callbacks.progress:TrainingProgress.on_train_batch_end||3|before",
    "tensorflow:raw_ops.SaveV2||1|after",
    "bioner_tf.training.callbacks.progress:TrainingProgress.on_train_batch_end||5|before",
]
END_MOMENTS = [
    "os:replace|predictions/genes.test.tsv|1|before",
    "tensorflow:saved_model.save||1|after",
    "os:replace|export/1|1|before",
    "os:replace|export/1|1|after",
    # Between the two renames that replace the export that stands there now.
    "os:replace|.partial-old-1|1|after",
    "os:replace|report.json|1|before",
]


def test_killed_again_and_again_while_it_trains(config, undisturbed, tmp_path):
    for moment in EPOCH_MOMENTS:
        killed(config, tmp_path / "run", moment)
    train(config, tmp_path / "run")
    assert_same_outcome(tmp_path / "run", undisturbed[1])


def test_killed_again_and_again_while_it_ends(small_config, small_undisturbed, tmp_path):
    for moment in END_MOMENTS:
        killed(small_config, tmp_path / "run", moment)
        assert not (tmp_path / "run" / "report.json").exists()
    train(small_config, tmp_path / "run")
    assert_same_outcome(tmp_path / "run", small_undisturbed[1])
    assert [path.name for path in (tmp_path / "run" / "export").glob("[0-9]")] == ["1"]


def test_killed_while_old_checkpoints_are_removed(data_dir, tmp_path):
    # Where the last epoch counts, the third one removes the first.
    config = make_config(
        data_dir,
        ["genes", "mixed"],
        "adversarial",
        epochs=EPOCHS,
        crf="pairwise",
        train_on="train,devel",
    )
    train(config, tmp_path / "undisturbed")
    killed(config, tmp_path / "run", "tensorflow:raw_ops.SaveV2||2|before")
    killed(config, tmp_path / "run", "os:unlink|state|1|after")
    checkpoints = tmp_path / "run" / "checkpoints"
    assert len(list((checkpoints / ".partial-removed-epoch-0001").iterdir())) == 1
    assert not (checkpoints / "epoch-0001").exists()
    train(config, tmp_path / "run")
    assert {path.name for path in checkpoints.iterdir()} == {"epoch-0002", "epoch-0003"}
    assert_same_outcome(tmp_path / "run", outcome(tmp_path / "undisturbed"))


def test_killed_at_random(config, undisturbed, tmp_path):
    moments = random.Random(1)
    for _ in range(3):
        process = start(config, tmp_path / "run")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=moments.uniform(5, 15))
        process.kill()
        process.communicate()
    train(config, tmp_path / "run")
    assert_same_outcome(tmp_path / "run", undisturbed[1])


def test_more_epochs_go_on_with_a_finished_run(small_config, small_undisturbed, tmp_path):
    shorter = dataclasses.replace(
        small_config, training=dataclasses.replace(small_config.training, epochs=1)
    )
    train(shorter, tmp_path / "run")
    assert "going on after epoch 1" in train(small_config, tmp_path / "run")
    assert_same_outcome(tmp_path / "run", small_undisturbed[1])
    # What may be served already stays as it was.
    exports = [path.name for path in (tmp_path / "run" / "export").iterdir()]
    assert sorted(exports) == ["1", "2"]


DATA = "state.data-00000-of-00001"


def empty(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()


def truncate(checkpoint: Path) -> None:
    os.truncate(checkpoint / DATA, (checkpoint / DATA).stat().st_size // 2)


def flip(checkpoint: Path) -> None:
    content = bytearray((checkpoint / DATA).read_bytes())
    content[len(content) // 3] ^= 4
    (checkpoint / DATA).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "epochs"),
    [(empty, [3]), (truncate, [3]), (flip, [3, 2]), (flip, [1, 2, 3])],
    ids=["newest empty", "newest too short", "two newest changed", "all changed"],
)
def test_damaged_checkpoints(small_config, small_undisturbed, tmp_path, damage, epochs):
    run_dir = tmp_path / "run"
    shutil.copytree(small_undisturbed[0], run_dir)
    # Killed before the report, all else is there.
    (run_dir / "report.json").unlink()
    there = {path.name for path in (run_dir / "checkpoints").iterdir()}
    damaged = [f"epoch-{epoch:04}" for epoch in epochs if f"epoch-{epoch:04}" in there]
    for name in damaged:
        damage(run_dir / "checkpoints" / name)
    printed = train(small_config, run_dir)
    lines = [line for line in printed.splitlines() if "expected a whole checkpoint" in line]
    assert len(lines) == len(damaged)
    for name, line in zip(sorted(damaged, reverse=True), lines):
        assert f"{run_dir}/checkpoints/{name}: " in line
        assert line.endswith(f"set aside as damaged-{name}, going back to the one before")
    assert_same_outcome(run_dir, small_undisturbed[1])


def test_another_setting_is_refused_in_one_line(small_config, small_undisturbed):
    run_dir, _ = small_undisturbed
    model = dataclasses.replace(small_config.model, lstm_units=5)
    process = start(dataclasses.replace(small_config, model=model), run_dir)
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err == (
        f"error: {run_dir}: this run was begun with --lstm_units=4, got 5; give the same again, "
        "or another --run_dir\n"
    )
