"""Scores a trained tagger on a corpus file, or on a split of corpora it knows.

Entities count when span and type are exactly those of the gold standard (conlleval's rule).
--bootstrap adds confidence intervals, --against tests whether another model does better or worse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpora.corpus import Sentence, write_predictions
from bioner_tf.experiments.evaluate import Evaluation, evaluate, format_evaluation
from bioner_tf.files import write_json_atomically

MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run directory, an export, or a file of predictions (as --predictions writes them).",
    required=True,
)
CORPUS_FILE = flags.DEFINE_string("corpus_file", None, "A file of tokens and tags.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where --corpora are.")
CORPORA = flags.DEFINE_list(
    "corpora",
    [],
    "The corpora whose tags are decoded. With --data_dir each is scored on its own --split "
    "(default: all of the model); with --corpus_file it is one (default: the main one).",
)
SPLIT = flags.DEFINE_enum("split", "test", ("train", "devel", "test"), "The split to score.")
JSON = flags.DEFINE_string("json", None, "Write the scores, by corpus and split, to this file.")
PREDICTIONS = flags.DEFINE_string(
    "predictions",
    None,
    "Write token, gold and predicted tag to CORPUS.SPLIT.tsv in this directory.",
)
STRICT = flags.DEFINE_bool("strict", False, "Refuse an I- tag without its B-.")
CORES = flags.DEFINE_integer(
    "cores",
    None,
    "The most cores to use; by default all that the process may use.",
    lower_bound=1,
)
BOOTSTRAP = flags.DEFINE_integer(
    "bootstrap",
    0,
    "Add 95% confidence intervals from this many draws of the sentences, like 1000; 0: none.",
    lower_bound=0,
)
AGAINST = flags.DEFINE_string(
    "against",
    None,
    "Another run directory, export or file of predictions of the same sentences: show "
    "the difference and its p-value (paired approximate randomisation).",
)
SWAPS = flags.DEFINE_integer(
    "swaps", 10_000, "How many random swaps --against tries.", lower_bound=1
)
SEED = flags.DEFINE_integer("seed", 1, "Seed of the draws and the swaps.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Scores the model; prints the scores and writes them if asked to."""
    del argv
    from bioner_tf.machine import use_threads

    if not all(Path(model).is_file() for model in (MODEL.value, AGAINST.value) if model):
        use_threads(CORES.value)
    evaluation = Evaluation(
        model=MODEL.value,
        corpus_file=CORPUS_FILE.value,
        data_dir=DATA_DIR.value,
        corpora=CORPORA.value,
        split=SPLIT.value,
        strict=STRICT.value,
        bootstrap=BOOTSTRAP.value,
        against=AGAINST.value,
        swaps=SWAPS.value,
        seed=SEED.value,
    )
    report: dict[str, dict[str, Any]] = {}
    for corpus, split, sentences, scores in evaluate(evaluation):
        report.setdefault(corpus, {})[split] = scores
        print(f"{corpus}, {split}\n{format_evaluation(scores, evaluation)}")
        if PREDICTIONS.value is not None:
            write_predictions(
                Path(PREDICTIONS.value) / f"{corpus}.{split}.tsv",
                [Sentence(s.tokens, s.gold) for s in sentences],
                [s.predicted for s in sentences],
            )
    if JSON.value is not None:
        write_json_atomically(JSON.value, report)


def entry() -> None:
    """The console script ``bioner-evaluate``."""
    app.run(main)


if __name__ == "__main__":
    entry()
