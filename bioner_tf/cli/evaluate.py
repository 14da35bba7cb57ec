"""Scores a trained tagger on a corpus file, or on a split of corpora it knows.

Entities count when span and type are exactly those of the gold standard (conlleval's rule).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpus import Sentence, read_corpus, read_split, write_predictions
from bioner_tf.errors import UsageError
from bioner_tf.files import write_json_atomically
from bioner_tf.metrics import format_scores, score_tags

Sources = dict[tuple[str, str], tuple[Sentence, ...]]

MODEL = flags.DEFINE_string("model", None, "A run directory or an export.", required=True)
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


def read_sources(known: list[str]) -> Sources:
    """Reads the sentences that the flags name.

    Args:
        known: The corpora of the model, the main one first.

    Returns:
        The sentences by corpus and split; the split of a single file is its name.
    """
    if (CORPUS_FILE.value is None) == (DATA_DIR.value is None):
        raise UsageError("expected either --corpus_file or --data_dir, got both or neither")
    corpora = CORPORA.value
    for name in corpora:
        if name not in known:
            raise UsageError(f"--corpora: the model has {', '.join(known)}, got {name!r}")
    if CORPUS_FILE.value is not None:
        if len(corpora) > 1:
            raise UsageError("--corpora: expected one corpus beside --corpus_file, got several")
        split = read_split(CORPUS_FILE.value, strict=STRICT.value)
        return {((corpora or known)[0], Path(split.path).name): split.sentences}
    return {
        (name, SPLIT.value): read_corpus(
            DATA_DIR.value, name, splits=[SPLIT.value], strict=STRICT.value
        )
        .splits[SPLIT.value]
        .sentences
        for name in corpora or known
    }


def main(argv: list[str]) -> None:
    """Scores."""
    del argv
    from bioner_tf.tagger import Tagger
    from bioner_tf.threads import use_threads

    use_threads()
    tagger = Tagger(MODEL.value)
    report: dict[str, dict[str, Any]] = {}
    for (corpus, split), sentences in read_sources(tagger.corpora).items():
        predicted, _ = tagger.tag_tokens([s.tokens for s in sentences], corpus)
        scores = score_tags([s.tags for s in sentences], predicted).to_json()
        report.setdefault(corpus, {})[split] = scores
        print(f"{corpus}, {split}\n{format_scores(scores)}\n")
        if PREDICTIONS.value is not None:
            path = Path(PREDICTIONS.value) / f"{corpus}.{split}.tsv"
            write_predictions(path, sentences, predicted)
    if JSON.value is not None:
        write_json_atomically(JSON.value, report)


def entry() -> None:
    """The console script ``bioner-evaluate``."""
    app.run(main)


if __name__ == "__main__":
    entry()
