"""Trains a tagger on one or more corpora, scores it on their test splits and exports it.

The run directory is the whole record. Started again with the same flags, a run that was interrupted
goes on where it was; a finished one shows its scores.
"""

from __future__ import annotations

import sys

from absl import flags

from bioner_tf.cli import app
from bioner_tf.config import (
    CRFS,
    DISTRIBUTIONS,
    DROPOUT_PLACES,
    PRECISIONS,
    RANDOM_WORD_DIM,
    STRUCTURES,
    TRAIN_ON,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
)
from bioner_tf.errors import UsageError

_MODEL = ModelConfig()
_TRAINING = TrainingConfig()
_DATA = DataConfig(data_dir="", corpora=("",))

STRUCTURE = flags.DEFINE_enum("structure", _MODEL.structure, STRUCTURES, "What corpora share.")
CORPORA = flags.DEFINE_list(
    "corpora", None, "Directories below --data_dir, the main corpus first.", required=True
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the corpora are.", required=True)
RUN_DIR = flags.DEFINE_string("run_dir", None, "Where everything is written to.", required=True)
VECTORS = flags.DEFINE_string(
    "vectors", _DATA.vectors, "Word vectors (GloVe or word2vec, also .gz); empty: random ones."
)
MAX_VECTOR_WORDS = flags.DEFINE_integer(
    "max_vector_words",
    _DATA.max_vector_words,
    "How many words that training never saw are taken from --vectors, so that new text finds them.",
)
SPLITS = flags.DEFINE_enum(
    "train_on",
    _DATA.train_on,
    TRAIN_ON,
    "The splits to learn from. With train, the epoch that is best on devel is kept; with "
    "train,devel (the paper's protocol) the last one.",
)
KEEP_FRACTION = flags.DEFINE_float(
    "keep_fraction", _DATA.keep_fraction, "Share of the main corpus's training sentences to keep."
)
TYPES = flags.DEFINE_multi_string(
    "types", [], "CORPUS:TypeA+TypeB keeps only these entity types of a corpus."
)
STRICT = flags.DEFINE_bool(
    "strict", _DATA.strict, "Refuse an I- tag without its B- instead of repairing it."
)
CRF = flags.DEFINE_enum(
    "crf", _MODEL.crf, CRFS, "static: one matrix of transition scores; pairwise: the paper's."
)
WORD_DIM = flags.DEFINE_integer(
    "word_dim",
    _MODEL.word_dim,
    f"Width of the word vectors; 0: that of --vectors, and {RANDOM_WORD_DIM} without any.",
)
CHAR_DIM = flags.DEFINE_integer("char_dim", _MODEL.char_dim, "Width of a character's vector.")
CHAR_FILTERS = flags.DEFINE_integer(
    "char_filters", _MODEL.char_filters, "Filters of the character CNN."
)
CHAR_WIDTH = flags.DEFINE_integer(
    "char_width", _MODEL.char_width, "Characters that a filter of the CNN spans."
)
MAX_CHARACTERS = flags.DEFINE_integer(
    "max_characters", _MODEL.max_characters, "Characters of a token beyond these are ignored."
)
LSTM_UNITS = flags.DEFINE_integer(
    "lstm_units", _MODEL.lstm_units, "Units of a Bi-LSTM in each direction."
)
PROJECTION_UNITS = flags.DEFINE_integer(
    "projection_units", _MODEL.projection_units, "Width of a Bi-LSTM's projected output."
)
PRECISION = flags.DEFINE_enum(
    "precision",
    _MODEL.precision,
    PRECISIONS,
    "Of the Bi-LSTMs' matmuls. bfloat16 is faster on a processor that has it, and rounds more.",
)
DROPOUT_RATE = flags.DEFINE_float(
    "dropout_rate", _MODEL.dropout_rate, "Probability that a value is dropped."
)
PLACES = flags.DEFINE_list(
    "dropout_places", list(_MODEL.dropout_places), f"Where: some of {', '.join(DROPOUT_PLACES)}."
)
EPOCHS = flags.DEFINE_integer(
    "epochs", _TRAINING.epochs, "Passes over the main corpus; 0 builds, reports and stops."
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", _TRAINING.batch_size, "Sentences in a batch.")
LEARNING_RATE = flags.DEFINE_float("learning_rate", _TRAINING.learning_rate, "Of the first epoch.")
LEARNING_RATE_DECAY = flags.DEFINE_float(
    "learning_rate_decay", _TRAINING.learning_rate_decay, "Factor on it after every epoch."
)
RHO = flags.DEFINE_float("rho", _TRAINING.rho, "RMSprop's decay rate.")
CLIP_NORM = flags.DEFINE_float(
    "clip_norm", _TRAINING.clip_norm, "Global L2 norm that gradients are clipped to."
)
ALPHA = flags.DEFINE_float("alpha", _TRAINING.alpha, "Weight of the adversarial loss.")
BETA = flags.DEFINE_float(
    "beta", _TRAINING.beta, "Weight of the loss that keeps shared and private features apart."
)
PATIENCE = flags.DEFINE_integer(
    "patience",
    _TRAINING.patience,
    "End after so many epochs without a better devel F1 of the main corpus; 0: never early.",
)
DISTRIBUTE = flags.DEFINE_enum(
    "distribute",
    _TRAINING.distribute,
    DISTRIBUTIONS,
    "none; mirrored: the devices of this machine; multiworker: several machines (TF_CONFIG). Each "
    "device takes its own batches, gradients are averaged: n devices act as n times --batch_size.",
)
SEED = flags.DEFINE_integer("seed", _TRAINING.seed, "Of every random draw.")
CORES = flags.DEFINE_integer(
    "cores",
    None,
    "Threads for so many cores at most; by default for all that the process may use.",
    lower_bound=1,
)


def parse_types(values: list[str]) -> dict[str, tuple[str, ...]]:
    """Reads the values of ``--types``, each ``CORPUS:TypeA+TypeB``."""
    types = {}
    for value in values:
        corpus, colon, names = value.rpartition(":")
        if not (corpus and colon and all(names.split("+"))):
            raise UsageError(f"--types: expected CORPUS:TypeA+TypeB, got {value!r}")
        types[corpus] = tuple(names.split("+"))
    return types


def config_from_flags() -> RunConfig:
    """Returns the run that the flags describe."""
    return RunConfig(
        data=DataConfig(
            data_dir=DATA_DIR.value,
            corpora=tuple(CORPORA.value),
            vectors=VECTORS.value,
            train_on=SPLITS.value,
            keep_fraction=KEEP_FRACTION.value,
            types=parse_types(TYPES.value),
            max_vector_words=MAX_VECTOR_WORDS.value,
            strict=STRICT.value,
        ),
        model=ModelConfig(
            structure=STRUCTURE.value,
            crf=CRF.value,
            word_dim=WORD_DIM.value,
            char_dim=CHAR_DIM.value,
            char_filters=CHAR_FILTERS.value,
            char_width=CHAR_WIDTH.value,
            max_characters=MAX_CHARACTERS.value,
            lstm_units=LSTM_UNITS.value,
            projection_units=PROJECTION_UNITS.value,
            precision=PRECISION.value,
            dropout_rate=DROPOUT_RATE.value,
            dropout_places=tuple(PLACES.value),
        ),
        training=TrainingConfig(
            epochs=EPOCHS.value,
            batch_size=BATCH_SIZE.value,
            learning_rate=LEARNING_RATE.value,
            learning_rate_decay=LEARNING_RATE_DECAY.value,
            rho=RHO.value,
            clip_norm=CLIP_NORM.value,
            alpha=ALPHA.value,
            beta=BETA.value,
            seed=SEED.value,
            patience=PATIENCE.value,
            distribute=DISTRIBUTE.value,
        ),
    )


def main(argv: list[str]) -> None:
    """Trains."""
    del argv
    config = config_from_flags()
    flags_text = flags.FLAGS.flags_into_string()

    from bioner_tf.machine import use_threads
    from bioner_tf.training.run import train

    use_threads(CORES.value)
    try:
        train(config, RUN_DIR.value, flags_text)
    except KeyboardInterrupt:
        print(f"{RUN_DIR.value}: give the same command again to go on", file=sys.stderr)
        raise


def entry() -> None:
    """The console script ``bioner-train``."""
    app.run(main)


if __name__ == "__main__":
    entry()
