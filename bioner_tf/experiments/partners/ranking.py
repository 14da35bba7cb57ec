"""Ranks auxiliary corpora for a main corpus, and compares the ranking with trained taggers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bioner_tf.corpora.corpus import read_corpus
from bioner_tf.errors import UsageError
from bioner_tf.experiments.paper.experiments import arrange, corpus_name
from bioner_tf.experiments.partners.indicators import CorpusText, Indicators, indicators
from bioner_tf.files import PathLike
from bioner_tf.pages.blocks import LEFT, RIGHT, plain_table
from bioner_tf.runs.collection import Run, collect_runs
from bioner_tf.runs.groups import default_settings, group_runs
from bioner_tf.scoring.statistics import rank_correlation

# With fewer partners, the rank correlation can only be 1 or -1, even by chance.
_FEW = 3


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Auxiliary corpora, ranked.

    Attributes:
        main: The main corpus.
        found: The indicators of each candidate.
        scores: The score of each candidate, the best first.
        measured: The test F1 of the candidates that were trained with, fractions in [0, 1].
        sweep_dir: Where trained taggers were searched; None: not at all.
    """

    main: str
    found: Mapping[str, Indicators]
    scores: Mapping[str, float]
    measured: Mapping[str, float]
    sweep_dir: PathLike | None = None

    def __str__(self) -> str:
        """The ranking as a table, and how well it agrees with the trained taggers."""
        names = [field.name for field in dataclasses.fields(Indicators)]
        header = [f"with {self.main}", "score", *names]
        rows = [
            [name, f"{score:+.2f}", *(f"{getattr(self.found[name], each):.3f}" for each in names)]
            for name, score in self.scores.items()
        ]
        if self.measured:
            header.append("test F1")
            for row in rows:
                f1 = self.measured.get(row[0])
                row.append("not run" if f1 is None else f"{100 * f1:.2f}")
        table = plain_table(header, rows, [LEFT] + [RIGHT] * (len(header) - 1))
        return table + self._agreement()

    def _agreement(self) -> str:
        if self.sweep_dir is None:
            return ""
        if not self.measured:
            return f"\n\n{self.sweep_dir}: no run of cross_sharing with one of them has ended"
        names = list(self.measured)
        value = rank_correlation([self.scores[n] for n in names], list(self.measured.values()))
        correlation = "not defined" if value is None else f"{value:+.2f}"
        few = "; with so few it means nothing" if len(names) < _FEW else ""
        return (
            f"\n\nrank correlation with the test F1 of {len(names)} trained partners: "
            f"{correlation}{few}"
        )


def rank_candidates(
    data_dir: PathLike,
    main: str,
    candidates: Sequence[str] = (),
    sweep_dir: PathLike | None = None,
) -> Ranking:
    """Ranks auxiliary corpora by their train and devel splits; never reads a test split.

    Args:
        data_dir: Where the corpora are.
        main: The main corpus.
        candidates: The auxiliary corpora; by default all others in ``data_dir``.
        sweep_dir: Runs of cross_sharing to compare the ranking with; by default none.

    Raises:
        BionerError: A corpus or the runs cannot be read.
        UsageError: There is no candidate.
    """
    there = sorted(path.parent.name for path in Path(data_dir).glob("*/train.tsv"))
    names = [name for name in dict.fromkeys(candidates or there) if name != main]
    if not names:
        raise UsageError("--candidates: expected a corpus other than the main one, got none")
    measured: dict[str, float] = {}
    if sweep_dir is not None:
        measured = measured_scores(collect_runs(sweep_dir).runs, main, names)
    text = _read(data_dir, main)
    found = {name: indicators(text, _read(data_dir, name)) for name in names}
    return Ranking(main, found, rank(found), measured, sweep_dir)


def _read(data_dir: PathLike, name: str) -> CorpusText:
    splits = read_corpus(data_dir, name, splits=("train", "devel")).splits
    return CorpusText(splits["train"].sentences, splits["devel"].sentences)


def rank(found: Mapping[str, Indicators]) -> dict[str, float]:
    """Scores candidates against each other.

    Args:
        found: The indicators of each, for one main corpus.

    Returns:
        By candidate, best first: how many standard deviations it is above the average of the
        candidates, as the mean over the indicators; 0 for a single candidate.
    """
    values = np.array([dataclasses.astuple(each) for each in found.values()], np.float64)
    spread = values.std(axis=0)
    deviations = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    scores = dict(zip(found, deviations.mean(axis=1).tolist()))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def measured_scores(runs: Iterable[Run], main: str, candidates: Iterable[str]) -> dict[str, float]:
    """Looks up the test F1 of trained CS-MTM taggers.

    Args:
        runs: The runs of a sweep; only the largest set of comparable runs is used.
        main: The main corpus.
        candidates: The auxiliary corpora.

    Returns:
        The mean F1 over the seeds, in [0, 1], of each candidate that was run.
    """
    groups, _ = group_runs(runs)
    arranged = arrange(groups, default_settings())
    if not arranged:
        return {}
    found = {
        name: arranged[0].find("cross_sharing", corpus_name(main), corpus_name(name))
        for name in candidates
    }
    return {name: group.summary("f1").mean for name, group in found.items() if group}
