"""Entity-level precision, recall and F1: an entity counts if its span and its type are exact.

The numbers are conlleval's, as fractions instead of per cent.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bioner_tf.corpora import tags as tag_schemes


@dataclasses.dataclass(frozen=True)
class Counts:
    """The counts behind precision, recall and F1.

    Attributes:
        support: Entities in the gold standard.
        predicted: Entities that were predicted.
        correct: Those that are in both, with the same span and type.
    """

    support: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """The correct among the predicted, in [0, 1]; 0 if nothing was predicted."""
        return _ratio(self.correct, self.predicted)

    @property
    def recall(self) -> float:
        """The correct among the gold entities, in [0, 1]; 0 if there are none."""
        return _ratio(self.correct, self.support)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, in [0, 1]; 0 if both are 0."""
        return _ratio(2 * self.correct, self.predicted + self.support)

    def to_json(self) -> dict[str, Any]:
        """Returns fractions and counts for ``report.json``."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.support,
            "predicted": self.predicted,
            "correct": self.correct,
        }


@dataclasses.dataclass(frozen=True)
class Scores:
    """The scores of a tagged corpus.

    Attributes:
        types: The counts of every type that occurs in the gold standard or in the predictions,
            by name.
        tokens: Tokens scored.
        correct_tokens: Tokens whose predicted tag is the gold tag.
    """

    types: Mapping[str, Counts]
    tokens: int
    correct_tokens: int

    @property
    def micro(self) -> Counts:
        """The counts summed over the types."""
        return Counts(
            sum(counts.support for counts in self.types.values()),
            sum(counts.predicted for counts in self.types.values()),
            sum(counts.correct for counts in self.types.values()),
        )

    @property
    def macro(self) -> dict[str, float]:
        """The plain means of the types' precisions, recalls and F1s, in [0, 1]; 0 without types.

        They are taken over the types that occur in the gold standard or in the predictions; a type
        that was only predicted thus counts as three zeros. F1 is the mean of the types' F1s, not
        the harmonic mean of the other two.
        """
        return {
            name: _ratio(
                sum(getattr(counts, name) for counts in self.types.values()), len(self.types)
            )
            for name in ("precision", "recall", "f1")
        }

    @property
    def token_accuracy(self) -> float:
        """The share of tokens with the gold tag, in [0, 1]; 0 without tokens."""
        return _ratio(self.correct_tokens, self.tokens)

    def to_json(self) -> dict[str, Any]:
        """Returns the scores in the form of ``report.json``: micro at the top."""
        return {
            **self.micro.to_json(),
            "types": {name: counts.to_json() for name, counts in self.types.items()},
            "macro": self.macro,
            "token_accuracy": self.token_accuracy,
        }


def score_tags(gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> Scores:
    """Scores predicted tags against gold tags.

    Both may have either scheme and be ill-formed: entities are read as conlleval does (see
     ``tags.to_spans``), each sentence on its own.

    Args:
        gold: The tags of each sentence.
        predicted: As many sentences of the same lengths.

    Returns:
        The scores; ``types`` in alphabetical order.

    Raises:
        ValueError: If the numbers of sentences or tokens differ, or something is not a tag.

    Source:
        conlleval. seqeval's default mode gives the same numbers, ill-formed sequences included; it
        accepts more as a tag (with a warning) and takes lists only. Its strict mode is another
        metric: it does not count entities that are not well-formed.
    """
    gold, predicted = list(gold), list(predicted)
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences, but {len(predicted)} predicted ones")
    support: collections.Counter[str] = collections.Counter()
    proposed: collections.Counter[str] = collections.Counter()
    correct: collections.Counter[str] = collections.Counter()
    tokens = correct_tokens = 0
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted)):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(
                f"sentence {number}: {len(gold_tags)} gold tags, but {len(predicted_tags)} "
                "predicted ones"
            )
        gold_spans = set(tag_schemes.to_spans(gold_tags))
        predicted_spans = set(tag_schemes.to_spans(predicted_tags))
        support.update(span.type for span in gold_spans)
        proposed.update(span.type for span in predicted_spans)
        correct.update(span.type for span in gold_spans & predicted_spans)
        tokens += len(gold_tags)
        correct_tokens += sum(map(str.__eq__, gold_tags, predicted_tags))
    types = {
        name: Counts(support[name], proposed[name], correct[name])
        for name in sorted({*support, *proposed})
    }
    return Scores(types, tokens, correct_tokens)


def format_scores(scores: Mapping[str, Any]) -> str:
    """Formats scores in per cent for a terminal: a line per type, then micro and macro.

    Args:
        scores: The form of ``Scores.to_json``, in which ``report.json`` holds a split.
    """
    rows = [*scores["types"].items(), ("micro", scores)]
    width = max(len("macro"), *(len(name) for name, _ in rows))
    lines = [
        f"{'type':<{width}}  precision  recall      f1  support  predicted  correct",
        *(
            f"{_format_rates(name, counts, width)}  {counts['support']:>7}  "
            f"{counts['predicted']:>9}  {counts['correct']:>7}"
            for name, counts in rows
        ),
        _format_rates("macro", scores["macro"], width),
        f"token accuracy {100 * scores['token_accuracy']:.2f}",
    ]
    return "\n".join(lines)


def _format_rates(name: str, rates: Mapping[str, float], width: int) -> str:
    precision, recall, f1 = (100 * rates[key] for key in ("precision", "recall", "f1"))
    return f"{name:<{width}}  {precision:>9.2f}  {recall:>6.2f}  {f1:>6.2f}"


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0
