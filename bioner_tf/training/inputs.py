"""What a run learns from: corpora, vocabularies, word vectors, all read and encoded."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioner_tf.config import RANDOM_WORD_DIM, ModelConfig, RunConfig
from bioner_tf.corpora import vocabulary as vocabularies
from bioner_tf.corpora.corpus import (
    SPLITS,
    Corpus,
    Sentence,
    fingerprint,
    keep_fraction,
    read_corpus,
)
from bioner_tf.corpora.vocabulary import Vocabulary
from bioner_tf.files import PathLike
from bioner_tf.training.batches import EncodedSplit, Forms
from bioner_tf.vectors.embeddings import Coverage, build_embedding_table, load_vectors

_LOG = logging.getLogger(__name__)

WORDS_FILE = "words.txt"
CHARACTERS_FILE = "characters.txt"
_TAGS_FILE = "tags.{}.txt"


@dataclasses.dataclass(frozen=True)
class Vocabularies:
    """The vocabularies of a run.

    Attributes:
        words: Of all corpora.
        characters: Of all corpora.
        tags: The tags of each corpus, the main corpus first.
    """

    words: Vocabulary
    characters: Vocabulary
    tags: Mapping[str, Sequence[str]]

    @property
    def num_words(self) -> int:
        """Rows of the word table, padding and unknown included."""
        return vocabularies.FIRST_ID + len(self.words)

    @property
    def num_characters(self) -> int:
        """Rows of the character table, padding and unknown included."""
        return vocabularies.FIRST_ID + len(self.characters)

    def save(self, directory: PathLike) -> None:
        """Writes one text file a vocabulary into ``directory``."""
        directory = Path(directory)
        self.words.save(directory / WORDS_FILE)
        self.characters.save(directory / CHARACTERS_FILE)
        for corpus, tags in self.tags.items():
            Vocabulary(tuple(tags)).save(directory / _TAGS_FILE.format(corpus))

    @classmethod
    def load(cls, directory: PathLike, corpora: Sequence[str]) -> Vocabularies:
        """Reads what ``save`` wrote.

        Raises:
            BionerError: A file is missing or damaged.
        """
        directory = Path(directory)
        return cls(
            words=Vocabulary.load(directory / WORDS_FILE),
            characters=Vocabulary.load(directory / CHARACTERS_FILE),
            tags={
                corpus: Vocabulary.load(directory / _TAGS_FILE.format(corpus)).entries
                for corpus in corpora
            },
        )


@dataclasses.dataclass(frozen=True)
class Material:
    """Everything that a run reads, ready for use.

    Attributes:
        config: The run, the width of its word vectors settled.
        corpora: The corpora as read.
        training: The training sentences of each corpus, the main corpus first.
        vocabularies: Built from the training sentences and the vectors.
        word_table: float32 (words, word_dim), the initial word vectors.
        coverage: How much of each corpus's training text has a vector.
        forms: Every distinct token of the splits that were read.
        encoded_training: ``training`` as numbers.
    """

    config: RunConfig
    corpora: Mapping[str, Corpus]
    training: Mapping[str, Sequence[Sentence]]
    vocabularies: Vocabularies
    word_table: np.ndarray
    coverage: Coverage
    forms: Forms
    encoded_training: Mapping[str, EncodedSplit]

    def encode(self, corpus: str, split: str) -> EncodedSplit:
        """Returns a split without its tags, for decoding."""
        return EncodedSplit.encode(self.corpora[corpus].splits[split].sentences, self.forms)

    def fingerprints(self) -> dict[str, dict[str, str]]:
        """Returns for each corpus, by split, what tells its sentences from any others."""
        return {
            name: {split: fingerprint(read.sentences) for split, read in corpus.splits.items()}
            for name, corpus in self.corpora.items()
        }

    def describe(self) -> dict[str, Any]:
        """Returns sentences, repaired tags, tags and coverage of each corpus, for the report."""
        coverage = self.coverage.to_json()
        return {
            name: {
                "training_sentences": len(self.training[name]),
                "sentences": {s: len(split.sentences) for s, split in corpus.splits.items()},
                "repaired_tags": {s: split.repaired for s, split in corpus.splits.items()},
                "tags": list(self.vocabularies.tags[name]),
                "coverage": coverage[name],
            }
            for name, corpus in self.corpora.items()
        }


def gather(config: RunConfig, splits: Sequence[str] = SPLITS) -> Material:
    """Reads and encodes all that a run needs.

    Args:
        config: The run.
        splits: What is read of each corpus; at least what the run trains on.

    Raises:
        BionerError: A corpus or the vectors cannot be read.
    """
    data = config.data
    corpora = {
        name: read_corpus(data.data_dir, name, splits, data.strict, data.types.get(name))
        for name in data.corpora
    }
    for name, corpus in corpora.items():
        for split in corpus.splits.values():
            if split.repaired:
                _LOG.warning("%s: repaired %d tags (--strict refuses them)", name, split.repaired)
    training = _training_sentences(config, corpora)
    everything = [sentence for sentences in training.values() for sentence in sentences]

    vectors = load_vectors(data.vectors, config.model.word_dim or None) if data.vectors else None
    vocabulary = Vocabularies(
        words=vocabularies.build_words(
            (sentence.tokens for sentence in everything),
            vectors.words if vectors else (),
            data.max_vector_words,
        ),
        characters=vocabularies.build_characters(sentence.tokens for sentence in everything),
        tags={
            name: vocabularies.build_tags(sentence.tags for sentence in sentences).entries
            for name, sentences in training.items()
        },
    )
    if config.model.word_dim == 0:
        word_dim = RANDOM_WORD_DIM if vectors is None else vectors.dim
        model = dataclasses.replace(config.model, word_dim=word_dim)
        config = dataclasses.replace(config, model=model)
    word_table, coverage = build_embedding_table(
        vocabulary.words,
        vectors,
        config.model.word_dim,
        config.training.seed,
        {
            name: vocabularies.count_forms(sentence.tokens for sentence in sentences)
            for name, sentences in training.items()
        },
    )
    forms = encode_forms(
        [s for c in corpora.values() for split in c.splits.values() for s in split.sentences],
        vocabulary,
        config.model,
    )
    return Material(
        config=config,
        corpora=corpora,
        training=training,
        vocabularies=vocabulary,
        word_table=word_table,
        coverage=coverage,
        forms=forms,
        encoded_training={
            name: EncodedSplit.encode(sentences, forms, vocabulary.tags[name])
            for name, sentences in training.items()
        },
    )


def encode_forms(
    sentences: Sequence[Sentence], vocabulary: Vocabularies, model: ModelConfig
) -> Forms:
    """Encodes every distinct token of ``sentences``."""
    return Forms.encode(
        sentences,
        functools.partial(vocabularies.encode_words, vocabulary.words),
        functools.partial(
            vocabularies.encode_characters,
            vocabulary.characters,
            max_characters=model.max_characters,
        ),
    )


def _training_sentences(
    config: RunConfig, corpora: Mapping[str, Corpus]
) -> dict[str, Sequence[Sentence]]:
    main = config.data.corpora[0]
    chosen: dict[str, Sequence[Sentence]] = {}
    for name, corpus in corpora.items():
        train = corpus.splits["train"].sentences
        if name == main:
            train = keep_fraction(train, config.data.keep_fraction, config.training.seed)
        # The development set is not reduced (paper, "Impact of dataset size").
        devel = corpus.splits["devel"].sentences if config.data.train_on == "train,devel" else ()
        chosen[name] = (*train, *devel)
    return chosen
