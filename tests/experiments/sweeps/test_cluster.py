"""Sweeps on Ray; tests that need Ray are slow, and skipped where it is not installed."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bioner_tf.errors import UsageError
from bioner_tf.experiments.sweeps import cluster
from bioner_tf.experiments.sweeps.cell_process import is_trained_by_another
from bioner_tf.experiments.sweeps.cell_state import BUSY, FAILED, FINISHED, state_of
from bioner_tf.experiments.sweeps.cluster import Cluster
from bioner_tf.experiments.sweeps.local import Resources, run_cells
from bioner_tf.experiments.sweeps.plan import Plan
from bioner_tf.runs.collection import collect_runs
from tests.helpers.outcomes import assert_same_outcome, outcome
from tests.helpers.processes import is_running, wait_for
from tests.helpers.synthetic_corpora import SIZES, TRAINING, write_corpus

# Seconds until a test that waits in vain gives up, on however busy a machine.
PATIENCE = 900
FAKE_TRAINER, DYING_TRAINER = "tests.helpers.fake_trainer", "tests.helpers.dying_trainer"
TETHER = (sys.executable, "-m", "bioner_tf.experiments.sweeps.tether")


@pytest.fixture
def _with_ray(monkeypatch):
    pytest.importorskip("ray", reason="pip install '.[ray]' brings Ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def plan_of(*mains):
    return Plan(structures=["single_task"], mains=mains, epochs=2)


COMMAND = "from bioner_tf.cli import sweep; sweep.entry()"
NO_RAY = "import sys; sys.modules['ray'] = None; " + COMMAND
GIVEN = ("--structures=single_task", "--mains=a", "--epochs=2")


def sweep(*arguments, source=COMMAND, **options):
    return subprocess.run(
        [sys.executable, "-c", source, *GIVEN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_without_ray_one_line_says_what_to_install(tmp_path):
    done = sweep("--executor=ray", source=NO_RAY, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --executor=ray: expected Ray, got ")
    assert "pip install 'bioner_tf[ray]'" in line
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("_with_ray")
def test_address_where_no_cluster_is_is_told_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    for address in (f"127.0.0.1:{free}", "nonsense"):
        done = sweep("--executor=ray", f"--ray_address={address}", cwd=tmp_path)
        (line,) = done.stderr.splitlines()
        assert done.returncode == 1
        assert line.startswith(
            f"error: --ray_address={address}: expected a Ray cluster that answer"
        )


def test_listing_needs_no_ray(tmp_path):
    done = sweep("--executor=ray", "--dry_run", source=NO_RAY, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "flag", ["--ray_address=auto", "--cell_cores=2", "--cell_gpus=1"], ids=lambda flag: flag[2:11]
)
def test_flags_of_ray_are_refused_without_it(tmp_path, flag):
    done = sweep(flag, "--dry_run", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {flag.partition('=')[0]}: expected --executor=ray with it")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"address": "auto", "local_cores": 4}, "--cores: the cluster at auto has the cores"),
        ({"address": "ray://head:10001"}, "--ray_address: .* a Ray client's"),
        ({"local_cores": 1, "cell_cores": 2}, "--cell_cores: expected at most the 1 cores"),
        ({"address": "auto", "cell_gpus": 1.5}, "--cell_gpus: expected a whole number"),
    ],
    ids=["cores of a cluster", "client", "more cores than there are", "a GPU and a half"],
)
def test_impossible_clusters_are_refused(monkeypatch, settings, told):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UsageError, match=told):
        Cluster(**settings)


def test_address_is_the_one_given_then_the_environments_then_local(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert Cluster().resolved_address == "head:6379"
    assert Cluster("auto").resolved_address == "auto"
    assert Cluster("local", cell_cores=1).is_local
    monkeypatch.delenv("RAY_ADDRESS")
    assert Cluster(cell_cores=1).is_local


SWEEP = """
import json, sys
from bioner_tf.experiments.sweeps.plan import Plan
from bioner_tf.experiments.sweeps.cluster import Cluster, run_cells_on_ray
plan, sweep_dir, data_dir, retries, *trainer = sys.argv[1:]
try:
    outcomes = run_cells_on_ray(
        sweep_dir, Plan(**json.loads(plan)).cells(), Cluster(local_cores=2, cell_cores=1),
        data_dir, "vectors", int(retries), lambda line: print(line, flush=True), trainer)
    print(json.dumps({outcome.cell.corpora[0]: [outcome.result, outcome.error]
                      for outcome in outcomes}))
except KeyboardInterrupt:
    print("interrupted")
"""


@contextlib.contextmanager
def started_sweep(sweep_dir, plan, data_dir="data", retries=0, trainer=FAKE_TRAINER):
    arguments = [json.dumps(dataclasses.asdict(plan)), sweep_dir, data_dir, retries]
    with subprocess.Popen(
        [sys.executable, "-c", SWEEP, *map(str, arguments), *TETHER, trainer],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def trainer_in(run_dir) -> int | None:
    """Returns the process that trains in a run directory."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        if f"--run_dir={run_dir}".encode() in command.split(b"\0"):
            return int(process)
    return None


def kill_worker_of(run_dir, last=None) -> int:
    """Kills the Ray worker of a running trainer, a different worker than last time."""
    wait_for(lambda: (run_dir / "metrics.jsonl").exists(), PATIENCE)
    wait_for(lambda: trainer_in(run_dir) not in (None, last), PATIENCE)
    trainer = trainer_in(run_dir)
    os.kill(parent_of(trainer), signal.SIGKILL)
    wait_for(lambda: not is_running(trainer), PATIENCE)
    return trainer


def parent_of(pid) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
@pytest.mark.usefixtures("_with_ray")
def test_failures_dead_workers_and_busy_cells_stop_no_other(tmp_path):
    plan = plan_of("a", "bad", "once", "busy", "slow", "b")
    cells = {cell.corpora[0]: cell for cell in plan.cells()}
    runs = {main: tmp_path / cell.name for main, cell in cells.items()}
    runs["busy"].mkdir()
    lock = (runs["busy"] / "sweep.lock").open("w")
    with lock, started_sweep(tmp_path, plan, retries=1) as running:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kill_worker_of(runs["once"])
        # One failure more than the retries allow.
        last = kill_worker_of(runs["slow"])
        kill_worker_of(runs["slow"], last)
        out, _ = running.communicate(timeout=PATIENCE)
    *lines, last = out.splitlines()
    results = json.loads(last)
    assert {main: result for main, (result, _) in results.items()} == {
        "a": FINISHED,
        "b": FINISHED,
        "bad": FAILED,
        "busy": BUSY,
        "once": FINISHED,
        "slow": FAILED,
    }
    error = "bad/train.tsv:7: expected a tag (exit code 1)"
    assert results["bad"][1] == error
    assert f"retrying  {cells['bad'].name}: {error}" in lines
    assert f"failed    {cells['bad'].name}: {error}" in lines
    assert f"retrying  {cells['once'].name}: its Ray worker died" in lines
    collection = collect_runs(tmp_path)
    assert collection.failed[cells["bad"].name] == error
    assert collection.failed[cells["slow"].name].startswith("its Ray worker died: ")
    assert all(state_of(tmp_path, cells[main]).finished for main in ("a", "b", "once"))


@pytest.mark.slow
@pytest.mark.usefixtures("_with_ray")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_trainer_outlives_a_sweep(tmp_path, number):
    (cell,) = plan_of("slow").cells()
    run_dir = tmp_path / cell.name
    with started_sweep(tmp_path, plan_of("slow")) as running:
        wait_for((run_dir / "metrics.jsonl").exists, PATIENCE)
        trainer = trainer_in(run_dir)
        running.send_signal(number)
        out, _ = running.communicate(timeout=PATIENCE)
    if number == signal.SIGKILL:
        wait_for(lambda: not is_running(trainer), PATIENCE)
    else:
        assert out.splitlines()[-1] == "interrupted"
        assert not is_running(trainer)
    assert not is_trained_by_another(run_dir)
    assert str(state_of(tmp_path, cell)) == "1 epochs"


def tiny_flags(**changes):
    settings = {**SIZES, **TRAINING, **changes}
    return [f"--train_flag={name}={value}" for name, value in settings.items()]


@pytest.mark.slow
@pytest.mark.usefixtures("_with_ray")
def test_command_trains_the_same_on_ray_as_here(tmp_path):
    for name in ("a", "b"):
        write_corpus(tmp_path / "corpora", name)
    given = [
        *("--structures=single_task,shared_private", "--pairs=a+b", "--mains=", "--epochs=2"),
        *("--train_on=train", *tiny_flags()),
    ]
    on_ray = ["--executor=ray", "--ray_address=local", "--cell_cores=1", "--sweep_dir=there"]
    here = sweep(*given, "--sweep_dir=here", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    there = sweep(*given, *on_ray, cwd=tmp_path)
    assert (there.returncode, there.stderr) == (0, "")
    runs = collect_runs(tmp_path / "here").runs
    assert len(runs) == 2
    for run in runs:
        assert_same_outcome(tmp_path / "there" / run.name, outcome(run.path))
    assert sorted(there.stdout.splitlines()) == sorted(here.stdout.splitlines())
    # Both executors see the finished cells.
    again = sweep(*given, *on_ray, cwd=tmp_path)
    assert again.stdout == "2 of 2 cells are finished already\n"
    again = sweep(*given, "--sweep_dir=there", cwd=tmp_path)
    assert again.stdout == "2 of 2 cells are finished already\n"


@pytest.mark.slow
@pytest.mark.usefixtures("_with_ray")
def test_killed_trainer_is_retried_and_ends_as_one_that_was_not(tmp_path):
    write_corpus(tmp_path / "corpora", "a")
    plan = Plan(
        structures=["single_task"],
        mains=["a"],
        epochs=2,
        train_on="train",
        extra={name: str(value) for name, value in {**SIZES, **TRAINING}.items()},
    )
    [cell] = plan.cells()
    data_dir = str(tmp_path / "corpora")
    [undisturbed] = run_cells(tmp_path / "here", [cell], Resources(data_dir), lambda line: None)
    assert undisturbed.result == FINISHED
    there = tmp_path / "there"
    with started_sweep(there, plan, data_dir, retries=1, trainer=DYING_TRAINER) as running:
        out, _ = running.communicate(timeout=PATIENCE)
    lines = out.splitlines()[:-1]
    words = ["started", "retrying", "started", "finished"]
    assert [line.split()[0] for line in lines] == words
    assert lines[1].endswith("(killed by SIGKILL)")
    assert "going on after epoch 1" in (there / cell.name / "console.log").read_text()
    assert_same_outcome(there / cell.name, outcome(tmp_path / "here" / cell.name))


class NodeDiedError(Exception):
    pass


class LosingRay:
    """A Ray that loses the machine of each task."""

    exceptions = types.SimpleNamespace(RayError=NodeDiedError, NodeDiedError=NodeDiedError)

    def __init__(self):
        self.starts = 0

    def remote(self, **options):
        return lambda function: types.SimpleNamespace(remote=self.start)

    def start(self, cell, task):
        self.starts += 1
        return iter([cell])

    def wait(self, streams, num_returns):
        return streams[:num_returns], streams[num_returns:]

    def get(self, reference):
        raise NodeDiedError("the node died")


@pytest.mark.parametrize("retries", [0, 2])
def test_a_cell_that_loses_machine_after_machine_fails_at_last(monkeypatch, tmp_path, retries):
    ray, lines = LosingRay(), []
    monkeypatch.setattr(cluster, "_import_ray", lambda: ray)
    monkeypatch.setattr(cluster, "_ray", lambda ray, cluster: contextlib.nullcontext())
    monkeypatch.setattr(cluster, "_tell_of_shortage", lambda *arguments: None)
    cells = plan_of("a").cells()
    [outcome] = cluster.run_cells_on_ray(
        tmp_path, cells, Cluster("auto"), "data", retries=retries, report=lines.append
    )
    assert (outcome.result, outcome.error) == (FAILED, "its Ray worker died: the node died")
    assert ray.starts == 1 + 10 + retries
    assert sum(line.startswith("retrying") for line in lines) == 10 + retries
