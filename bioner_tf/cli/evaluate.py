"""Scores a trained tagger on a corpus file, or on a split of corpora it knows.

Entities count when span and type are exactly those of the gold standard (conlleval's rule).
--bootstrap adds confidence intervals, --against tests whether another model does better or worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpora.corpus import Sentence, read_corpus, read_split, write_predictions
from bioner_tf.corpora.predictions import TaggedSentence, read_predictions, require_same_sentences
from bioner_tf.errors import UsageError
from bioner_tf.files import write_json_atomically
from bioner_tf.scoring.metrics import format_scores, score_tags
from bioner_tf.scoring.statistics import (
    Difference,
    bootstrap_intervals,
    paired_randomisation,
    sentence_counts,
)

if TYPE_CHECKING:
    from bioner_tf.tagging.tagger import Tagger

Sources = dict[tuple[str, str], tuple[Sentence, ...]]
Tagged = dict[tuple[str, str], list[TaggedSentence]]

MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run directory, an export, or a file of predictions (as --predictions writes them), which "
    "is scored as it stands.",
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
    "Threads for so many cores at most; by default for all that the process may use.",
    lower_bound=1,
)
BOOTSTRAP = flags.DEFINE_integer(
    "bootstrap",
    0,
    "Add 95% confidence intervals by so many draws of the sentences, say 1000; 0: none.",
    lower_bound=0,
)
AGAINST = flags.DEFINE_string(
    "against",
    None,
    "Another run directory, export or file of predictions of the same sentences: tell the "
    "difference, and how probable such a one is by chance (paired approximate randomisation).",
)
SWAPS = flags.DEFINE_integer(
    "swaps", 10_000, "How many random swaps --against tries.", lower_bound=1
)
SEED = flags.DEFINE_integer("seed", 1, "Of the draws and the swaps.", lower_bound=0)


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


def tag_sources() -> Tagged:
    """Returns the sentences that the flags name, tagged by --model."""
    path = Path(MODEL.value)
    if not path.is_file():
        tagger = _load(MODEL.value)
        sources = read_sources(tagger.corpora)
        return {key: _tag(tagger, key[0], sentences) for key, sentences in sources.items()}
    if CORPUS_FILE.value is not None or DATA_DIR.value is not None:
        raise UsageError(
            "--model: a file of predictions has its own sentences; leave --corpus_file and "
            "--data_dir out"
        )
    corpus, _, split = path.stem.rpartition(".")
    return {(corpus, split): read_predictions(path)}


def tag_again(tagged: Tagged) -> Tagged:
    """Returns the same sentences, tagged by --against."""
    if Path(AGAINST.value).is_file():
        if len(tagged) > 1:
            raise UsageError("--against: a file is of one corpus; say which by --corpora")
        others = {key: read_predictions(AGAINST.value) for key in tagged}
    else:
        tagger = _load(AGAINST.value)
        others = {
            key: _tag(tagger, key[0], [Sentence(s.tokens, s.gold) for s in sentences])
            for key, sentences in tagged.items()
        }
    for key, sentences in tagged.items():
        require_same_sentences(sentences, others[key], (MODEL.value, AGAINST.value))
    return others


def _load(path: str) -> Tagger:
    from bioner_tf.machine import use_threads
    from bioner_tf.tagging.tagger import Tagger

    use_threads(CORES.value)
    return Tagger(path)


def _tag(tagger: Tagger, corpus: str, sentences: Sequence[Sentence]) -> list[TaggedSentence]:
    predicted, _ = tagger.tag_tokens([s.tokens for s in sentences], corpus)
    return [
        TaggedSentence(sentence.tokens, sentence.tags, tuple(tags))
        for sentence, tags in zip(sentences, predicted)
    ]


def evaluate(sentences: list[TaggedSentence], others: list[TaggedSentence] | None) -> dict:
    """Scores tagged sentences in the form of ``report.json``, with what the flags add to it."""
    gold, predicted = [s.gold for s in sentences], [s.predicted for s in sentences]
    scores = score_tags(gold, predicted).to_json()
    counts = sentence_counts(gold, predicted)
    if BOOTSTRAP.value:
        scores["intervals"] = bootstrap_intervals(counts, BOOTSTRAP.value, SEED.value)
    if others is not None:
        other_counts = sentence_counts(gold, [s.predicted for s in others])
        differences = paired_randomisation(counts, other_counts, SWAPS.value, SEED.value)
        scores["against"] = {metric: d._asdict() for metric, d in differences.items()}
    return scores


def show(scores: dict[str, Any]) -> None:
    """Prints scores, intervals and differences in per cent."""
    print(format_scores(scores))
    if "intervals" in scores:
        print(f"\n95% intervals, by {BOOTSTRAP.value:,} draws of the sentences")
        for metric, (low, high) in scores["intervals"].items():
            print(f"{metric:<9}  {100 * scores[metric]:6.2f}  [{100 * low:.2f}, {100 * high:.2f}]")
    if "against" in scores:
        print(f"\nmore than {AGAINST.value}, by {SWAPS.value:,} random swaps of the sentences")
        for metric, values in scores["against"].items():
            found = Difference(**values)
            print(f"{metric:<9}  {100 * found.difference:+6.2f}  p = {found.p:.4f}")
    print()


def main(argv: list[str]) -> None:
    """Scores."""
    del argv
    tagged = tag_sources()
    others = {} if AGAINST.value is None else tag_again(tagged)
    report: dict[str, dict[str, Any]] = {}
    for key, sentences in tagged.items():
        corpus, split = key
        scores = evaluate(sentences, others.get(key))
        report.setdefault(corpus, {})[split] = scores
        print(f"{corpus}, {split}")
        show(scores)
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
