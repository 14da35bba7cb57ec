"""Collects the runs below a directory into tables of their test scores.

Runs that differ only in the seed become one row: mean and standard deviation.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.errors import UsageError
from bioner_tf.experiments.collect import collect_runs
from bioner_tf.experiments.origin import Origin
from bioner_tf.experiments.tables import results_csv, results_markdown
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


def main(argv: list[str]) -> None:
    """Collects and writes."""
    del argv
    if OUTPUT.value is not None and Path(OUTPUT.value).suffix != ".md":
        raise UsageError(f"--output: expected the name of a .md file, got {OUTPUT.value!r}")
    collection = collect_runs(SWEEP_DIR.value)
    paths = {"sweep_dir": SWEEP_DIR.value, "output": OUTPUT.value}
    page = results_markdown(collection, Origin.here_and_now("bioner-report", paths))
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
