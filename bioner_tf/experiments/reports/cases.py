"""Shows the sentences that two models tag differently, as text and as an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bioner_tf.corpora.tags import Span, to_spans
from bioner_tf.experiments.reports.compare import Comparison, overview
from bioner_tf.experiments.reports.mistakes import KINDS
from bioner_tf.pages.blocks import plain_table
from bioner_tf.pages.html import render


def to_text(comparison: Comparison, kinds: Sequence[str] = KINDS, most: int | None = None) -> str:
    """Writes the comparison for a terminal: entities in brackets, followed by their type.

    Args:
        comparison: The comparison.
        kinds: The kinds of mistakes to show.
        most: Show at most this many sentences per model; None: all.
    """
    parts = [
        f"{comparison.corpus}, {comparison.split}",
        *(plain_table(t.header, t.rows, t.alignment) for t in overview(comparison)),
    ]
    width = max(len("gold"), *(len(model.name) for model in comparison.models))
    for wrong, heading, cases in _sections(comparison, kinds, most):
        parts.append(f"== {heading}")
        for number in cases:
            lines = [f"sentence {number + 1}: {_what(comparison, wrong, number)}"]
            for name, tags in _views(comparison, number):
                tokens = comparison.models[0].sentences[number].tokens
                lines.append(f"  {name:<{width}}  {_bracketed(tokens, tags)}")
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def to_html(comparison: Comparison, kinds: Sequence[str] = KINDS, most: int | None = None) -> str:
    """Writes the comparison as a self-contained HTML page; arguments as for ``to_text``."""
    sections = [
        {
            "heading": heading,
            "cases": [
                {
                    "number": number + 1,
                    "mistakes": _what(comparison, wrong, number),
                    "views": _marked_views(comparison, number),
                }
                for number in numbers
            ],
        }
        for wrong, heading, numbers in _sections(comparison, kinds, most)
    ]
    title = f"{comparison.corpus}, {comparison.split}"
    return render("cases.html", title=title, overview=overview(comparison), sections=sections)


def _sections(
    comparison: Comparison, kinds: Sequence[str], most: int | None
) -> Iterable[tuple[int, str, list[int]]]:
    """Yields, for each model: its index, a heading, the sentences that only it tags wrong."""
    for wrong in (0, 1):
        cases = comparison.cases(wrong, kinds)
        right = comparison.models[1 - wrong].name
        shown = cases[:most]
        more = f" (the first {len(shown)} of {len(cases)})" if len(shown) < len(cases) else ""
        yield wrong, f"{right} is right, {comparison.models[wrong].name} is wrong{more}", shown


def _views(comparison: Comparison, number: int) -> list[tuple[str, Sequence[str]]]:
    """Returns the names and tags to show for a sentence: gold, then both models."""
    first, second = comparison.models
    return [
        ("gold", first.sentences[number].gold),
        (first.name, first.sentences[number].predicted),
        (second.name, second.sentences[number].predicted),
    ]


def _what(comparison: Comparison, wrong: int, number: int) -> str:
    """Lists the mistakes in a sentence, each with the words of its entity."""
    tokens = comparison.models[wrong].sentences[number].tokens
    return ", ".join(
        f"{mistake.kind} {' '.join(tokens[span.start : span.end])!r}"
        for mistake in comparison.models[wrong].mistakes[number]
        for span in [mistake.gold or mistake.predicted]
        if span is not None
    )


def _bracketed(tokens: Sequence[str], tags: Sequence[str]) -> str:
    starts = {span.start: span for span in to_spans(tags)}
    ends = {span.end - 1: span for span in starts.values()}
    return " ".join(
        f"{'[' if at in starts else ''}{token}{f']{ends[at].type}' if at in ends else ''}"
        for at, token in enumerate(tokens)
    )


def _marked_views(comparison: Comparison, number: int) -> list[tuple[str, list[tuple]]]:
    """A sentence's views as ``(name, pieces)``, each piece ``(text, look or "", type)``."""
    sentence = comparison.models[0].sentences[number]
    gold = set(to_spans(sentence.gold))
    return [
        (name, _pieces(sentence.tokens, tags, gold, is_gold=row == 0))
        for row, (name, tags) in enumerate(_views(comparison, number))
    ]


def _pieces(
    tokens: Sequence[str], tags: Sequence[str], gold: set[Span], is_gold: bool
) -> list[tuple[str, str, str]]:
    pieces = []
    at = 0
    for span in to_spans(tags):
        pieces += [(token, "", "") for token in tokens[at : span.start]]
        look = "gold" if is_gold else "right" if span in gold else "wrong"
        pieces.append((" ".join(tokens[span.start : span.end]), look, span.type))
        at = span.end
    return pieces + [(token, "", "") for token in tokens[at:]]
