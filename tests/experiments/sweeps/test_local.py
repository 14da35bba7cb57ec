from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from bioner_tf.corpora.corpus import fingerprint, read_corpus
from bioner_tf.errors import UsageError
from bioner_tf.experiments.sweeps.cell_process import TRAINER
from bioner_tf.experiments.sweeps.cell_state import BUSY, FAILED, FINISHED, State, state_of
from bioner_tf.experiments.sweeps.estimate import Estimator, measure_corpus
from bioner_tf.experiments.sweeps.listing import list_cells
from bioner_tf.experiments.sweeps.local import Resources, run_cells
from bioner_tf.experiments.sweeps.plan import Cell, Plan, parse_shard, select_cells
from bioner_tf.runs.collection import collect_runs
from tests.helpers import fake_trainer
from tests.helpers.run_records import write_run
from tests.helpers.synthetic_corpora import write_corpus as write_synthetic


@pytest.fixture
def trainer():
    return (sys.executable, fake_trainer.__file__)


def cells_of(*mains, **changes):
    return Plan(structures=["single_task"], mains=mains, epochs=2, **changes).cells()


LIST = """
import sys
from absl import flags
from bioner_tf.cli import sweep
for path in sys.argv[1:]:
    for flag in flags.FLAGS.flags_by_module_dict()[sweep.__name__]:
        flag.unparse()
    flags.FLAGS(["bioner-sweep", f"--flagfile={path}"])
    flags_of_plan = {name: flag.value for name, flag in sweep.PLAN.items()}
    cells = sweep.plan_from_flags(flags_of_plan).cells()
    print(len(cells), len({cell.name for cell in cells}))
"""


def run_python(source, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_the_papers_experiments_have_their_cells(repository):
    counts = {"table2": 20, "table3": 5, "table4": 20, "table5": 12, "table6": 24, "table7": 40}
    counts["grid"] = 9
    listed = run_python(LIST, *(f"{repository}/flags/{name}.flags" for name in counts))
    assert listed.stderr == ""
    assert listed.stdout.splitlines() == [f"{n} {n}" for n in counts.values()]


COMMAND = "from bioner_tf.cli import sweep; sweep.entry()"


def test_command_lists_cells_and_hours(tmp_path):
    write_corpus(tmp_path / "corpora", "a", sentences=32, tokens=10)
    done, failed, _ = cells_of("a", "b", "c")
    write_run(tmp_path / "sweep" / done.name, corpora=("a",))
    (tmp_path / "sweep" / failed.name).mkdir()
    (tmp_path / "sweep" / failed.name / "failure.json").write_text('{"error": "no such file"}')
    given = ["--structures=single_task", "--mains=a,b,c", "--epochs=2", "--dry_run"]
    listed = run_python(COMMAND, *given, cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    rows = [line.split() for line in listed.stdout.splitlines()]
    assert rows[1] == [done.name, "finished", "0.00"]
    assert rows[2] == [failed.name, "failed", "?"]
    assert rows[3][1:] == ["to", "do", "?"]
    assert rows[5][:2] == ["3", "cells,"]


def test_failures_are_an_error_of_the_command(tmp_path):
    given = ["--structures=single_task", "--mains=a", "--epochs=2", "--train_flag=nonsense=1"]
    done = run_python(COMMAND, *given, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 1 of 1 cells failed")
    assert "nonsense" in done.stderr


def test_name_tells_what_differs():
    (cell,) = Plan(
        structures=["adversarial"],
        pairs=[("A-IOB", "B-IOB")],
        keep_fractions=[0.25],
        vectors=["some/where/glove.6B.100d.txt.gz"],
        crfs=["pairwise"],
        types=["B-IOB:X+Y"],
        extra={"batch_size": "8"},
        seeds=[3],
    ).cells()
    assert cell.name == (
        "ADV-MTM_A-IOB+B-IOB_glove.6B.100d_train+devel_pairwise_B-IOB-X+Y_keep0.25"
        "_alpha0.01_beta0.001_batch_size=8_e80_s3"
    )
    assert cell.arguments("data", "vectors", "sweep/cell") == [
        "--structure=adversarial",
        "--corpora=A-IOB,B-IOB",
        "--data_dir=data",
        "--run_dir=sweep/cell",
        "--vectors=vectors/some/where/glove.6B.100d.txt.gz",
        "--train_on=train,devel",
        "--crf=pairwise",
        "--types=B-IOB:X+Y",
        "--keep_fraction=0.25",
        "--alpha=0.01",
        "--beta=0.001",
        "--batch_size=8",
        "--epochs=80",
        "--seed=3",
    ]


def test_what_does_not_matter_to_a_structure_makes_no_second_cell():
    plan = Plan(
        structures=["single_task", "adversarial"],
        mains=["a"],
        auxiliaries=["b", "c"],
        alphas=[0, 0.1],
    )
    names = [cell.name for cell in plan.cells()]
    assert sum(name.startswith("STM") for name in names) == 1
    assert sum(name.startswith("ADV") for name in names) == 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"structures": ["sharing"]}, "--structures"),
        ({"structures": ["cross_sharing"]}, "takes two or more corpora, got a alone"),
        ({"mains": []}, "--mains"),
        ({"mains": [], "auxiliaries": ["b"]}, "--mains beside"),
        ({"vectors": ["x/words.bin", "y/words.bin"]}, "2 different runs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_impossible_plans_are_refused(changes, told):
    with pytest.raises(UsageError, match=told):
        Plan(**{"structures": ["single_task"], "mains": ["a"], **changes}).cells()


def test_parts_of_a_plan():
    cells = cells_of("alpha", "beta", "gamma", "delta", seeds=[1, 2])
    pick = [cell.corpora[0] for cell in select_cells(cells, ["alpha*_s2", "gam"])]
    assert pick == ["alpha", "gamma", "gamma"]
    shards = [select_cells(cells, shard=(part, 3)) for part in (1, 2, 3)]
    assert sorted(cell.name for shard in shards for cell in shard) == sorted(c.name for c in cells)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert select_cells(cells, max_cells=2) == cells[:2]
    with pytest.raises(UsageError, match="--only"):
        select_cells(cells, ["omega"])


def test_shard_is_i_of_n():
    assert parse_shard("2/8") == (2, 8)
    for text in ("0/2", "3/2", "1", "1/2/3", "a/b", "-1/2"):
        with pytest.raises(UsageError, match="--shard"):
            parse_shard(text)


def test_cells_run_are_skipped_and_a_failure_stops_no_other(tmp_path, trainer):
    cells = cells_of("a", "bad", "b")
    resources = Resources("data", trainer=trainer)
    told: list[str] = []
    outcomes = run_cells(tmp_path / "sweep", cells, resources, told.append)
    assert [outcome.result for outcome in outcomes] == [FINISHED, FAILED, FINISHED]
    assert outcomes[1].error == "bad/train.tsv:7: expected a tag (exit code 1)"
    assert [str(state_of(tmp_path / "sweep", cell)) for cell in cells] == [
        "finished",
        "failed",
        "finished",
    ]
    collection = collect_runs(tmp_path / "sweep")
    assert len(collection.runs) == 2
    assert collection.failed == {cells[1].name: outcomes[1].error}

    told.clear()
    again = run_cells(tmp_path / "sweep", cells, resources, told.append)
    assert sorted(outcome.result for outcome in again) == [FAILED, FINISHED, FINISHED]
    assert told[:2] == ["2 of 3 cells are finished already", f"started   {cells[1].name}"]


def test_killed_cell_goes_on_and_its_failure_is_forgotten(tmp_path, trainer):
    (cell,) = cells_of("a")
    run_dir = write_run(tmp_path / cell.name, corpora=("a",), f1=None, epochs=2, epochs_done=1)
    (run_dir / "failure.json").write_text(json.dumps({"error": "out of memory"}))
    assert state_of(tmp_path, cell) == State(1, False, "out of memory")
    (outcome,) = run_cells(tmp_path, [cell], Resources("data", trainer=trainer), lambda line: None)
    assert outcome.result == FINISHED
    assert (run_dir / "console.log").read_text() == "went on after 1\n"
    assert state_of(tmp_path, cell) == State(2, True, None)


def test_more_epochs_are_not_finished(tmp_path):
    (cell,) = cells_of("a")
    write_run(tmp_path / cell.name, corpora=("a",), epochs=1)
    assert not state_of(tmp_path, cell).finished


def test_killed_trainer_is_a_failure_that_names_the_signal(tmp_path):
    killed = (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    (outcome,) = run_cells(
        tmp_path, cells_of("a"), Resources("data", trainer=killed), lambda line: None
    )
    assert outcome.error == "killed by SIGKILL"


# Fails when it is started first.
UNSURE = """
import pathlib, sys
[run_dir] = [a.partition("=")[2] for a in sys.argv if a.startswith("--run_dir=")]
tried = pathlib.Path(run_dir, "tried")
if not tried.exists():
    tried.touch()
    sys.exit("error: out of memory")
"""


def test_failed_cell_is_tried_again_before_it_is_recorded(tmp_path):
    cells = cells_of("a", "b")
    told: list[str] = []
    resources = Resources("data", retries=1, trainer=(sys.executable, "-c", UNSURE))
    outcomes = run_cells(tmp_path, cells, resources, told.append)
    assert [outcome.result for outcome in outcomes] == [FINISHED, FINISHED]
    # Retries come after the other cells.
    started = f"started   {cells[0].name}"
    again = f"retrying  {cells[0].name}: out of memory (exit code 1)"
    assert told[:3] == [started, again, f"started   {cells[1].name}"]
    assert not (tmp_path / cells[0].name / "failure.json").exists()


def test_retries_come_to_an_end(tmp_path, trainer):
    (cell,) = cells_of("bad")
    told: list[str] = []
    (outcome,) = run_cells(
        tmp_path, [cell], Resources("d", retries=2, trainer=trainer), told.append
    )
    assert outcome.result == FAILED
    assert [line.split()[0] for line in told] == [*["started", "retrying"] * 2, "started", "failed"]
    assert state_of(tmp_path, cell).error == outcome.error


def test_several_cells_at_once(tmp_path, trainer):
    cells = cells_of("a", "b", "c", "d", "e")
    resources = Resources("data", jobs=3, cores=2, trainer=trainer)
    outcomes = run_cells(tmp_path / "sweep", cells, resources, lambda line: None)
    assert [outcome.result for outcome in outcomes] == [FINISHED] * 5


SWEEP = """
import sys
from bioner_tf.experiments.sweeps.plan import Plan
from bioner_tf.experiments.sweeps.local import Resources, run_cells
cells = Plan(structures=["single_task"], mains=["slow"], epochs=2).cells()
try:
    outcomes = run_cells(sys.argv[1], cells, Resources("data", trainer=sys.argv[2:]),
                         lambda line: print(line, flush=True))
    print(outcomes[0].result)
except KeyboardInterrupt:
    print("interrupted")
"""


def start_sweep(directory, trainer):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SWEEP), str(directory), *trainer],
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def can_run(directory, trainer) -> str:
    """Returns the outcome of a sweep whose cell may be trained by another process."""
    fine = (trainer[0], "-c", "pass")
    (cell,) = cells_of("slow")
    (outcome,) = run_cells(directory, [cell], Resources("data", trainer=fine), lambda line: None)
    return outcome.result


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_cell_is_trained_twice_at_once_and_an_interrupt_stops_it(tmp_path, trainer, number):
    directory = tmp_path / "sweep"
    (cell,) = cells_of("slow")
    running = start_sweep(directory, trainer)
    wait_for((directory / cell.name / "config.json").exists)
    assert can_run(directory, trainer) == BUSY
    running.send_signal(number)
    out, _ = running.communicate(timeout=60)
    if number == signal.SIGKILL:
        # This trainer is on no tether: it outlives the sweep, and holds the lock of its cell.
        assert can_run(directory, trainer) == BUSY
        for process in os.listdir("/proc"):
            if process.isdigit() and is_trainer(process, directory):
                os.kill(int(process), signal.SIGKILL)
        wait_for(lambda: can_run(directory, trainer) == FINISHED)
    else:
        assert out.endswith("interrupted\n")
        assert can_run(directory, trainer) == FINISHED


def test_a_killed_sweep_leaves_no_trainer(tmp_path):
    directory = tmp_path / "sweep"
    (cell,) = cells_of("slow")
    # As the default is, but for what it runs.
    tethered = (*TRAINER[:-1], fake_trainer.__name__)
    running = start_sweep(directory, tethered)
    wait_for((directory / cell.name / "config.json").exists)
    running.kill()
    running.communicate(timeout=60)
    wait_for(lambda: not any(is_trainer(process, directory) for process in os.listdir("/proc")))
    assert can_run(directory, tethered) == FINISHED


def is_trainer(process, directory) -> bool:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as stream:
            return f"--run_dir={directory}".encode() in stream.read()
    except OSError:
        return False


def write_corpus(data_dir, name, sentences, tokens):
    (data_dir / name).mkdir(parents=True)
    for split in ("train", "devel"):
        text = "\n".join(["word\tO\n" * tokens] * sentences)
        (data_dir / name / f"{split}.tsv").write_text(text)


def test_corpus_is_measured(tmp_path):
    write_corpus(tmp_path, "a", sentences=3, tokens=4)
    size = measure_corpus(tmp_path, "a")
    assert size.sentences == {"train": 3, "devel": 3}
    assert size.tokens_per_sentence == 4
    assert measure_corpus(tmp_path, "b") is None


def test_hours_follow_from_the_measured_speed(tmp_path):
    write_corpus(tmp_path, "a", sentences=32, tokens=10)
    write_corpus(tmp_path, "b", sentences=5, tokens=20)
    # 3 seconds per 1,000 tokens.
    write_run(tmp_path / "sweep/x", "cross_sharing", ("a", "b"), epochs=3, seconds=3.0)
    estimator = Estimator(tmp_path, collect_runs(tmp_path / "sweep").runs)

    def hours(epochs_done=0, **changes):
        plan = Plan(structures=["cross_sharing"], pairs=[("a", "b")], epochs=100, **changes)
        return estimator.hours(plan.cells()[0], epochs_done)

    # By hand: 64 sentences of a (640 tokens) in 4 batches, with 4 batches of b (64 x 20 tokens).
    assert hours() == pytest.approx(100 * 3 * 1.92 / 3600)
    assert hours(epochs_done=25) == pytest.approx(75 * 3 * 1.92 / 3600)
    assert hours(train_on="train") == pytest.approx(100 * 3 * 0.96 / 3600)
    assert hours(train_on="train", keep_fractions=[0.5]) == pytest.approx(100 * 3 * 0.48 / 3600)
    assert "cross_sharing" in estimator.basis(["cross_sharing"])


def test_hours_of_what_was_not_measured(tmp_path):
    write_corpus(tmp_path, "a", sentences=32, tokens=10)
    estimator = Estimator(tmp_path, [])
    known, unknown = cells_of("a", "nowhere")
    assert estimator.hours(known) > 0
    assert estimator.hours(unknown) is None
    assert "nothing is measured" in estimator.basis(["single_task"])


def test_cell_without_directory_is_to_do(tmp_path):
    cell = Cell("single_task", ("a",), (("epochs", "2"),))
    assert str(state_of(tmp_path, cell)) == "to do"


def finished_run(directory, cell, data_dir, vectors=""):
    """Writes a finished run of a cell that read the current corpora."""
    run = write_run(directory / cell.name, corpora=cell.corpora, data={"vectors": vectors})
    splits = read_corpus(data_dir, cell.corpora[0]).splits
    prints = {name: fingerprint(split.sentences) for name, split in splits.items()}
    (run / "corpora.json").write_text(json.dumps({cell.corpora[0]: prints}))


def test_finished_run_with_other_vectors_is_not_taken_for_the_cell(tmp_path, trainer):
    write_synthetic(tmp_path / "data", "a")
    pmc, pubmed = (cells_of("a", vectors=[f"{name}/words.bin"])[0] for name in ("pmc", "pubmed"))
    sweep = tmp_path / "sweep"
    finished_run(sweep, pmc, tmp_path / "data", "vectors/pmc/words.bin")
    resources = Resources(str(tmp_path / "data"), "vectors", trainer=trainer)
    (outcome,) = run_cells(sweep, [pmc], resources, lambda line: None)
    assert outcome.result == FINISHED
    (outcome,) = run_cells(sweep, [pubmed], resources, lambda line: None)
    assert outcome.result == FAILED
    assert (
        "with --vectors=vectors/pmc/words.bin, this sweep has vectors/pubmed/words.bin"
        in outcome.error
    )
    listed = list_cells(sweep, [pubmed], resources.data_dir, "vectors")
    assert "another run" in listed
    assert listed.endswith("give another --sweep_dir")
    # Moved from another machine.
    finished_run(sweep, pmc, tmp_path / "data", "/mnt/elsewhere/pmc/words.bin")
    (outcome,) = run_cells(sweep, [pmc], resources, lambda line: None)
    assert outcome.result == FINISHED


def test_finished_run_on_other_corpora_is_not_taken_for_the_cell(tmp_path, trainer):
    data = tmp_path / "data"
    write_synthetic(data, "a")
    (cell,) = cells_of("a")
    finished_run(tmp_path / "sweep", cell, data)
    resources = Resources(str(data), trainer=trainer)
    (outcome,) = run_cells(tmp_path / "sweep", [cell], resources, lambda line: None)
    assert outcome.result == FINISHED
    with (data / "a/devel.tsv").open("a") as stream:
        stream.write("\none\tO\n")
    (outcome,) = run_cells(tmp_path / "sweep", [cell], resources, lambda line: None)
    assert outcome.result == FAILED
    assert f"trained when {data / 'a/devel.tsv'} held other sentences or tags" in outcome.error


# A trainer whose corpus is edited before it reads it.
EDITED = """
import json, pathlib, sys
from bioner_tf.corpora.corpus import fingerprint, read_corpus
from tests.helpers.run_records import write_run
given = dict(argument.lstrip("-").split("=", 1) for argument in sys.argv[1:])
with open(given["data_dir"] + "/a/train.tsv", "a") as stream:
    print("\\none\\tO", file=stream)
run = write_run(pathlib.Path(given["run_dir"]), corpora=("a",), epochs=2)
splits = read_corpus(given["data_dir"], "a").splits
prints = {name: fingerprint(split.sentences) for name, split in splits.items()}
(run / "corpora.json").write_text(json.dumps({"a": prints}))
"""


def test_corpus_that_changes_during_a_sweep_is_told(tmp_path):
    write_synthetic(tmp_path / "data", "a")
    resources = Resources(str(tmp_path / "data"), trainer=(sys.executable, "-c", EDITED))
    (outcome,) = run_cells(tmp_path / "sweep", cells_of("a"), resources, lambda line: None)
    assert outcome.result == FAILED
    assert "train.tsv held other sentences or tags" in outcome.error


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--seeds=nan", "--seeds: expected a whole number from 0 to 4294967295, got 'nan'"),
        ("--seeds=1.5", "--seeds: expected a whole number"),
        ("--seeds=4294967296", "--seeds: expected a whole number"),
        ("--seeds=-1", "--seeds: expected a whole number"),
        ("--keep_fractions=nan", "--keep_fractions: expected a share in (0, 1], got nan"),
        ("--keep_fractions=2", "--keep_fractions: expected a share in (0, 1], got 2.0"),
        ("--seeds=", "--seeds: expected a whole number from 0 to 4294967295, got ''"),
        ("--betas=x,y", "--betas: expected a number of 0 or more, got 'x,y'"),
        ("--crfs=x", "--crfs: expected one of ('static', 'pairwise'), got 'x'"),
        ("--train_flag=epochs", "--train_flag: expected name=value, got 'epochs'"),
        ("--alphas=inf", "--alphas: expected a number of 0 or more, got inf"),
    ],
)
def test_values_that_no_run_can_have_are_refused_in_one_line(tmp_path, given, told):
    done = run_python(COMMAND, "--mains=a", "--structures=single_task", given, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert told in line


def test_a_terminal_that_cannot_show_a_name_gets_its_numbers(tmp_path):
    environment = {"PYTHONIOENCODING": "latin-1"}
    given = ["--structures=single_task", "--mains=Žluť", "--epochs=2", "--dry_run"]
    listed = run_python(COMMAND, *given, cwd=tmp_path, env={**os.environ, **environment})
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "STM_" in listed.stdout
