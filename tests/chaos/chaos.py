"""Kills commands at random file operations, starts them again and compares their results.

    python -m tests.chaos.chaos --kills=200 --seconds=900 --seed=1

Each trial starts a command in an empty directory, kills it with SIGKILL at a random file operation
(up to three times), lets it finish and compares the result with that of a run without kills.
``--report`` writes the table of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, NamedTuple

from tests.helpers.outcomes import outcome
from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
_TABLE = re.compile(r"(<!-- table kills -->\n).*?(<!-- end -->)", re.DOTALL)
_KILLED = -signal.SIGKILL


class Case(NamedTuple):
    """A command, its arguments for a directory, and a function that reads its result there."""

    command: str
    arguments: Callable[[Path], list[str]]
    result: Callable[[Path], object]


class Commands:
    """A process that forks to run each command."""

    def __init__(self, shim: Path, work: Path):
        self._log = work / "log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "LD_PRELOAD": str(shim)},
        )

    def run(self, case: Case, directory: Path, kill_at: int = 0) -> tuple[int, int]:
        """Returns the exit code (negative: the signal) and the number of file operations."""
        job = {"command": case.command, "arguments": case.arguments(directory)}
        job.update(kill_at=kill_at, log=str(self._log))
        print(json.dumps(job), file=self._process.stdin, flush=True)
        code, count = json.loads(self._process.stdout.readline())
        return code, count

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def build_shim(directory: Path) -> Path:
    """Compiles ``kill_at.c``; ends the program if there is no C compiler."""
    if not shutil.which("cc"):
        raise SystemExit("skipped: expected a C compiler (cc), which the kills need; found none")
    shim = directory / "kill_at.so"
    source = Path(__file__).with_name("kill_at.c")
    subprocess.run(
        ["cc", "-O1", "-Wall", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True
    )
    return shim


def newest_export(directory: Path) -> dict[str, bytes]:
    """The files of the newest version in a directory of versions."""
    version = max((path for path in directory.glob("[0-9]*")), key=lambda path: int(path.name))
    files = (path for path in version.rglob("*") if path.is_file())
    return {str(path.relative_to(version)): path.read_bytes() for path in files}


def make_cases(work: Path) -> list[Case]:
    """Writes the corpora and a text; the cases export and tag use the run ``work/finished``."""
    data = work / "corpora"
    write_corpus(data, "genes")
    write_corpus(data, "mixed", types=("Gene", "Drug"), scheme="IOBES", sentences=11)
    config = make_config(data, ["genes", "mixed"], epochs=3)
    finished, texts = work / "finished", work / "texts.txt"
    texts.write_text("the Geneα binds Drugβ in cells.\n" * 300, encoding="utf-8")
    return [
        Case("train", lambda directory: flags_of(config, directory / "run"), outcome_of_run),
        Case(
            "export",
            lambda directory: [f"--run_dir={finished}", f"--export_dir={directory / 'export'}"],
            lambda directory: newest_export(directory / "export"),
        ),
        Case(
            "tag",
            lambda directory: [
                f"--model={finished}",
                f"--input={texts}",
                f"--output={directory / 'tagged.jsonl'}",
            ],
            lambda directory: (directory / "tagged.jsonl").read_bytes(),
        ),
    ]


def outcome_of_run(directory: Path) -> object:
    """The result of a training."""
    return outcome(directory / "run")


def attempt(
    commands: Commands, case: Case, trial: Path, count: int, draws: random.Random, most: int
) -> tuple[int, str]:
    """Kills a command up to ``most`` times and then lets it finish.

    Returns:
        How often it was killed, and why it failed (or an empty string).
    """
    moments, kills = [draws.randint(1, count)], 0
    while len(moments) < most and draws.random() < 0.3:
        moments.append(draws.randint(1, count))
    for moment in moments:
        code, _ = commands.run(case, trial, moment)
        if code == 0:
            return kills, ""
        if code != _KILLED:
            return kills, f"operations {moments}: exit code {code}: {commands.log()[-300:]}"
        kills += 1
    code, _ = commands.run(case, trial)
    return kills, "" if code == 0 else f"operations {moments}: exit {code}: {commands.log()[-300:]}"


def run_kills(work: Path, kills: int, seconds: float, seed: int) -> list[list[str]]:
    """Returns a row for each command: kills, file operations of a run without kills, failures."""
    cases, commands = make_cases(work), Commands(build_shim(work), work)
    draws, deadline, rows = random.Random(seed), time.monotonic() + seconds, []
    for number, case in enumerate(cases):
        share = kills * (number + 1) // len(cases) - kills * number // len(cases)
        calm = work / f"calm-{case.command}"
        calm.mkdir()
        code, count = commands.run(case, calm)
        if code:
            raise SystemExit(f"bioner-{case.command}: {commands.log()}")
        if case.command == "train":
            shutil.copytree(calm / "run", work / "finished")
        reference, done, failures = case.result(calm), 0, []
        until = time.monotonic() + (deadline - time.monotonic()) / (len(cases) - number)
        while done < share and time.monotonic() < until:
            trial = Path(tempfile.mkdtemp(dir=work))
            more, failure = attempt(commands, case, trial, count, draws, min(3, share - done))
            done += more
            if not failure and case.result(trial) != reference:
                failure = "the result differs from that of a run without kills"
            if failure:
                failures.append(failure)
                print(f"bioner-{case.command}: {failure}", flush=True)
            shutil.rmtree(trial)
        row = [f"`bioner-{case.command}`", str(done), str(count), str(len(failures))]
        rows.append(row)
        print(f"{' '.join(row)} (kills, operations, failures)", flush=True)
    commands.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        rows = run_kills(Path(work), options.kills, options.seconds, options.seed)
    if options.report:
        header = [["command", "kills", "operations", "failures"], ["---", *["---:"] * 3]]
        lines = "".join(f"| {' | '.join(row)} |\n" for row in [*header, *rows])
        table = f"\\1\n{lines}\nSeed {options.seed}.\n\n\\2"
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(_TABLE.sub(table, text), encoding="utf-8")
    sys.exit(any(int(row[-1]) for row in rows))


if __name__ == "__main__":
    main()
