"""Sentences that one model gets right and another wrong, sorted by what is wrong with them.

Source: the paper's "Case study" (Table 8), which shows three of them.
"""

from __future__ import annotations

import collections
import dataclasses
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bioner_tf.config import ABBREVIATIONS
from bioner_tf.corpora.predictions import TaggedSentence, read_predictions, require_same_sentences
from bioner_tf.corpora.tags import Span, to_spans
from bioner_tf.pages.markup import LEFT, RIGHT, Table, html_page, plain_table, table_to_html
from bioner_tf.runs.collection import read_run
from bioner_tf.runs.directory import CONFIG_FILE, RunDirectory

MISSED, SPURIOUS, BOUNDARY, TYPE = KINDS = ("missed", "spurious", "boundary", "type")


class Mistake(NamedTuple):
    """What is wrong in one place of a sentence.

    Attributes:
        kind: ``MISSED``: a gold entity that nothing predicted overlaps; ``SPURIOUS``: a predicted
            one that no gold one overlaps; ``BOUNDARY``: an overlap of the same type; ``TYPE``: one
            of different types.
        gold: The gold entity, None of a spurious one.
        predicted: The predicted entity, None of a missed one.
    """

    kind: str
    gold: Span | None
    predicted: Span | None


@dataclasses.dataclass(frozen=True)
class Model:
    """One of the two models.

    Attributes:
        name: What it is called.
        sentences: The sentences with its predictions.
        mistakes: Its mistakes in each sentence.
    """

    name: str
    sentences: Sequence[TaggedSentence]
    mistakes: Sequence[Sequence[Mistake]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two models on the same sentences.

    Attributes:
        models: Both.
        corpus: The corpus.
        split: The split.
    """

    models: tuple[Model, Model]
    corpus: str
    split: str

    def cases(self, wrong: int, kinds: Iterable[str] = KINDS) -> list[int]:
        """The sentences that one model has wrong, in one of some ways, and the other right.

        Args:
            wrong: 0 or 1, the model that has them wrong.
            kinds: Kinds of mistakes.
        """
        kept = frozenset(kinds)
        theirs, others = self.models[wrong].mistakes, self.models[1 - wrong].mistakes
        return [
            number
            for number, mistakes in enumerate(theirs)
            if not others[number] and any(mistake.kind in kept for mistake in mistakes)
        ]


def find_mistakes(gold_tags: Sequence[str], predicted_tags: Sequence[str]) -> list[Mistake]:
    """Finds what is wrong with a sentence's tags.

    Every gold and every predicted entity that is not exactly right is in one mistake. Where several
    overlap, those that share the most tokens belong together; the others are missed or spurious.

    Args:
        gold_tags: The right ones.
        predicted_tags: As many.

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


def compare(first: str, second: str, corpus: str | None = None, split: str = "test") -> Comparison:
    """Compares two models.

    Args:
        first: A run directory, or a file of predictions.
        second: Likewise, of the same sentences.
        corpus: The corpus; by default the main one of the first run.
        split: The split.

    Raises:
        BionerError: Predictions are missing or damaged, or of different sentences.
    """
    if corpus is None:
        corpus = _corpus_of(first)
    paths = [_predictions(place, corpus, split) for place in (first, second)]
    sentences = [read_predictions(path) for path in paths]
    require_same_sentences(sentences[0], sentences[1], [str(path) for path in paths])
    names = _names(first, second)
    one, other = (
        Model(name, tagged, [find_mistakes(s.gold, s.predicted) for s in tagged])
        for name, tagged in zip(names, sentences)
    )
    return Comparison((one, other), corpus, split)


def _corpus_of(place: str) -> str:
    path = Path(place)
    return path.stem.rpartition(".")[0] if path.is_file() else read_run(path, path.name).main


def _predictions(place: str, corpus: str, split: str) -> Path:
    path = Path(place)
    return path if path.is_file() else RunDirectory(path).predictions(corpus, split)


def _names(first: str, second: str) -> tuple[str, str]:
    """What to call two models: by their structures, if these differ, else by their directories."""
    structures = [
        ABBREVIATIONS[read_run(place, "").config.model.structure]
        for place in (first, second)
        if (Path(place) / CONFIG_FILE).exists()
    ]
    if len(set(structures)) == 2:
        return structures[0], structures[1]
    names = (Path(first).name, Path(second).name)
    return names if names[0] != names[1] else (first, second)


def overview(comparison: Comparison) -> list[Table]:
    """Counts the sentences by who has them right, and the mistakes by kind."""
    models = comparison.models
    wrong = [sum(map(bool, model.mistakes)) for model in models]
    total = len(models[0].sentences)
    both_wrong = sum(bool(a) and bool(b) for a, b in zip(models[0].mistakes, models[1].mistakes))
    only = [wrong[1] - both_wrong, wrong[0] - both_wrong]
    header = ["sentences", "both right", *(f"only {m.name} right" for m in models), "both wrong"]
    counts = [total, total - both_wrong - sum(only), *only, both_wrong]
    rows = []
    for model in models:
        kinds = collections.Counter(m.kind for mistakes in model.mistakes for m in mistakes)
        rows.append([model.name, *(f"{kinds[kind]:,}" for kind in KINDS)])
    return [
        Table(header, [[f"{count:,}" for count in counts]], [RIGHT] * 5),
        Table(["mistakes", *KINDS], rows, [LEFT] + [RIGHT] * 4),
    ]


def to_text(comparison: Comparison, kinds: Sequence[str] = KINDS, most: int | None = None) -> str:
    """Writes the comparison for a terminal: entities stand in brackets, their type behind them.

    Args:
        comparison: The comparison.
        kinds: The kinds of mistakes to show.
        most: At most so many sentences a model.
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
    """Writes the comparison as an HTML page that needs no other file; the arguments as above."""
    title = f"{comparison.corpus}, {comparison.split}"
    body = [f"<h1>{html.escape(title)}</h1>", *map(table_to_html, overview(comparison))]
    body.append(
        '<p><mark class="gold">gold</mark> <mark class="right">predicted, right</mark> '
        '<mark class="wrong">predicted, wrong</mark></p>'
    )
    for wrong, heading, cases in _sections(comparison, kinds, most):
        body.append(f"<h2>{html.escape(heading)}</h2>")
        for number in cases:
            what = html.escape(_what(comparison, wrong, number))
            tokens = comparison.models[0].sentences[number].tokens
            gold = set(to_spans(comparison.models[0].sentences[number].gold))
            rows = "".join(
                f'<tr><th class="left">{html.escape(name)}</th>'
                f'<td class="text">{_marked(tokens, tags, gold, is_gold=row == 0)}</td></tr>'
                for row, (name, tags) in enumerate(_views(comparison, number))
            )
            body.append(f"<h3>Sentence {number + 1}: {what}</h3>\n<table>{rows}</table>")
    return html_page("\n".join(body), title, _STYLE)


_STYLE = """
td.text { white-space: normal; }
mark { padding: 0 .2rem; border-radius: .2rem; color: inherit; }
mark small { color: #555; }
mark.gold { background: #dbe9ff; }
mark.right { background: #cdeccd; }
mark.wrong { background: #ffd2cc; }
"""


def _sections(
    comparison: Comparison, kinds: Sequence[str], most: int | None
) -> Iterable[tuple[int, str, list[int]]]:
    """Which model is wrong, a heading, and the sentences."""
    for wrong in (0, 1):
        cases = comparison.cases(wrong, kinds)
        right = comparison.models[1 - wrong].name
        shown = cases[:most]
        more = f" (the first {len(shown)} of {len(cases)})" if len(shown) < len(cases) else ""
        yield wrong, f"{right} is right, {comparison.models[wrong].name} is wrong{more}", shown


def _views(comparison: Comparison, number: int) -> list[tuple[str, Sequence[str]]]:
    """A sentence's tags: gold, and of both models."""
    first, second = comparison.models
    return [
        ("gold", first.sentences[number].gold),
        (first.name, first.sentences[number].predicted),
        (second.name, second.sentences[number].predicted),
    ]


def _what(comparison: Comparison, wrong: int, number: int) -> str:
    """Names the mistakes of a sentence with their words."""
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


def _marked(tokens: Sequence[str], tags: Sequence[str], gold: set[Span], is_gold: bool) -> str:
    parts: list[str] = []
    at = 0
    for span in to_spans(tags):
        parts += map(html.escape, tokens[at : span.start])
        look = "gold" if is_gold else "right" if span in gold else "wrong"
        words = html.escape(" ".join(tokens[span.start : span.end]))
        kind = html.escape(span.type)
        parts.append(f'<mark class="{look}">{words} <small>{kind}</small></mark>')
        at = span.end
    return " ".join([*parts, *map(html.escape, tokens[at:])])
