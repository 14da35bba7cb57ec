"""Lists the commands and runs them: ``bioner tag --model=tagger`` is bioner-tag."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

from bioner_tf.cli import app
from bioner_tf.errors import UsageError

# Every other module of this folder is a command; app.py is how all of them start and end.
COMMANDS = sorted(
    {path.stem for path in Path(__file__).parent.glob("*.py")} - {"__init__", "app", "bioner"}
)


def main(argv: list[str]) -> None:
    """Lists the commands."""
    del argv
    print("usage: bioner COMMAND [--flag=value ...], or bioner-COMMAND [--flag=value ...]\n")
    width = max(map(len, COMMANDS))
    for command in COMMANDS:
        print(f"  {command:<{width}}  {_summary(command)}")
    print("\nbioner COMMAND --help shows the flags of a command; bioner --version the version.")


def _summary(command: str) -> str:
    """Returns the first line of a command's docstring, without importing it and its flags."""
    source = Path(__file__).with_name(f"{command}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def entry() -> None:
    """The console script ``bioner``: the first argument names the command."""
    # Before the arguments change, because it may start the program again.
    app.use_utf8()
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in COMMANDS:
        sys.argv[:2] = [f"bioner {command}"]
        importlib.import_module(f"bioner_tf.cli.{command}").entry()
    if command in ("--help", "-h", "help"):
        sys.argv[1:] = []
    elif not command.startswith("-"):
        sys.argv[1:] = []
        app.run(_refuse(command))
    app.run(main)


def _refuse(command: str) -> app.Main:
    def refuse(argv: list[str]) -> None:
        del argv
        raise UsageError(
            f"expected a command ({', '.join(COMMANDS)}), got {command!r} (see bioner --help)"
        )

    return refuse


if __name__ == "__main__":
    entry()
