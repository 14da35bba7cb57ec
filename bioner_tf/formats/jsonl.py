"""JSON Lines: one object for each text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bioner_tf.formats.annotation import Entity


def to_json(text: str, entities: Sequence[Entity]) -> str:
    """A text and its entities as one line of JSON; scores have 6 decimals."""
    described = [{**e._asdict(), "score": round(e.score, 6)} for e in entities]
    return json.dumps({"text": text, "entities": described}, ensure_ascii=False)
