"""The inputs of a run: corpora, sources and tags, read and encoded."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioner_tf.config import RunConfig
from bioner_tf.corpora.corpus import (
    SPLITS,
    Corpus,
    Sentence,
    find_unknown_types,
    fingerprint,
    keep_fraction,
    read_corpus,
    types_in,
)
from bioner_tf.corpora.tags import OUTSIDE
from bioner_tf.corpora.vocabulary import Vocabulary, build_tags
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike
from bioner_tf.sources.base import Source
from bioner_tf.sources.registry import build_sources, load_sources
from bioner_tf.training.batches import EncodedSplit, Forms

_LOG = logging.getLogger(__name__)

_TAGS_FILE = "tags.{}.txt"


@dataclasses.dataclass(frozen=True)
class Vocabularies:
    """Everything that turns the sentences of a run into numbers.

    Attributes:
        sources: What the networks read about a token, each with its vocabulary.
        tags: The tags of each corpus, the main corpus first.
    """

    sources: Sequence[Source]
    tags: Mapping[str, Sequence[str]]

    def save(self, directory: PathLike) -> None:
        """Writes one text file for each vocabulary into ``directory``."""
        for source in self.sources:
            source.save(directory)
        for corpus, tags in self.tags.items():
            Vocabulary(tuple(tags)).save(Path(directory) / _TAGS_FILE.format(corpus))

    @classmethod
    def load(cls, directory: PathLike, config: RunConfig) -> Vocabularies:
        """Reads what ``save`` wrote.

        Raises:
            BionerError: A file is missing or damaged.
        """
        return cls(
            sources=load_sources(config.model, directory),
            tags={
                corpus: Vocabulary.load(Path(directory) / _TAGS_FILE.format(corpus)).entries
                for corpus in config.data.corpora
            },
        )

    def has_same_entries(self, other: Vocabularies) -> bool:
        """Tells whether the ids of ``other`` mean the same."""
        ours, theirs = ([s.vocabulary for s in both.sources] for both in (self, other))
        return ours == theirs and self.tags == other.tags


@dataclasses.dataclass(frozen=True)
class TrainingInputs:
    """Everything that a run reads, ready for use.

    Attributes:
        config: The run, with the width of its word vectors filled in.
        corpora: The corpora as read.
        training: The training sentences of each corpus, the main corpus first.
        vocabularies: Built from the training sentences and the vectors.
        forms: Every distinct token of the splits that were read.
        encoded_training: ``training`` as numbers.
    """

    config: RunConfig
    corpora: Mapping[str, Corpus]
    training: Mapping[str, Sequence[Sentence]]
    vocabularies: Vocabularies
    forms: Forms
    encoded_training: Mapping[str, EncodedSplit]

    def encode(self, corpus: str, split: str) -> EncodedSplit:
        """Returns a split without its tags, for decoding."""
        return EncodedSplit.encode(self.corpora[corpus].splits[split].sentences, self.forms)

    def fingerprints(self) -> dict[str, dict[str, str]]:
        """Returns a fingerprint of the sentences, by corpus and split."""
        return {
            name: {split: fingerprint(read.sentences) for split, read in corpus.splits.items()}
            for name, corpus in self.corpora.items()
        }

    def describe(self) -> dict[str, Any]:
        """Returns sentences, repaired tags, tags and coverage of each corpus, for the report."""
        return {
            name: {
                "training_sentences": len(self.training[name]),
                "sentences": {s: len(split.sentences) for s, split in corpus.splits.items()},
                "repaired_tags": {s: split.repaired for s, split in corpus.splits.items()},
                "tags": list(self.vocabularies.tags[name]),
                **{
                    key: value
                    for source in self.vocabularies.sources
                    for key, value in source.describe_data(name).items()
                },
            }
            for name, corpus in self.corpora.items()
        }


def load_inputs(config: RunConfig, splits: Sequence[str] = SPLITS) -> TrainingInputs:
    """Reads and encodes everything that a run needs.

    Args:
        config: The run.
        splits: The splits to read of each corpus; at least those that the run trains on.

    Raises:
        BionerError: A corpus or the vectors cannot be read, or there is no entity to train on.
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
    for name, corpus in corpora.items():
        _require_entities(config, corpus, training[name])
        _warn_of_unknown_types(corpus, training[name])
    _warn_where_no_epoch_is_best(config, corpora)
    config, sources = build_sources(config, training)
    tags = {
        name: build_tags(sentence.tags for sentence in sentences).entries
        for name, sentences in training.items()
    }
    forms = Forms.encode(
        [s for c in corpora.values() for split in c.splits.values() for s in split.sentences],
        sources,
    )
    return TrainingInputs(
        config=config,
        corpora=corpora,
        training=training,
        vocabularies=Vocabularies(sources, tags),
        forms=forms,
        encoded_training={
            name: EncodedSplit.encode(sentences, forms, tags[name])
            for name, sentences in training.items()
        },
    )


def _require_entities(config: RunConfig, corpus: Corpus, training: Sequence[Sentence]) -> None:
    if types_in(training):
        return
    path, mend = corpus.splits["train"].path, "check that the tag is the last column"
    if corpus.name in config.data.types:
        mend = f"give other types for {corpus.name} in --types"
    elif types_in(corpus.splits["train"].sentences):
        mend = "give a larger --keep_fraction"
    raise BionerError(
        f"{path}: expected entities to train on, got none: all tags of the {len(training)} "
        f"training sentences are {OUTSIDE}; {mend}"
    )


def _warn_of_unknown_types(corpus: Corpus, training: Sequence[Sentence]) -> None:
    known = types_in(training)
    for name, split in corpus.splits.items():
        for unknown in find_unknown_types(split, known) if name != "train" else ():
            _LOG.warning(
                "%s: no training sentence has an entity of the type %s: the tagger cannot learn "
                "it and will miss all %d of this split",
                unknown.place,
                unknown.type,
                unknown.entities,
            )


def _warn_where_no_epoch_is_best(config: RunConfig, corpora: Mapping[str, Corpus]) -> None:
    devel = corpora[config.data.corpora[0]].splits.get("devel")
    if config.data.train_on != "train" or devel is None:
        return
    if not types_in(devel.sentences):
        _LOG.warning(
            "%s: expected entities, by which the best epoch is chosen, got none: the first epoch "
            "will count as the best; give a devel split with entities, or --train_on=train,devel",
            devel.path,
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
