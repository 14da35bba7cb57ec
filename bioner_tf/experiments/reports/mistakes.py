"""The kinds of mistakes in the predicted tags of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bioner_tf.corpora.tags import Span, to_spans

MISSED, SPURIOUS, BOUNDARY, TYPE = KINDS = ("missed", "spurious", "boundary", "type")


class Mistake(NamedTuple):
    """One mistake in a sentence.

    Attributes:
        kind: ``MISSED``: a gold entity without a predicted partner; ``SPURIOUS``: a predicted one
            without a gold partner; ``BOUNDARY``: they overlap and have the same type; ``TYPE``:
            they overlap and have different types.
        gold: The gold entity; None for ``SPURIOUS``.
        predicted: The predicted entity; None for ``MISSED``.
    """

    kind: str
    gold: Span | None
    predicted: Span | None


def find_mistakes(gold_tags: Sequence[str], predicted_tags: Sequence[str]) -> list[Mistake]:
    """Finds the mistakes in a sentence's predicted tags.

    Every gold and every predicted entity that is not exactly right is in one mistake. Where several
    overlap, those that share the most tokens are paired; the others are missed or spurious.

    Args:
        gold_tags: The gold tags.
        predicted_tags: The predicted tags, one per gold tag.

    Returns:
        The mistakes, in the order of the text.
    """
    gold, predicted = to_spans(gold_tags), to_spans(predicted_tags)
    right = set(gold) & set(predicted)
    missing = [span for span in gold if span not in right]
    extra = [span for span in predicted if span not in right]
    pairs = sorted(
        ((_overlap(g, p), g, p) for g in missing for p in extra if _overlap(g, p)),
        key=lambda pair: (-pair[0], pair[1].start, pair[2].start),
    )
    mistakes = []
    for _, g, p in pairs:
        if g in missing and p in extra:
            missing.remove(g)
            extra.remove(p)
            mistakes.append(Mistake(BOUNDARY if g.type == p.type else TYPE, g, p))
    mistakes += [Mistake(MISSED, span, None) for span in missing]
    mistakes += [Mistake(SPURIOUS, None, span) for span in extra]
    return sorted(mistakes, key=lambda mistake: (mistake.gold or mistake.predicted or (0,))[0])


def _overlap(one: Span, other: Span) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))
