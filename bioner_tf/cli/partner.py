"""Ranks auxiliary corpora for a main corpus before training: seconds or minutes instead of hours.

It compares their words, mentions, labels and contexts and, with --steps, the gradients of a tagger
that learns from all of them for a short while. That is a hint, no proof: the ranking is held
against what was really trained where --sweep_dir has it.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import flags

from bioner_tf.cli import app
from bioner_tf.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from bioner_tf.corpora.corpus import read_corpus
from bioner_tf.errors import UsageError
from bioner_tf.experiments.partners.ranking import (
    CorpusText,
    describe_mean,
    indicators,
    measured_scores,
    rank,
    rank_correlation,
)
from bioner_tf.experiments.reports.collect import collect_runs
from bioner_tf.pages.markup import LEFT, RIGHT, plain_table

DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the corpora are.", required=True)
MAIN = flags.DEFINE_string("main", None, "The main corpus.", required=True)
CANDIDATES = flags.DEFINE_list(
    "candidates", [], "The auxiliary corpora to rank; by default all others in --data_dir."
)
SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", None, "Runs of cross_sharing to hold the ranking against (see bioner-sweep)."
)
STEPS = flags.DEFINE_integer(
    "steps",
    0,
    "Turns (a batch of each corpus) of a fully shared tagger whose gradients are compared in the "
    "second half; 0: none, corpora only.",
    lower_bound=0,
)
VECTORS = flags.DEFINE_string(
    "vectors", "", "With --steps: word vectors (GloVe or word2vec, also .gz); empty: random ones."
)
SEED = flags.DEFINE_integer(
    "seed", TrainingConfig.seed, "With --steps: of every random draw.", lower_bound=0
)
# Of fewer partners a rank correlation is 1 or -1 at best, whatever the ranking is worth.
_FEW = 3


def _read(name: str) -> CorpusText:
    splits = read_corpus(DATA_DIR.value, name, splits=("train", "devel")).splits
    return CorpusText(splits["train"].sentences, splits["devel"].sentences)


def _candidates() -> list[str]:
    names = CANDIDATES.value or sorted(
        path.parent.name for path in Path(DATA_DIR.value).glob("*/train.tsv")
    )
    names = [name for name in dict.fromkeys(names) if name != MAIN.value]
    if not names:
        raise UsageError("--candidates: expected a corpus beside the main one, got none")
    return names


def _gradients(candidates: Sequence[str]) -> dict[str, list[float]]:
    config = RunConfig(
        # Words that no corpus has would only take memory.
        DataConfig(DATA_DIR.value, (MAIN.value, *candidates), VECTORS.value, max_vector_words=0),
        ModelConfig(structure="fully_shared", dropout_rate=0.0),
        TrainingConfig(seed=SEED.value),
    )

    from bioner_tf.experiments.partners.agreement import measure_agreement
    from bioner_tf.machine import use_threads

    use_threads()
    return measure_agreement(config, STEPS.value)


def _correlation(scores: Mapping[str, float], measured: Mapping[str, float]) -> str:
    names = list(measured)
    value = rank_correlation([scores[n] for n in names], [measured[n] for n in names])
    return "not defined" if value is None else f"{value:+.2f}"


def main(argv: list[str]) -> None:
    """Ranks."""
    del argv
    if VECTORS.value and not STEPS.value:
        raise UsageError("--vectors: expected together with --steps=N, got --steps=0")
    candidates = _candidates()
    measured: dict[str, float] = {}
    if SWEEP_DIR.value is not None:
        measured = measured_scores(collect_runs(SWEEP_DIR.value).runs, MAIN.value, candidates)
    text = _read(MAIN.value)
    found = {name: indicators(text, _read(name)) for name in candidates}
    gradients: dict[str, list[float]] = {}
    told = ""
    if STEPS.value:
        told = f" (without gradients: {_correlation(rank(found), measured)})"
        gradients = _gradients(candidates)
        found = {
            name: dataclasses.replace(each, gradients=statistics.fmean(gradients[name]))
            for name, each in found.items()
        }
    scores = rank(found)
    header = ["with " + MAIN.value, "score", *found[candidates[0]].measured()]
    rows = [
        [name, f"{score:+.2f}", *(f"{value:.3f}" for value in found[name].measured().values())]
        for name, score in scores.items()
    ]
    if gradients:
        for row in rows:
            row[-1] = describe_mean(gradients[row[0]])
    if measured:
        header.append("test F1")
        for row in rows:
            row.append(f"{100 * measured[row[0]]:.2f}" if row[0] in measured else "not run")
    print(plain_table(header, rows, [LEFT] + [RIGHT] * (len(header) - 1)))
    if measured:
        few = "; of so few it means nothing" if len(measured) < _FEW else ""
        print(
            f"\nrank correlation with the test F1 of {len(measured)} trained partners: "
            f"{_correlation(scores, measured)}{told}{few}"
        )
    elif SWEEP_DIR.value is not None:
        print(f"\n{SWEEP_DIR.value}: no run of cross_sharing with one of them has ended")


def entry() -> None:
    """The console script ``bioner-partner``."""
    app.run(main)


if __name__ == "__main__":
    entry()
