"""Collects the runs below a directory into tables of their test scores.

Runs that differ only in the seed become one row: mean and standard deviation. Runs of the paper's
experiments are also shown in the layout of its tables, with the paper's statements about them.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.errors import UsageError
from bioner_tf.experiments.reports.origin import Origin
from bioner_tf.experiments.reports.page import build_page, print_page, write_page
from bioner_tf.runs.collection import collect_runs

SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", None, "The directory with run directories somewhere below.", required=True
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Write the page to this Markdown file, and beside it the same page as one HTML file, the "
    "numbers as CSV and a directory of pictures; by default print the page.",
)
PICTURES = flags.DEFINE_bool("pictures", True, "Draw pictures (needs matplotlib).")


def main(argv: list[str]) -> None:
    """Collects the runs and writes, or prints, the page."""
    del argv
    if OUTPUT.value is not None and Path(OUTPUT.value).suffix != ".md":
        raise UsageError(f"--output: expected the name of a .md file, got {OUTPUT.value!r}")
    collection = collect_runs(SWEEP_DIR.value)
    paths = {"sweep_dir": SWEEP_DIR.value, "output": OUTPUT.value}
    origin = Origin.here_and_now("bioner-report", paths)
    page = build_page(collection, origin, PICTURES.value and OUTPUT.value is not None)
    if OUTPUT.value is None:
        print(print_page(page), end="")
        return
    for path in write_page(Path(OUTPUT.value), page, collection):
        print(path)


entry = app.command(main)

if __name__ == "__main__":
    entry()
