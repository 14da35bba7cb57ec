"""The sharing structures, one module each; ``build_tagger`` is their only registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bioner_tf.config import ModelConfig
from bioner_tf.models import (
    adversarial,
    cross_sharing,
    fully_shared,
    shared_private,
    single_task,
)
from bioner_tf.models.builder import MultiTaskTagger, Parts

_STRUCTURES = {
    "single_task": single_task.build,
    "fully_shared": fully_shared.build,
    "shared_private": shared_private.build,
    "adversarial": adversarial.build,
    "cross_sharing": cross_sharing.build,
}


def build_tagger(
    config: ModelConfig,
    word_table: np.ndarray,
    num_characters: int,
    tags: Mapping[str, Sequence[str]],
    seed: int,
) -> MultiTaskTagger:
    """Builds the networks of a tagger, one a corpus, that share what their structure shares.

    Args:
        config: The structure and its sizes.
        word_table: float32 (words, word_dim), the initial word vectors; row 0 is padding.
        num_characters: Rows of the character table, padding and unknown included.
        tags: The tags of each corpus, the main corpus first.
        seed: Of the initial weights and of dropout.

    Returns:
        The tagger.
    """
    parts = Parts(config, word_table, num_characters, tags, seed)
    return parts.assemble(_STRUCTURES[config.structure](parts))
