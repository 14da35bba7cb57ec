"""The paper's sharing structures, one module each, and ``build_tagger``, which builds any of them.

Uses ``sources`` and ``layers``; imported by ``training`` and above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bioner_tf.config import ModelConfig
from bioner_tf.models import (
    adversarial,
    cross_sharing,
    fully_shared,
    shared_private,
    single_task,
)
from bioner_tf.models.builder import MultiTaskTagger, TaggerBuilder
from bioner_tf.sources.base import Source

_STRUCTURES = {
    "single_task": single_task.build,
    "fully_shared": fully_shared.build,
    "shared_private": shared_private.build,
    "adversarial": adversarial.build,
    "cross_sharing": cross_sharing.build,
}


def build_tagger(
    config: ModelConfig,
    sources: Sequence[Source],
    tags: Mapping[str, Sequence[str]],
    seed: int,
) -> MultiTaskTagger:
    """Builds the networks of a tagger, one for each corpus, with the layers that they share.

    Args:
        config: The structure and its sizes.
        sources: The feature sources of the networks.
        tags: The tags of each corpus, the main corpus first.
        seed: The seed of initial weights and dropout.
    """
    builder = TaggerBuilder(config, sources, tags, seed)
    return builder.assemble(_STRUCTURES[config.structure](builder))
