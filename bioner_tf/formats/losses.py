"""Counts what a format cannot hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from bioner_tf.formats.document import Annotation, Document


def count_details(annotation: Annotation, losses: Counter[str], held: Collection[str] = ()) -> None:
    """Counts an annotation's score, source and infons as lost.

    Args:
        annotation: The annotation.
        losses: The counts so far.
        held: The infons that the format does hold.
    """
    losses["scores"] += annotation.score is not None
    losses["sources"] += bool(annotation.source)
    losses["infons"] += len(set(annotation.infons) - set(held))


def count_passages(document: Document, losses: Counter[str]) -> None:
    """Counts the passages of a document as lost, unless it is just one text."""
    if len(document.passages) > 1 or any(p.offset or p.kind or p.infons for p in document.passages):
        losses["passages"] += len(document.passages)


def count_notes(document: Document, losses: Counter[str], format_name: str = "") -> None:
    """Counts the notes that other formats than this one know."""
    losses["notes of other formats"] += sum(n.format != format_name for n in document.notes)


def describe_losses(losses: Mapping[str, int], format_name: str) -> str:
    """One line on what a format could not hold; empty if it held everything."""
    lost = [f"{count:,} {what}" for what, count in sorted(losses.items()) if count]
    return f"{format_name} cannot hold, and so left out: {', '.join(lost)}" if lost else ""
