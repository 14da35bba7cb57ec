"""Tiny corpora and runs of them, for the tests of whole runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from bioner_tf.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from bioner_tf.tags import Span, from_spans

SPLITS = ("train", "devel", "test")
SIZES = {
    "word_dim": 5,
    "char_dim": 4,
    "char_filters": 4,
    "max_characters": 8,
    "lstm_units": 4,
    "projection_units": 6,
}
# High, so that so few updates of so few weights learn something.
TRAINING = {"batch_size": 4, "learning_rate": 0.03}

_WORDS = ["the", "of", "in", "was", "binds", "to", "and", "with", ",", ".", "found", "12", "cells"]


def write_corpus(
    data_dir: Path,
    name: str,
    types: Sequence[str] = ("Gene",),
    scheme: str = "IOB2",
    sentences: int = 16,
    unseen: Sequence[str] = (),
) -> None:
    """Writes a corpus whose names tell their type, with half as many sentences to devel and test.

    Args:
        data_dir: Where to.
        name: The corpus.
        types: Types of all splits.
        scheme: Of the tags.
        sentences: Of the training split.
        unseen: Types that are in devel and test only.
    """
    rng = np.random.default_rng(sum(map(ord, name)))
    for split in SPLITS:
        training = split == "train"
        of_split = [*types, *(() if training else unseen)]
        # Some names, and their characters, are not in training.
        numbers = range(4) if training else range(6)
        blocks = [
            _sentence(rng, of_split, numbers, scheme)
            for _ in range(sentences if training else sentences // 2)
        ]
        path = data_dir / name / f"{split}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(blocks), encoding="utf-8")


def _sentence(
    rng: np.random.Generator, types: Sequence[str], numbers: Sequence[int], scheme: str
) -> str:
    tokens: list[str] = []
    spans = []
    for _ in range(rng.integers(1, 4)):
        tokens += [str(word) for word in rng.choice(_WORDS, rng.integers(1, 4))]
        entity_type = types[rng.integers(len(types))]
        length = int(rng.integers(1, 4))
        spans.append(Span(len(tokens), len(tokens) + length, entity_type))
        tokens += [f"{entity_type}{'αβγδεζ'[rng.choice(numbers)]}" for _ in range(length)]
    tags = from_spans(spans, len(tokens), scheme)
    return "".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags))


def make_config(
    data_dir: Path, corpora: Sequence[str], structure: str = "cross_sharing", **changes
) -> RunConfig:
    """A run of the sizes above; ``changes`` are settings of any part of it."""
    settings = {**SIZES, **TRAINING, "structure": structure, **changes}

    def of(part):
        names = part.__dataclass_fields__
        return {name: settings.pop(name) for name in names if name in settings}

    data = DataConfig(data_dir=str(data_dir), corpora=tuple(corpora), **of(DataConfig))
    config = RunConfig(data, ModelConfig(**of(ModelConfig)), TrainingConfig(**of(TrainingConfig)))
    if settings:
        raise TypeError(f"no such settings: {sorted(settings)}")
    return config


def flags_of(config: RunConfig, run_dir: Path) -> list[str]:
    """The flags of ``bioner-train`` that describe ``config``."""
    settings = {"run_dir": run_dir}
    for part in config.to_json().values():
        settings.update(part)
    types = settings.pop("types")
    flags = [f"--types={name}:{'+'.join(kept)}" for name, kept in types.items()]
    for name, value in settings.items():
        if isinstance(value, (list, tuple)):
            value = ",".join(value)
        flags.append(f"--{name}={value}")
    return flags


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


# TensorFlow takes seconds to import: one process does, and becomes each command by a fork.
_COMMANDS = """
import importlib, json, os, sys, traceback

command = importlib.import_module(f"bioner_tf.cli.{sys.argv[1]}")
importlib.import_module(sys.argv[2])

directory = sys.argv[3]
for number, arguments in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if child == 0:
        for descriptor, name in ((1, "out"), (2, "err")):
            path = os.path.join(directory, f"{number}.{name}")
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
        sys.argv = [f"bioner-{sys.argv[1]}", *arguments]
        code = 99
        try:
            command.entry()
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
    directory.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, command, needed, str(directory)],
        input=json.dumps([[str(argument) for argument in line] for line in lines]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [
        Ended(int(code), *((directory / f"{number}.{name}").read_text() for name in ("out", "err")))
        for number, code in enumerate(done.stdout.split())
    ]


CORPORA = ("genes", "mixed")
_SHARED: list[Path] = []


def shared_run(factory: pytest.TempPathFactory) -> Path:
    """Returns the directory of a finished run that all tests of a session look at.

    Cross-sharing of a corpus of one type, whose devel and test splits have another type that
    training never saw, and a corpus of two types in IOBES. Vectors bring words that training never
    saw.
    """
    if not _SHARED:
        from bioner_tf.run import train

        root = factory.mktemp("shared")
        write_corpus(root / "data", "genes", unseen=("Rare",))
        write_corpus(root / "data", "mixed", types=("Gene", "Drug"), scheme="IOBES")
        vectors = root / "vectors.txt"
        vectors.write_text("of .1 .2 .3\nGeneε .2 .3 .4\nDrugζ .5 -.1 -.2\n", encoding="utf-8")
        config = make_config(
            root / "data", CORPORA, epochs=3, word_dim=0, vectors=str(vectors), dropout_rate=0.2
        )
        train(config, root / "run", "--epochs=3\n")
        _SHARED.append(root / "run")
    return _SHARED[0]
