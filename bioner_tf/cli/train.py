"""Trains a tagger on one or more corpora, scores it on their test splits and exports it.

The run directory is the whole record. Given again with the same flags, the command continues an
interrupted run, and shows the scores of a finished one.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from absl import flags

from bioner_tf.cli import app
from bioner_tf.config import RunConfig, settings
from bioner_tf.errors import UsageError

_DEFINE = {
    "str": flags.DEFINE_string,
    "int": flags.DEFINE_integer,
    "float": flags.DEFINE_float,
    "bool": flags.DEFINE_bool,
    "tuple[str, ...]": flags.DEFINE_list,
    "Mapping[str, tuple[str, ...]]": flags.DEFINE_multi_string,
}


def _define_flag(setting: dataclasses.Field[Any]) -> flags.FlagHolder:
    """Defines the flag of a setting; one without a default is required."""
    default: Any = None
    if setting.default is not dataclasses.MISSING:
        default = setting.default
    elif setting.default_factory is not dataclasses.MISSING:
        default = setting.default_factory()
    if isinstance(default, (tuple, dict)):
        default = list(default)
    required, choices = default is None, setting.metadata["choices"]
    if choices and setting.type == "str":
        return flags.DEFINE_enum(
            setting.name, default, choices, setting.metadata["help"], required=required
        )
    define = _DEFINE[str(setting.type)]
    return define(setting.name, default, setting.metadata["help"], required=required)


SETTINGS = {setting.name: _define_flag(setting) for setting in settings()}
RUN_DIR = flags.DEFINE_string("run_dir", None, "Where everything is written to.", required=True)
CORES = flags.DEFINE_integer(
    "cores",
    None,
    "The most cores to use; by default all that the process may use.",
    lower_bound=1,
)


def parse_types(values: list[str]) -> dict[str, tuple[str, ...]]:
    """Reads the values of ``--types``, each ``CORPUS:TypeA+TypeB``."""
    types = {}
    for value in values:
        corpus, colon, names = value.rpartition(":")
        if not (corpus and colon and all(names.split("+"))):
            raise UsageError(f"--types: expected CORPUS:TypeA+TypeB, got {value!r}")
        types[corpus] = tuple(names.split("+"))
    return types


def config_from_flags() -> RunConfig:
    """Returns the run that the flags describe."""
    values = {name: flag.value for name, flag in SETTINGS.items()}
    values["types"] = parse_types(values["types"])
    return RunConfig.from_settings(
        {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    )


def main(argv: list[str]) -> None:
    """Trains, or continues, the run that the flags describe."""
    del argv
    config = config_from_flags()
    flags_text = flags.FLAGS.flags_into_string()

    from bioner_tf.machine import use_threads
    from bioner_tf.training.run import train

    use_threads(CORES.value)
    try:
        train(config, RUN_DIR.value, flags_text)
    except KeyboardInterrupt:
        print(f"{RUN_DIR.value}: give the same command again to go on", file=sys.stderr)
        raise


entry = app.command(main)

if __name__ == "__main__":
    entry()
