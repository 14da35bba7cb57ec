"""Compares two models: which sentences one tags right and the other wrong.

Source: the paper's "Case study" (Table 8), which shows three such sentences.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from bioner_tf.config import ABBREVIATIONS
from bioner_tf.corpora.predictions import TaggedSentence, read_predictions, require_same_sentences
from bioner_tf.experiments.reports.mistakes import KINDS, Mistake, find_mistakes
from bioner_tf.pages.blocks import LEFT, RIGHT, Table
from bioner_tf.runs.checksums import check_files
from bioner_tf.runs.collection import read_run
from bioner_tf.runs.directory import CONFIG_FILE, RunDirectory


@dataclasses.dataclass(frozen=True)
class Model:
    """One of the two models.

    Attributes:
        name: The name to show.
        sentences: The sentences with the predictions of this model.
        mistakes: The mistakes in each sentence.
    """

    name: str
    sentences: Sequence[TaggedSentence]
    mistakes: Sequence[Sequence[Mistake]]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two models on the same sentences.

    Attributes:
        models: Both models.
        corpus: The name of the corpus.
        split: The name of the split.
    """

    models: tuple[Model, Model]
    corpus: str
    split: str

    def cases(self, wrong: int, kinds: Iterable[str] = KINDS) -> list[int]:
        """Returns the sentences that one model tags wrong and the other right, by index.

        Args:
            wrong: 0 or 1: the model that is wrong.
            kinds: Count only these kinds of mistakes of that model.
        """
        kept = frozenset(kinds)
        theirs, others = self.models[wrong].mistakes, self.models[1 - wrong].mistakes
        return [
            number
            for number, mistakes in enumerate(theirs)
            if not others[number] and any(mistake.kind in kept for mistake in mistakes)
        ]


def compare(first: str, second: str, corpus: str | None = None, split: str = "test") -> Comparison:
    """Compares two models.

    Args:
        first: A run directory, or a file of predictions.
        second: The same for the second model; it must have the same sentences.
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
    if path.is_file():
        return path
    predictions = RunDirectory(path).predictions(corpus, split)
    check_files(path, [predictions])
    return predictions


def _names(first: str, second: str) -> tuple[str, str]:
    """Names two models by their structures if these differ, else by their directories."""
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
    """Counts sentences by which models tag them right, and mistakes by kind."""
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
