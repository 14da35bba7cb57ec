"""Merges the entities of several corpora into one answer: core TensorFlow ops, in graph or eager.

Entities that overlap are settled greedily: the first by priority stays and what overlaps it is
dropped, then the first of the rest stays, and so on. This is done for all places at once: in each
round, every entity stays that comes before all that it overlaps. Overlaps end with the sentence, so
a text of any length takes at most as many rounds as a sentence has tokens, rarely more than three.
Time and memory of a round grow with the number of entities times the number of corpora.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Candidates(NamedTuple):
    """Entities of some texts and corpora; those of one corpus do not overlap.

    Attributes:
        corpora: int32 (candidates,), the number of the corpus, ascending.
        starts: int64 (candidates,), positions; those of different texts differ.
        ends: int64 (candidates,), half-open, greater than the start.
        types: string (candidates,).
        scores: float32 (candidates,), in [0, 1].
    """

    corpora: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    types: tf.Tensor
    scores: tf.Tensor

    def take(self, places: tf.Tensor) -> Candidates:
        """Some of the candidates, in the order of ``places``."""
        return Candidates(*(tf.gather(values, places) for values in self))


CANDIDATES_SPEC = Candidates(
    corpora=tf.TensorSpec([None], tf.int32),
    starts=tf.TensorSpec([None], tf.int64),
    ends=tf.TensorSpec([None], tf.int64),
    types=tf.TensorSpec([None], tf.string),
    scores=tf.TensorSpec([None], tf.float32),
)


def merge(candidates: Candidates, min_score: float, overlaps: str) -> tf.Tensor:
    """Chooses the entities of the merged answer.

    Args:
        candidates: The entities, with the types that they get in the answer; those of type ``""``
            are dropped.
        min_score: Entities with a lower score are dropped.
        overlaps: A name in ``rules.OVERLAPS``.

    Returns:
        int64 (entities,): their places among the candidates, by start, then end, then corpus.
    """
    is_wanted = tf.not_equal(candidates.types, "") & (candidates.scores >= min_score)
    wanted = tf.where(is_wanted)[:, 0]
    candidates = candidates.take(wanted)
    is_kept = _first_of_each(candidates) if overlaps == "all" else _settle(candidates, overlaps)
    kept = tf.where(is_kept)[:, 0]
    return tf.gather(wanted, tf.gather(kept, in_order(candidates.take(kept))))


def in_order(candidates: Candidates) -> tf.Tensor:
    """Int32 (candidates,): the places of the candidates, by start, then end, then corpus."""
    return _sorted_places(candidates.starts, candidates.ends)


def _first_of_each(candidates: Candidates) -> tf.Tensor:
    """Bool (candidates,): the one with the highest score of each span and type."""
    _, type_ids = tf.unique(candidates.types)
    places = _sorted_places(candidates.starts, candidates.ends, type_ids, -candidates.scores)
    columns = (candidates.starts, candidates.ends, tf.cast(type_ids, tf.int64))
    rows = tf.gather(tf.stack(columns, axis=1), places)  # (candidates, 3)
    # A row that differs from the one before is the first of its kind.
    before = tf.concat([tf.fill([1, 3], tf.int64.min), rows], axis=0)[:-1]
    is_first = tf.reduce_any(rows != before, axis=1)
    return tf.scatter_nd(places[:, tf.newaxis], is_first, tf.shape(places))


def _settle(candidates: Candidates, overlaps: str) -> tf.Tensor:
    """Bool (candidates,): those that stay. No two of them overlap."""
    lengths = candidates.ends - candidates.starts
    keys = {
        "score": (-candidates.scores, -lengths),
        "longest": (-lengths, -candidates.scores),
        "corpus": (),
    }[overlaps]
    ranks = tf.math.invert_permutation(_sorted_places(*keys, candidates.corpora))  # 0: the first
    number = tf.size(ranks)

    # Two candidates overlap if and only if both cover the start of one of the two. So it is enough
    # to look at the distinct starts: which candidate covers which start, as pairs of numbers.
    positions, _ = tf.unique(tf.sort(candidates.starts))
    num_positions = tf.size(positions)
    covered = tf.ragged.range(
        tf.searchsorted(positions, candidates.starts),
        tf.searchsorted(positions, candidates.ends),
        row_splits_dtype=tf.int32,
    )
    position_ids = covered.values  # (pairs,)
    places = tf.range(tf.size(position_ids))
    owners = tf.searchsorted(covered.row_splits, places, side="right") - 1  # (pairs,)

    def settle_more(
        position_ids: tf.Tensor, owners: tf.Tensor, is_kept: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pair_ranks = tf.gather(ranks, owners)
        best = tf.math.unsorted_segment_min(pair_ranks, position_ids, num_positions)
        is_beaten = _any_of(pair_ranks > tf.gather(best, position_ids), owners, number)
        wins = ~tf.gather(is_beaten, owners)
        is_taken = _any_of(wins, position_ids, num_positions)
        is_settled = _any_of(tf.gather(is_taken, position_ids), owners, number)
        is_open = ~tf.gather(is_settled, owners)
        return (
            tf.boolean_mask(position_ids, is_open),
            tf.boolean_mask(owners, is_open),
            is_kept | _any_of(wins, owners, number),
        )

    *_, is_kept = tf.while_loop(
        lambda position_ids, *_: tf.size(position_ids) > 0,
        settle_more,
        (position_ids, owners, tf.zeros_like(ranks, tf.bool)),
        shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None]), ranks.shape),
        parallel_iterations=1,
    )
    return is_kept


def _any_of(flags: tf.Tensor, groups: tf.Tensor, num_groups: tf.Tensor) -> tf.Tensor:
    """Bool (num_groups,): whether a flag of the group is set."""
    return tf.math.unsorted_segment_max(tf.cast(flags, tf.int32), groups, num_groups) > 0


def _sorted_places(*keys: tf.Tensor) -> tf.Tensor:
    """Int32 (candidates,): places in ascending order of the first key, then the second, ..."""
    places = tf.range(tf.size(keys[0]))
    for key in reversed(keys):
        places = tf.gather(places, tf.argsort(tf.gather(key, places), stable=True))
    return places
