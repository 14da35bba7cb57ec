"""Writes the tagger of a run as a SavedModel, for TensorFlow Serving or any TensorFlow program.

It takes raw text. It goes to <export_dir>/<version>/ and appears there when it is whole.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.errors import UsageError

_RUN_DIR = flags.DEFINE_string("run_dir", None, "The run, as bioner-train wrote it.", required=True)
_EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "The directory of versions; by default export/ in the run directory."
)
_VERSION = flags.DEFINE_integer(
    "version", None, "The version's number; by default the next one.", lower_bound=1
)


def main(argv: list[str]) -> None:
    """Exports."""
    del argv  # only the program's name: every setting is a flag
    from bioner_tf.run import export_run, load_run

    run = load_run(_RUN_DIR.value)
    export_dir = Path(_EXPORT_DIR.value or run.directory.exports)
    if _VERSION.value is not None and (export_dir / str(_VERSION.value)).exists():
        raise UsageError(
            f"{export_dir}: version {_VERSION.value} is there already; remove it, or leave "
            "--version out for the next number"
        )
    print(export_run(run, export_dir, _VERSION.value))


def entry() -> None:
    """The console script ``bioner-export``."""
    app.run(main)


if __name__ == "__main__":
    entry()
