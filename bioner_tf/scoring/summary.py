"""All scores of tagged sentences in one object: strict, relaxed, by type, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bioner_tf.scoring.metrics import format_scores, score_tags
from bioner_tf.scoring.relaxed import MEASURES, relaxed_counts
from bioner_tf.scoring.statistics import (
    METRICS,
    bootstrap_totals,
    percentile_intervals,
    rates,
    sum_by_document,
)


def summarise(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    documents: Sequence[int] = (),
    draws: int = 0,
    seed: int = 1,
) -> dict[str, Any]:
    """Scores predicted tags against gold tags by all measures.

    Args:
        gold: The tags of each sentence, at least one sentence.
        predicted: As many sentences of the same lengths.
        documents: The index of the first sentence of each document; empty if they are unknown.
        draws: Test sets to draw for 95% bootstrap intervals; 0: no intervals. Documents are drawn
            where there are two or more of them, else sentences.
        seed: Seed of the draws.

    Returns:
        Strict scores as in ``report.json``, and under ``relaxed``, by measure, precision, recall
        and F1, also by ``types``. With draws, ``intervals`` beside each F1 (bounds by metric, as
        fractions), and ``draws`` with the number and the unit of the draws.
    """
    scores = score_tags(gold, predicted).to_json()
    scores["relaxed"] = {measure: {"types": {}} for measure in MEASURES if measure != "strict"}
    by_measure = {"strict": scores, **scores["relaxed"]}
    cells = [(measure, name) for measure in MEASURES for name in (None, *scores["types"])]
    # (sentences, cells, 3)
    counts = np.stack([relaxed_counts(gold, predicted, *cell) for cell in cells], axis=1)
    totals = None
    if draws:
        # Of a single document there is only one sample.
        by_document = len(documents) > 1
        rows = sum_by_document(counts, documents) if by_document else counts
        totals = bootstrap_totals(rows, draws, seed)
        scores["draws"] = {"number": draws, "of": "documents" if by_document else "sentences"}
    for number, (measure, name) in enumerate(cells):
        place = by_measure[measure]
        if name is not None:
            place = place["types"].setdefault(name, {})
        found = rates(counts[:, number].sum(axis=0))
        place.update({metric: float(found[metric]) for metric in METRICS})
        if totals is not None:
            place["intervals"] = percentile_intervals(totals[:, number])
    return scores


def format_summary(scores: Mapping[str, Any]) -> str:
    """Lays out what ``summarise`` returned as text tables, in per cent."""
    drawn = scores.get("draws")
    heading = "measure  precision  recall      f1"
    lines = [format_scores(scores), "", heading + ("  95% interval of f1" if drawn else "")]
    for measure in MEASURES:
        found = scores if measure == "strict" else scores["relaxed"][measure]
        precision, recall, f1 = (100 * found[metric] for metric in METRICS)
        line = f"{measure:<7}  {precision:>9.2f}  {recall:>6.2f}  {f1:>6.2f}"
        lines.append(f"{line}  {_format_interval(found, 'f1')}" if drawn else line)
    if drawn:
        lines += ["", f"95% intervals, by {drawn['number']:,} draws of the {drawn['of']}"]
        for metric in METRICS:
            interval = _format_interval(scores, metric)
            lines.append(f"{metric:<9}  {100 * scores[metric]:6.2f}  {interval}")
    return "\n".join(lines)


def _format_interval(scores: Mapping[str, Any], metric: str) -> str:
    low, high = scores["intervals"][metric]
    return f"[{100 * low:.2f}, {100 * high:.2f}]"
