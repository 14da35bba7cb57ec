"""Scores a trained tagger on a corpus file, or on a split of its own or of other corpora.

An entity is correct if span and type are exactly those of the gold standard (conlleval's rule).
Relaxed scores, with credit for overlapping boundaries or for the type alone, are shown beside it.
--type_map gives the types of several corpora common names, --calibration tells whether scores mean
what they say, --against tests whether another model does better or worse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpora.corpus import Sentence, write_predictions
from bioner_tf.corpora.type_map import SYNTAX
from bioner_tf.errors import UsageError
from bioner_tf.experiments.evaluate import Evaluation, evaluate, format_evaluation
from bioner_tf.experiments.reports.figures import can_draw
from bioner_tf.experiments.reports.reliability import draw_reliability
from bioner_tf.files import write_json_atomically
from bioner_tf.scoring.calibration import Calibration
from bioner_tf.tagging.bundled import find_bundled

MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run directory, an export, or a file of predictions (as --predictions writes them); by "
    "default the tagger that comes with the package.",
)
CORPUS_FILE = flags.DEFINE_string("corpus_file", None, "A file of tokens and tags.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where --corpora are.")
CORPORA = flags.DEFINE_list(
    "corpora",
    [],
    "The corpora whose tags are decoded. With --data_dir each is scored on its own --split "
    "(default: all of the model); with --corpus_file it is one (default: the main one).",
)
GOLD_CORPORA = flags.DEFINE_list(
    "gold_corpora",
    [],
    "Corpora in --data_dir that each of --corpora is scored on, in place of its own: any that "
    "are there, whether or not the model knows them. --type_map gives their types common names.",
)
SPLIT = flags.DEFINE_enum("split", "test", ("train", "devel", "test"), "The split to score.")
TYPE_MAP = flags.DEFINE_list(
    "type_map",
    [],
    f"Rename entity types, gold and predicted, before scoring: {SYNTAX}.",
)
ALL_TYPES = flags.DEFINE_bool(
    "all_types",
    False,
    "Score on all entity types of the gold standard, even if the model's run left some out by "
    "--types; their entities then count as missed.",
)
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
    1000,
    "Draws for the 95% confidence intervals; 0: no intervals. Whole documents are drawn where the "
    "corpus file marks them (-DOCSTART-), else sentences.",
    lower_bound=0,
)
CALIBRATION = flags.DEFINE_bool(
    "calibration",
    False,
    "Compare the scores of the predicted entities with how many of them are correct: the expected "
    "calibration error and a table.",
)
RELIABILITY = flags.DEFINE_string(
    "reliability_diagrams",
    None,
    "Draw the calibration as CORPUS.SPLIT.png in this directory; implies --calibration.",
)
AGAINST = flags.DEFINE_string(
    "against",
    None,
    "Another run directory, export or file of predictions of the same sentences: show "
    "the difference and its p-value (paired approximate randomisation).",
)
AGAINST_CORPUS = flags.DEFINE_string(
    "against_corpus",
    None,
    "The corpus whose tags the model of --against decodes; by default the one of the same name.",
)
SWAPS = flags.DEFINE_integer(
    "swaps", 10_000, "How many random swaps --against tries.", lower_bound=1
)
SEED = flags.DEFINE_integer("seed", 1, "Seed of the draws and the swaps.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Scores the model; prints the tables and writes the files that the flags name."""
    del argv
    from bioner_tf.machine import use_threads

    if RELIABILITY.value is not None and not can_draw():
        raise UsageError(
            "--reliability_diagrams: expected matplotlib, which draws them; "
            "pip install 'bioner_tf[plot]' brings it"
        )
    model = MODEL.value or str(find_bundled())
    if not all(Path(path).is_file() for path in (model, AGAINST.value) if path):
        use_threads(CORES.value)
    evaluation = Evaluation(
        model=model,
        corpus_file=CORPUS_FILE.value,
        data_dir=DATA_DIR.value,
        corpora=CORPORA.value,
        gold_corpora=GOLD_CORPORA.value,
        split=SPLIT.value,
        strict=STRICT.value,
        all_types=ALL_TYPES.value,
        type_map=TYPE_MAP.value,
        bootstrap=BOOTSTRAP.value,
        calibration=CALIBRATION.value or RELIABILITY.value is not None,
        against=AGAINST.value,
        against_corpus=AGAINST_CORPUS.value,
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
        if RELIABILITY.value is not None:
            draw_reliability(
                Path(RELIABILITY.value) / f"{corpus}.{split}.png",
                Calibration.from_json(scores["calibration"]),
                f"{corpus}, {split}",
            )
    if JSON.value is not None:
        write_json_atomically(JSON.value, report)


entry = app.command(main)

if __name__ == "__main__":
    entry()
