"""A tagger of two corpora with random weights: small, quick, and without Keras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from bioner_tf.config import ModelConfig
from bioner_tf.corpora.corpus import Sentence
from bioner_tf.corpora.vocabulary import Vocabulary
from bioner_tf.serving.graph import ServedCorpus, ServedTagger
from bioner_tf.sources.characters import CharacterSource
from bioner_tf.sources.words import WordSource
from bioner_tf.training.batches import EncodedSplit, Forms

TAGS = {
    "genes-IOB": ("O", "B-Gene", "I-Gene"),
    "more (IOBES)": ("O", "B-DNA", "I-DNA", "E-DNA", "S-DNA", "S-cell_type"),
}
MAIN, AUXILIARY = TAGS
WORDS = Vocabulary(("the", "gene", "BRCA0", "binds", ".", "in", "p00", "-", "\ufffd", "cafe", "É"))
CHARACTERS = Vocabulary((*"abcdefghijklmnopqrstuvwxyzABC0123456789.-()", "é", "\ufffd", "\uffff"))
MAX_CHARACTERS = 6
MAX_SENTENCE_TOKENS = 12
_WIDTH = 5
_CONFIG = ModelConfig(word_dim=_WIDTH, max_characters=MAX_CHARACTERS)
SOURCES = (WordSource(WORDS, _CONFIG), CharacterSource(CHARACTERS, _CONFIG))

NASTY_TEXTS = [
    "",
    " \t\n\u00a0",
    "\x00the\x00 gene\x00",
    "cafe\u0301 BRCA1 \u0301 the",
    "the 👩‍👩‍👧‍👦 gene 🧬👍🏽 binds",
    "חלבון p53 بروتين\u202ethe gene",
    "\U0001d6fc-synuclein \U00010348 the gene",
    "the\ufffe gene\uffff binds \ufdd0p53",
    "gene" * 3000,
    "the\n\n\n\ngene\r\n\r\n" * 200,
    "The gene binds BRCA1. In the gene p53 binds.  The gene!",
    "the gene " * 300,
]


def build_random_tagger(directory: Path) -> ServedTagger:
    """Makes the tagger, with its vocabulary files in ``directory``."""
    for source in SOURCES:
        source.save(directory)
    generator = np.random.default_rng(3)

    def variable(*shape: int) -> tf.Variable:
        return tf.Variable(generator.normal(size=shape).astype(np.float32))

    word_table = variable(len(WORDS) + 2, _WIDTH)
    character_table = variable(len(CHARACTERS) + 2, _WIDTH)
    corpora = []
    for name, tags in TAGS.items():
        weights, transitions = variable(3 * _WIDTH, len(tags)), variable(len(tags), len(tags))
        corpora.append(ServedCorpus(name, tags, _score(weights, transitions)))
    return ServedTagger(
        encode=_encode(word_table, character_table),
        corpora=corpora,
        sources=SOURCES,
        vocabulary_dir=directory,
        max_sentence_tokens=MAX_SENTENCE_TOKENS,
        metadata={
            "structure": "toy",
            "scores": {"genes-IOB": {"test": {"precision": 0.5, "recall": 0.25, "f1": 1 / 3}}},
            "settings": {"training": {"epochs": 0}},
        },
    )


def _encode(word_table, character_table):
    def encode(inputs):
        word_ids, char_ids = inputs["word_ids"], inputs["char_ids"]
        time = tf.shape(word_ids)[1]
        is_token = tf.sequence_mask(inputs["lengths"], time, tf.float32)[:, :, tf.newaxis]
        is_character = tf.cast(char_ids > 0, tf.float32)[:, :, tf.newaxis]
        # Later characters weigh more, so that their order and their number count.
        places = tf.range(1, tf.shape(char_ids)[1] + 1, dtype=tf.float32)[:, tf.newaxis]
        forms = tf.reduce_sum(tf.gather(character_table, char_ids) * is_character * places, axis=1)
        words = tf.gather(word_table, word_ids) * is_token
        # The neighbour on the right: nothing behind a sentence's last token.
        following = tf.pad(words[:, 1:], [[0, 0], [0, 1], [0, 0]])
        return words, following, tf.gather(_sine(forms), inputs["form_ids"])

    return encode


def _score(weights, transitions):
    def score(features, lengths):
        return (tf.concat(features, axis=-1) @ weights)[:, :, tf.newaxis, :] + transitions

    return score


@tf.custom_gradient
def _sine(values):
    # As trained networks have it: something with a gradient of its own, which no export needs.
    return tf.sin(values), lambda upstream: upstream * tf.cos(values)


def encode_in_python(sentence: Sequence[str]) -> dict[str, np.ndarray]:
    """The inputs of the network for one sentence, as training makes them."""
    sentences = [Sentence(tuple(sentence), ("O",) * len(sentence))]
    forms = Forms.encode(sentences, SOURCES)
    return EncodedSplit.encode(sentences, forms).batch(np.array([0]), forms)
