"""Writes a trained run as a SavedModel that takes raw text: EXPORT_DIR/VERSION/."""

from __future__ import annotations

import contextlib
from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.config import PRECISIONS, TABLE_PRECISIONS, parse_temperature
from bioner_tf.corpora.type_map import SYNTAX, parse_type_map
from bioner_tf.errors import UsageError
from bioner_tf.serving.rules import OVERLAPS, SERVED, MergeRules, describe_overlaps

RUN_DIR = flags.DEFINE_string("run_dir", None, "The run, as bioner-train made it.", required=True)
EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "The directory of versions; by default export in the run directory."
)
VERSION = flags.DEFINE_integer(
    "export_version", None, "The version's number; by default the next one.", lower_bound=1
)

KEEP_VERSIONS = flags.DEFINE_integer(
    "keep_versions",
    None,
    "Keep only this many of the newest exports in the directory of versions; by default all stay.",
    lower_bound=1,
)
MAX_WORDS = flags.DEFINE_integer(
    "max_words",
    None,
    "Keep only this many of the most frequent words of the training text; others are unknown words "
    "to the export. By default all stay.",
    lower_bound=1,
)
TABLE_PRECISION = flags.DEFINE_enum(
    "table_precision",
    "float32",
    TABLE_PRECISIONS,
    "Precision in which the vectors of words and characters are stored; float16 takes half the "
    "space.",
)
PRECISION = flags.DEFINE_enum(
    "precision",
    None,
    PRECISIONS,
    "Precision of the Bi-LSTMs' matmuls in the export; by default the one of the training.",
)
SERVE = flags.DEFINE_enum(
    "serve",
    "all",
    list(SERVED),
    "What serving_default answers, and the commands by default: "
    + "; ".join(f"{name}: {help_text}" for name, help_text in SERVED.items())
    + ".",
)
TYPE_MAP = flags.DEFINE_list(
    "type_map", [], f"Types of the merged answer: {SYNTAX}. Later it can only be refined."
)
MIN_SCORE = flags.DEFINE_float(
    "min_score",
    0.0,
    "Leave entities with a lower score out of the merged answer, before overlaps are settled.",
    lower_bound=0.0,
    upper_bound=1.0,
)
OVERLAPS_FLAG = flags.DEFINE_enum(
    "overlaps",
    "score",
    list(OVERLAPS),
    f"What the merged answer does with entities that overlap. {describe_overlaps()}",
)
TEMPERATURE = flags.DEFINE_string(
    "temperature",
    "auto",
    "What the CRFs' scores are divided by before they become probabilities: a number above 0, for "
    "all corpora, or auto: for each corpus the number, fitted on devel, that makes entity scores "
    "agree with the share of correct entities (1 if the run was trained on devel). It does not "
    "change which entities are found.",
)


def main(argv: list[str]) -> None:
    """Exports the run that the flags describe; prints the directories written and removed."""
    del argv
    from bioner_tf.machine import use_threads
    from bioner_tf.serving.versions import lock_exports, prune_versions
    from bioner_tf.training.pruning import pruned_words
    from bioner_tf.training.temperature import with_temperatures
    from bioner_tf.training.trained_run import export_run, load_run

    rules = MergeRules(parse_type_map(TYPE_MAP.value), MIN_SCORE.value, OVERLAPS_FLAG.value)
    if VERSION.value is not None and KEEP_VERSIONS.value is not None:
        raise UsageError(
            "--keep_versions: expected no --export_version beside it, because the highest numbers "
            "are kept; leave out one of the two"
        )
    temperature = parse_temperature(TEMPERATURE.value)
    use_threads()
    run = with_temperatures(load_run(RUN_DIR.value, PRECISION.value), temperature)
    export_dir = Path(EXPORT_DIR.value or run.directory.exports)
    with lock_exports(export_dir), contextlib.ExitStack() as stack:
        # A version that may be served already must not change.
        if VERSION.value is not None and (export_dir / str(VERSION.value)).exists():
            raise UsageError(
                f"{export_dir}: version {VERSION.value} is there already; remove it, or leave "
                "--export_version out for the next number"
            )
        if MAX_WORDS.value is not None:
            run = stack.enter_context(pruned_words(run, MAX_WORDS.value))
        directory = export_run(
            run, export_dir, VERSION.value, TABLE_PRECISION.value, rules, SERVE.value
        )
        print(directory)
        if KEEP_VERSIONS.value is not None:
            for version in prune_versions(export_dir, KEEP_VERSIONS.value):
                print(f"removed {export_dir / str(version)}")


entry = app.command(main)

if __name__ == "__main__":
    entry()
