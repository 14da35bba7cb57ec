"""Kills commands at random file operations, starts them again and compares their results.

Each trial starts a command in an empty directory, kills it with SIGKILL at a random file operation
(up to three times), lets it finish and compares the result with that of a run without kills. Most
sweeps are killed at a random instant instead, while their cells train.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

from tests.chaos.table import Result
from tests.helpers.archives import make_tar_gz
from tests.helpers.file_server import serve_files
from tests.helpers.outcomes import outcome
from tests.helpers.synthetic_corpora import SIZES, TRAINING, flags_of, make_config, write_corpus

KILLED = -signal.SIGKILL
# In this order: what a fast command leaves of the time goes to the slower ones.
COMMANDS = ("fetch", "tag", "export", "train", "sweep")


class Case(NamedTuple):
    """A command, its arguments for a directory, and a function that reads its result there."""

    command: str
    arguments: Callable[[Path], list[str]]
    result: Callable[[Path], object]


class Ending(NamedTuple):
    """How a command ended: its exit code (negative: the signal), and its file operations."""

    code: int
    operations: int
    seconds: float


class Commands:
    """A process that forks to run each command.

    Args:
        work: Where the shim and the log go.

    Raises:
        NoCompilerError: There is no C compiler.
    """

    def __init__(self, work: Path):
        shim = build_shim(work)
        self._log = work / "log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "LD_PRELOAD": str(shim)},
        )

    def run(self, case: Case, directory: Path, kill_at: int = 0, kill_after: float = 0.0) -> Ending:
        """Runs a command.

        Args:
            case: The command.
            directory: Where it writes.
            kill_at: The file operation at which it is killed; 0: none.
            kill_after: The seconds after which it is killed; 0: never.
        """
        job: dict[str, Any] = {"command": case.command, "arguments": case.arguments(directory)}
        job.update(kill_at=kill_at, kill_after=kill_after, log=str(self._log))
        begun = time.monotonic()
        print(json.dumps(job), file=self._process.stdin, flush=True)
        code, operations = json.loads(self._process.stdout.readline())
        return Ending(code, operations, time.monotonic() - begun)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class NoCompilerError(Exception):
    """There is no C compiler for the library that kills."""


def build_shim(directory: Path) -> Path:
    """Compiles ``kill_at.c``."""
    if not shutil.which("cc"):
        raise NoCompilerError("expected a C compiler (cc), which the kills need; found none")
    shim = directory / "kill_at.so"
    source = Path(__file__).with_name("kill_at.c")
    subprocess.run(
        ["cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True
    )
    return shim


def outcome_of_run(directory: Path) -> dict[str, object]:
    """The result of a training."""
    return outcome(directory / "run")


def newest_export(directory: Path) -> dict[str, bytes]:
    """The files of the newest version in a directory of versions."""
    version = max((path for path in directory.glob("[0-9]*")), key=lambda path: int(path.name))
    return all_files(version)


def all_files(directory: Path) -> dict[str, bytes]:
    """All files below a directory, hidden ones included, but for locks, which name a process."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def train_case(work: Path) -> Case:
    """A training on two corpora, which this writes."""
    data = work / "corpora"
    write_corpus(data, "genes")
    write_corpus(data, "mixed", types=("Gene", "Drug"), scheme="IOBES", sentences=11)
    config = make_config(data, ["genes", "mixed"], epochs=3)
    return Case("train", lambda directory: flags_of(config, directory / "run"), outcome_of_run)


def export_case(work: Path) -> Case:
    """An export of the run ``work/finished``."""
    return Case(
        "export",
        lambda directory: [f"--run_dir={work / 'finished'}", f"--export_dir={directory}"],
        newest_export,
    )


def tag_case(work: Path) -> Case:
    """Tags 300 lines with the run ``work/finished``."""
    texts = work / "texts.txt"
    texts.write_text("the Geneα binds Drugβ in cells.\n" * 300, encoding="utf-8")
    return Case(
        "tag",
        lambda directory: [
            f"--model={work / 'finished'}",
            f"--input={texts}",
            f"--output={directory / 'tagged.jsonl'}",
        ],
        lambda directory: (directory / "tagged.jsonl").read_bytes(),
    )


@contextlib.contextmanager
def fetch_case() -> Iterator[Case]:
    """Fetches an archive of corpora from a server, which runs while the block runs."""
    from bioner_tf.corpora.fetch import sources

    # Not a commit that there is: whatever this archive holds is then the right content.
    commit = "0" * 40
    source = sources(commit)["corpora"]
    draws = random.Random(0)
    members = {
        f"top/{inside}": f"{draws.randbytes(200_000).hex()}\tO\n".encode()
        for inside in source.files.values()
    }
    with serve_files() as server:
        server.files[source.name] = make_tar_gz(members)
        yield Case(
            "fetch",
            lambda directory: [
                f"--data_dir={directory}",
                f"--from={server.url}",
                f"--commit={commit}",
            ],
            all_files,
        )


def reports(sweep_dir: Path) -> list[Path]:
    """The reports of the cells of a sweep."""
    return sorted(sweep_dir.glob("*/report.json"))


def sweep_case(work: Path) -> Case:
    """A sweep of two cells over the corpora of ``train_case``."""
    settings = {**SIZES, **TRAINING}
    flags = [f"--train_flag={name}={value}" for name, value in settings.items()]
    return Case(
        "sweep",
        lambda directory: [
            f"--sweep_dir={directory}",
            f"--data_dir={work / 'corpora'}",
            "--structures=single_task,shared_private",
            "--pairs=genes+mixed",
            "--epochs=2",
            "--jobs=2",
            *flags,
        ],
        lambda directory: {path.parent.name: outcome(path.parent) for path in reports(directory)},
    )


def difference(actual: object, expected: object) -> str:
    """Says in what a result differs from that of an run without kills, or nothing."""
    if actual == expected:
        return ""
    names = [""]
    if isinstance(actual, dict) and isinstance(expected, dict):
        names = [n for n in {*actual, *expected} if actual.get(n) != expected.get(n)]
    return f"the result differs from that of an run without kills: {', '.join(sorted(names)[:5])}"


def trainers_below(directory: Path) -> list[str]:
    """The processes whose command line names a directory."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        # It may end meanwhile.
        with contextlib.suppress(OSError):
            command = Path("/proc", process, "cmdline").read_bytes()
            if f"={directory}/".encode() in command:
                found.append(process)
    return found


def wait_for_trainers(directory: Path, seconds: float = 20.0) -> str:
    """Waits until the trainers of a killed sweep have ended; returns which have not."""
    deadline = time.monotonic() + seconds
    while left := trainers_below(directory):
        if time.monotonic() > deadline:
            for process in left:
                os.kill(int(process), signal.SIGKILL)
            return f"the trainers {', '.join(left)} outlived the sweep"
        time.sleep(0.1)
    return ""


def attempt(
    commands: Commands, case: Case, trial: Path, calm: Ending, draws: random.Random, most: int
) -> tuple[int, str]:
    """Kills a command up to ``most`` times and then lets it finish.

    Returns:
        How often it was killed, and why it failed (or an empty string).
    """
    told, kills = [], 0
    for _ in range(most):
        kill = {"kill_at": draws.randint(1, calm.operations)}
        if case.command == "sweep" and draws.random() < 0.7:
            kill = {"kill_after": draws.uniform(0.1, calm.seconds)}
        told.append(str(kill))
        code = commands.run(case, trial, **kill).code
        if code not in (0, KILLED):
            return kills, f"{told}: exit code {code}: {commands.log()[-300:]}"
        kills += code == KILLED
        if case.command == "sweep" and (left := wait_for_trainers(trial)):
            return kills, f"{told}: {left}"
        if code == 0 or draws.random() > 0.3:
            break
    code = commands.run(case, trial).code
    return kills, "" if code == 0 else f"{told}: exit code {code}: {commands.log()[-300:]}"


def run(
    work: Path, count: int, seconds: float, seed: int, names: Sequence[str] = COMMANDS
) -> Result:
    """Kills commands ``count`` times altogether, or as often as there is time for."""
    commands = Commands(work)
    deadline = time.monotonic() + seconds
    rows, failures = [], []
    with fetch_case() as fetching:
        cases = {case.command: case for case in (train_case(work), fetching)}
        calm, expected = {}, {}

        def run_calmly(case: Case) -> None:
            directory = work / f"calm-{case.command}"
            directory.mkdir()
            calm[case.command] = commands.run(case, directory)
            if calm[case.command].code:
                raise SystemExit(f"bioner-{case.command}: {commands.log()}")
            expected[case.command] = case.result(directory)

        if set(names) - {"fetch"}:
            run_calmly(cases["train"])
            shutil.copytree(work / "calm-train" / "run", work / "finished")
        for make in (export_case, tag_case, sweep_case):
            case = make(work)
            cases[case.command] = case
        for number, name in enumerate(names):
            case, draws = cases[name], random.Random(f"{seed} {name}")
            if name not in calm:
                run_calmly(case)
            share = count * (number + 1) // len(names) - count * number // len(names)
            until = time.monotonic() + (deadline - time.monotonic()) / (len(names) - number)
            kills = trials = failed = 0
            while kills < share and (not trials or time.monotonic() < until):
                trial = Path(tempfile.mkdtemp(dir=work))
                more, failure = attempt(
                    commands, case, trial, calm[name], draws, min(3, share - kills)
                )
                kills, trials = kills + more, trials + 1
                failure = failure or difference(case.result(trial), expected[name])
                if failure:
                    failed += 1
                    failures.append(f"bioner-{name}, trial {trials} of seed {seed}: {failure}")
                    print(failures[-1], flush=True)
                shutil.rmtree(trial)
            rows.append([f"`bioner-{name}`", kills, trials, calm[name].operations, failed])
            print(*rows[-1], flush=True)
    commands.close()
    return Result(["command", "kills", "trials", "operations", "failures"], rows, failures)
