"""Collects the runs below a directory into tables of their test scores.

Runs that differ only in the seed become one row: mean and standard deviation.
"""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.errors import UsageError
from bioner_tf.experiments.collect import collect_runs
from bioner_tf.experiments.machine import describe_machine
from bioner_tf.experiments.tables import Origin, results_csv, results_markdown
from bioner_tf.files import write_text_atomically

SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", None, "The directory with run directories somewhere below.", required=True
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Write the page to this Markdown file, and the numbers as CSV beside it; by default the page "
    "is printed.",
)


def origin(sweep_dir: str, output: str | None) -> Origin:
    """What the page says about its making: no place on this machine."""
    arguments = {"sweep_dir": sweep_dir, "output": output}
    given = [f"--{name}={_portable(path)}" for name, path in arguments.items() if path]
    return Origin(
        shlex.join(["bioner-report", *given]),
        describe_machine(),
        datetime.date.today().isoformat(),
    )


def _portable(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def main(argv: list[str]) -> None:
    """Collects and writes."""
    del argv
    if OUTPUT.value is not None and Path(OUTPUT.value).suffix != ".md":
        raise UsageError(f"--output: expected the name of a .md file, got {OUTPUT.value!r}")
    collection = collect_runs(SWEEP_DIR.value)
    page = results_markdown(collection, origin(SWEEP_DIR.value, OUTPUT.value))
    if OUTPUT.value is None:
        print(page, end="")
        return
    path = Path(OUTPUT.value)
    write_text_atomically(path, page)
    write_text_atomically(path.with_suffix(".csv"), results_csv(collection))
    print(f"{path}\n{path.with_suffix('.csv')}")


def entry() -> None:
    """The console script ``bioner-report``."""
    app.run(main)


if __name__ == "__main__":
    entry()
