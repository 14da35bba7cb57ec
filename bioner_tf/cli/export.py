"""Writes a trained run as a SavedModel that takes raw text: EXPORT_DIR/VERSION/."""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app

RUN_DIR = flags.DEFINE_string("run_dir", None, "The run, as bioner-train made it.", required=True)
EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "The directory of versions; by default export in the run directory."
)
VERSION = flags.DEFINE_integer(
    "version", None, "The version's number; by default the next one.", lower_bound=1
)


def main(argv: list[str]) -> None:
    """Exports."""
    del argv
    from bioner_tf.run import export_run, load_run
    from bioner_tf.threads import use_threads

    use_threads()
    run = load_run(RUN_DIR.value)
    print(export_run(run, EXPORT_DIR.value or run.directory.exports, VERSION.value))


def entry() -> None:
    """The console script ``bioner-export``."""
    app.run(main)


if __name__ == "__main__":
    entry()
