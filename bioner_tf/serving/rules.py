"""How the entities of several corpora become one answer; readable without TensorFlow.

In this order: types are renamed, entities below a score are dropped, and overlaps are settled.
"""

from __future__ import annotations

import dataclasses

from bioner_tf.corpora.type_map import TypeMap
from bioner_tf.errors import BionerError

# What to do with entities that overlap. Of equal ones the longer stays, then that of the earlier
# corpus.
OVERLAPS = {
    "score": "keep the most probable entity, drop what overlaps it, and so on",
    "longest": "the same by length in characters, then by score",
    "corpus": "the same by the order of the corpora",
    "all": "keep everything, the same span with the same type once, with its highest score",
}
# What an export can be made for.
SERVED = {
    "all": "all corpora, merged",
    "main": "the main corpus",
}


@dataclasses.dataclass(frozen=True)
class MergeRules:
    """The rules of merging.

    Attributes:
        type_map: New names of types.
        min_score: The least score of an entity, in [0, 1].
        overlaps: A name in :data:`OVERLAPS`.

    Raises:
        BionerError: A value is not allowed.
    """

    type_map: TypeMap = dataclasses.field(default_factory=TypeMap)
    min_score: float = 0.0
    overlaps: str = "score"

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise BionerError(f"min_score: expected a number in [0, 1], got {self.min_score}")
        if self.overlaps not in OVERLAPS:
            raise BionerError(f"overlaps: expected {', '.join(OVERLAPS)}; got {self.overlaps!r}")


def describe_overlaps() -> str:
    """What each name in :data:`OVERLAPS` means, for a flag's help."""
    described = "; ".join(f"{name}: {meaning}" for name, meaning in OVERLAPS.items())
    return f"{described}. Of equal entities the longer is kept, then that of the earlier corpus."
