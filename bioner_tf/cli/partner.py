"""Ranks auxiliary corpora for a main corpus without training: seconds instead of hours.

It compares their words, mentions, labels and contexts. That is a hint, no proof: the ranking is
held against what was really trained where --sweep_dir has it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpus import read_corpus
from bioner_tf.errors import UsageError
from bioner_tf.experiments.collect import collect_runs
from bioner_tf.experiments.markup import LEFT, RIGHT, plain_table
from bioner_tf.experiments.partner import (
    CorpusText,
    Indicators,
    indicators,
    measured_scores,
    rank,
    rank_correlation,
)

DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the corpora are.", required=True)
MAIN = flags.DEFINE_string("main", None, "The main corpus.", required=True)
CANDIDATES = flags.DEFINE_list(
    "candidates", [], "The auxiliary corpora to rank; by default all others in --data_dir."
)
SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", None, "Runs of cross_sharing to hold the ranking against (see bioner-sweep)."
)


def _read(name: str) -> CorpusText:
    splits = read_corpus(DATA_DIR.value, name, splits=("train", "devel")).splits
    return CorpusText(splits["train"].sentences, splits["devel"].sentences)


def _candidates() -> list[str]:
    names = CANDIDATES.value or sorted(
        path.parent.name for path in Path(DATA_DIR.value).glob("*/train.tsv")
    )
    names = [name for name in names if name != MAIN.value]
    if not names:
        raise UsageError("--candidates: expected a corpus beside the main one, got none")
    return names


def main(argv: list[str]) -> None:
    """Ranks."""
    del argv
    text = _read(MAIN.value)
    found = {name: indicators(text, _read(name)) for name in _candidates()}
    scores = rank(found)
    measured: dict[str, float] = {}
    if SWEEP_DIR.value is not None:
        measured = measured_scores(collect_runs(SWEEP_DIR.value).runs, MAIN.value, found)
    header = ["with " + MAIN.value, "score", *(f.name for f in dataclasses.fields(Indicators))]
    rows = [
        [name, f"{score:+.2f}", *(f"{value:.3f}" for value in dataclasses.astuple(found[name]))]
        for name, score in scores.items()
    ]
    if measured:
        header.append("test F1")
        for row in rows:
            row.append(f"{100 * measured[row[0]]:.2f}" if row[0] in measured else "not run")
    print(plain_table(header, rows, [LEFT] + [RIGHT] * (len(header) - 1)))
    if measured:
        trained = [name for name in scores if name in measured]
        correlation = rank_correlation(
            [scores[name] for name in trained], [measured[name] for name in trained]
        )
        told = "not defined" if correlation is None else f"{correlation:+.2f}"
        print(f"\nrank correlation with the test F1 of {len(trained)} trained partners: {told}")


def entry() -> None:
    """The console script ``bioner-partner``."""
    app.run(main)


if __name__ == "__main__":
    entry()
