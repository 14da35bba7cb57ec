"""Runs the commands as a user does, many in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


# TensorFlow takes seconds to import: one process does, and becomes each command by a fork.
_COMMANDS = """
import importlib, json, os, sys, traceback

needed, directory = sys.argv[1:]
importlib.import_module(needed)

for number, (command, *arguments) in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if child == 0:
        for descriptor, name in ((1, "out"), (2, "err")):
            path = os.path.join(directory, f"{number}.{name}")
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
        sys.argv = [f"bioner-{command}", *arguments]
        code = 99
        try:
            importlib.import_module(f"bioner_tf.cli.{command}").entry()
        except SystemExit as leaving:
            code = leaving.code
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_commands(
    command: str, needed: str, lines: Sequence[Sequence[object]], directory: Path
) -> list[Ended]:
    """Runs ``bioner-<command>`` once for each of ``lines``, its arguments.

    Args:
        command: The module of the command.
        needed: The module that it imports when it knows its flags.
        lines: The arguments of each run.
        directory: A directory for what they print; made.
    """
    return run_lines(needed, [[command, *line] for line in lines], directory)


def run_lines(needed: str, lines: Sequence[Sequence[object]], directory: Path) -> list[Ended]:
    """Runs commands, each given by its module and its arguments; see ``run_commands``."""
    directory.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, needed, str(directory)],
        input=json.dumps([[str(argument) for argument in line] for line in lines]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [
        Ended(
            int(code),
            *(
                (directory / f"{number}.{name}").read_text(errors="replace")
                for name in ("out", "err")
            ),
        )
        for number, code in enumerate(done.stdout.split())
    ]
