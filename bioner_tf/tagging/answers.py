"""From the outputs of a signature to entities, merged again where other rules are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bioner_tf.formats.annotation import Entity
from bioner_tf.serving.merging import Candidates, merge
from bioner_tf.serving.rules import MergeRules

Outputs = Mapping[str, np.ndarray]


def read_entities(
    outputs: Outputs, texts: Sequence[str], corpora: Sequence[str], rules: MergeRules | None
) -> list[list[Entity]]:
    """Reads the entities of each text.

    Args:
        outputs: The outputs of a signature that takes texts.
        texts: The texts that it was given.
        corpora: The corpora whose entities they may be, the earlier ones first; one if the
            signature does not say the corpus.
        rules: How the entities are merged; None takes them as they are.

    Returns:
        The entities of each text, in order.
    """
    width = outputs["entity_start"].shape[1]
    rows, columns = np.nonzero(np.arange(width) < outputs["entity_count"][:, np.newaxis])
    starts, ends, types, scores = (
        outputs[f"entity_{name}"][rows, columns] for name in ("start", "end", "type", "score")
    )
    types = [entity_type.decode() for entity_type in types]
    if "entity_corpus" in outputs:
        numbers = {corpus.encode(): number for number, corpus in enumerate(corpora)}
        corpus_ids = [numbers[corpus] for corpus in outputs["entity_corpus"][rows, columns]]
    else:
        corpus_ids = [0] * len(types)
    if rules is not None:
        types = [rules.type_map.rename(corpora[i], name) for i, name in zip(corpus_ids, types)]
        # The texts one after the other, with a gap.
        firsts = rows * (1 + max(map(len, texts)))
        merged = _merge(corpus_ids, firsts + starts, firsts + ends, types, scores, rules)
        rows, starts, ends, scores = (values[merged] for values in (rows, starts, ends, scores))
        types, corpus_ids = ([values[place] for place in merged] for values in (types, corpus_ids))

    found: list[list[Entity]] = [[] for _ in texts]
    for row, start, end, name, score, corpus_id in zip(
        rows, starts.tolist(), ends.tolist(), types, scores.tolist(), corpus_ids
    ):
        found[row].append(
            Entity(start, end, name, texts[row][start:end], score, corpora[corpus_id])
        )
    return found


def _merge(
    corpus_ids: Sequence[int],
    starts: np.ndarray,
    ends: np.ndarray,
    types: Sequence[str],
    scores: np.ndarray,
    rules: MergeRules,
) -> np.ndarray:
    """The places of the entities that the rules keep, in order."""
    places = np.argsort(np.array(corpus_ids, np.int32), kind="stable")
    candidates = Candidates(
        tf.constant(corpus_ids, tf.int32),
        tf.constant(starts, tf.int64),
        tf.constant(ends, tf.int64),
        tf.constant(types, tf.string),
        tf.constant(scores, tf.float32),
    ).take(places)
    return places[merge(candidates, rules.min_score, rules.overlaps).numpy()]
