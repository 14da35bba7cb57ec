"""The sources of every tagger, in the order of their features."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from bioner_tf.config import ModelConfig, RunConfig
from bioner_tf.corpora.corpus import Sentence
from bioner_tf.files import PathLike
from bioner_tf.sources.base import Source
from bioner_tf.sources.characters import CharacterSource
from bioner_tf.sources.words import WordSource

SOURCES: list[type[Source]] = [WordSource, CharacterSource]


def build_sources(
    config: RunConfig, training: Mapping[str, Sequence[Sentence]]
) -> tuple[RunConfig, list[Source]]:
    """Makes the sources of a new run.

    Args:
        config: The settings of the run.
        training: The training sentences of each corpus.

    Returns:
        The run's settings, with the sizes that a source has determined, and the sources.

    Raises:
        BionerError: If a file that a source reads is missing or damaged.
    """
    sources = []
    for kind in SOURCES:
        sources.append(kind.build(config, training))
        config = dataclasses.replace(config, model=sources[-1].config)
    return config, sources


def load_sources(config: ModelConfig, directory: PathLike) -> list[Source]:
    """Makes the sources of a run whose vocabularies were saved in ``directory``.

    Raises:
        BionerError: If a file is missing or damaged.
    """
    return [kind.load(config, directory) for kind in SOURCES]
