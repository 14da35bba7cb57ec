"""Trains word vectors (word2vec) on text files, in which a line is a sentence or a paragraph.

Words are cut as in the corpora, and digits become 0, as the taggers look them up.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.machine import count_cores
from bioner_tf.vectors.word2vec import Word2VecConfig, find_files, train_vectors

_DEFAULTS = Word2VecConfig()

INPUT = flags.DEFINE_list(
    "input",
    None,
    "Text files (UTF-8, also .gz), or patterns like 'texts/**/*.txt'. The text of a corpus's .tsv "
    "file are its tokens.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output", None, "The file: word2vec binary (.bin) or text (.txt, .vec).", required=True
)
CONFIG = {
    "dim": flags.DEFINE_integer("dim", _DEFAULTS.dim, "Width of a vector.", lower_bound=1),
    "window": flags.DEFINE_integer(
        "window", _DEFAULTS.window, "Words on either side that are predicted.", lower_bound=1
    ),
    "sample": flags.DEFINE_float(
        "sample",
        _DEFAULTS.sample,
        "Some occurrences of words more frequent than this share are skipped.",
        lower_bound=0,
    ),
    "min_count": flags.DEFINE_integer(
        "min_count", _DEFAULTS.min_count, "Rarer words get no vector.", lower_bound=1
    ),
    "epochs": flags.DEFINE_integer(
        "epochs", _DEFAULTS.epochs, "Passes over the text.", lower_bound=1
    ),
    "skip_gram": flags.DEFINE_bool(
        "skip_gram", _DEFAULTS.skip_gram, "Skip-gram; else continuous bag of words."
    ),
    "hierarchical_softmax": flags.DEFINE_bool(
        "hierarchical_softmax",
        _DEFAULTS.hierarchical_softmax,
        "Hierarchical softmax; else 5 negative samples.",
    ),
    "lower": flags.DEFINE_bool(
        "lower", _DEFAULTS.lower, "Lower-case the text; a tagger looks up both forms of a word."
    ),
    "workers": flags.DEFINE_integer(
        "workers",
        count_cores(),
        "Threads; with 1, the same seed gives the same vectors.",
        lower_bound=1,
    ),
    "seed": flags.DEFINE_integer(
        "seed", _DEFAULTS.seed, "Seed of the initial values.", lower_bound=0
    ),
}


def main(argv: list[str]) -> None:
    """Trains the vectors."""
    del argv
    config = Word2VecConfig(**{name: flag.value for name, flag in CONFIG.items()})
    words = train_vectors(
        find_files(INPUT.value), OUTPUT.value, config, lambda line: print(line, flush=True)
    )
    print(f"{OUTPUT.value}: {words:,} words, {config.dim} numbers each")


entry = app.command(main)

if __name__ == "__main__":
    entry()
