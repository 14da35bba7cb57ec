"""Writes tiny corpora, and configures runs that train on them in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bioner_tf.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from bioner_tf.corpora.tags import Span, from_spans

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
