"""Damages files of run directories between a kill and the next start, and after the end.

The next start ends with the same result as an undisturbed run, or with one line that says what is
wrong; never with another result, never with a traceback.
"""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from tests.chaos.kills import (
    KILLED,
    Case,
    Commands,
    export_case,
    outcome_of_run,
    tag_case,
    train_case,
)
from tests.chaos.table import Result

# Nothing reads them again: TensorBoard's events, the picture, what the user gave as flags, locks.
_NOT_READ = ("tensorboard/", "learning_curve.png", "flags.txt", "train.lock")
# How many killed runs the trials start from, if a quarter of the time is enough for them.
_KILLED_RUNS = 12


def damage_file(run_dir: Path, draws: random.Random) -> str:
    """Damages one file of a run; returns what was done."""
    files = [path for path in sorted(run_dir.rglob("*")) if path.is_file()]
    names = [path.relative_to(run_dir).as_posix() for path in files]
    name = draws.choice([name for name in names if not name.startswith(_NOT_READ)])
    path, content = run_dir / name, (run_dir / name).read_bytes()
    kind = draws.choice(("flip", "flip", "cut", "empty", "remove", "zeros", "longer"))
    place = draws.randrange(len(content) or 1)
    if kind == "remove" or not content:
        path.unlink()
        return f"{name} removed"
    if kind == "flip":
        flipped = content[place] ^ 1 << draws.randint(0, 7)
        content = content[:place] + bytes([flipped]) + content[place + 1 :]
    elif kind == "cut":
        content = content[:place]
    elif kind == "empty":
        content = b""
    elif kind == "zeros":
        content = content[:place] + bytes(len(content) - place)
    else:
        content += content[place:]
    path.write_bytes(content)
    return f"{name}: {kind} at {place}"


def same_run(trial: Path, expected: dict[str, object], what: str) -> bool:
    """Tells whether a training ended as expected.

    A damaged checkpoint that is not the newest is not read again; it may stay as it is.
    """
    directory, _, rest = what.removeprefix("checkpoints/").partition("/")
    if what.startswith("checkpoints/") and rest:
        shutil.rmtree(trial / "run" / "checkpoints" / directory, ignore_errors=True)
        kept = {n: v for n, v in expected["checkpoints"].items() if n != directory}
        expected = {**expected, "checkpoints": kept}
    return outcome_of_run(trial) == expected


def judge(code: int, log: str, same: bool) -> tuple[str, str]:
    """Returns how a start on damage ended, and what is wrong with that (or an empty string)."""
    if code == 0:
        return "same result", "" if same else "another result, and exit code 0"
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    if code not in (1, 2) or "Traceback" in log or len(errors) != 1:
        return "one line", f"exit code {code}: {log[-600:]}"
    return "one line", ""


def killed_runs(
    commands: Commands, case: Case, work: Path, operations: int, seconds: float, seed: int
) -> list[Path]:
    """Makes run directories of killed trainings, at least one, and returns their places."""
    draws, runs = random.Random(f"{seed} killed"), []
    deadline = time.monotonic() + seconds
    for number in range(_KILLED_RUNS):
        if runs and time.monotonic() > deadline:
            break
        trial = work / f"killed-{number}"
        trial.mkdir()
        # Most of the operations are those of the end: the export.
        last = operations if number % 3 == 2 else operations // 2
        if commands.run(case, trial, draws.randint(operations // 20, last)).code == KILLED:
            runs.append(trial)
    return runs


def run(work: Path, count: int, seconds: float, seed: int) -> Result:
    """Damages ``count`` run directories, or as many as there is time for."""
    commands, deadline = Commands(work), time.monotonic() + seconds
    case, calm, finished = train_case(work), work / "calm", work / "finished"
    calm.mkdir()
    operations = commands.run(case, calm).operations
    expected = outcome_of_run(calm)
    runs = killed_runs(commands, case, work, operations, seconds / 4, seed)
    shutil.copytree(calm / "run", finished)
    users = [tag_case(work), export_case(work)]
    right = []
    for user in users:
        directory = work / f"calm-{user.command}"
        directory.mkdir()
        commands.run(user, directory)
        right.append(user.result(directory))

    rows, failures = [], []
    for number, name in enumerate(("train", "tag", "export")):
        draws = random.Random(f"{seed} {name}")
        share = count * (number + 1) // 3 - count * number // 3
        until = time.monotonic() + (deadline - time.monotonic()) / (3 - number)
        found = {"same result": 0, "one line": 0}
        failed = 0
        while (done := sum(found.values())) < share and (not done or time.monotonic() < until):
            trial = work / "trial"
            if name == "train":
                shutil.copytree(draws.choice(runs), trial)
                what = damage_file(trial / "run", draws)
                code = commands.run(case, trial).code
                same = code == 0 and same_run(trial, expected, what)
            else:
                user, wanted = users[number - 1], right[number - 1]
                trial.mkdir()
                shutil.rmtree(finished)
                shutil.copytree(calm / "run", finished)
                what = damage_file(finished, draws)
                code = commands.run(user, trial).code
                same = code == 0 and user.result(trial) == wanted
            ended, failure = judge(code, commands.log(), same)
            found[ended] += 1
            if failure:
                failed += 1
                failures.append(f"bioner-{name}, seed {seed}, {what}: {failure}")
                print(failures[-1], flush=True)
            shutil.rmtree(trial)
        row = ["a killed run" if name == "train" else "a finished run", f"`bioner-{name}`"]
        rows.append([*row, sum(found.values()), *found.values(), failed])
        print(*rows[-1], flush=True)
    commands.close()
    header = ["damaged", "then", "trials", "same result", "one line", "failures"]
    return Result(header, rows, failures)
