"""Tags corpora with the networks in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bioner_tf.corpora import tags as tag_tables
from bioner_tf.layers.decoding import restrict, viterbi
from bioner_tf.models import MultiTaskTagger
from bioner_tf.sources.base import LENGTHS
from bioner_tf.terminal import Progress, clear_line
from bioner_tf.text.sentences import MAX_SENTENCE_TOKENS
from bioner_tf.training.batches import EncodedSplit, Forms, batch_signature, length_batches

_BATCH_SIZE = 64


class Decoder:
    """Finds the most probable legal tags of sentences, for any corpus of a tagger.

    Args:
        tagger: The networks.
        tags: The tags of each corpus.
    """

    def __init__(self, tagger: MultiTaskTagger, tags: Mapping[str, Sequence[str]]):
        self._tags = tags
        self._decode = {
            corpus: _decode_function(tagger, corpus, tags[corpus]) for corpus in tagger.corpora
        }

    def build(self, forms: Forms) -> None:
        """Builds the graphs, which takes seconds, so that the first ``predict`` is fast too."""
        one_token = EncodedSplit(np.zeros(1, np.int32), None, np.array([0, 1]))
        for corpus in self._tags:
            self.predict(corpus, one_token, forms)

    def predict(
        self, corpus: str, split: EncodedSplit, forms: Forms, title: str = ""
    ) -> list[list[str]]:
        """Tags every sentence of ``split`` with the tags of ``corpus``, in the split's order.

        Sentences of more than ``MAX_SENTENCE_TOKENS`` tokens are cut, as in an export. A terminal
        shows a bar while it runs, if there is a ``title`` to put before it.
        """
        pieces = cut_sentences(split)
        progress, done = Progress("sentences", len(pieces.lengths), title), 0
        tag_ids = np.zeros(len(split.form_ids), np.int32)
        for rows in length_batches(pieces, _BATCH_SIZE):
            batch = pieces.batch(rows, forms)
            decoded = self._decode[corpus](batch).numpy()
            for row, ids, length in zip(rows, decoded, batch[LENGTHS]):
                start = pieces.offsets[row]
                tag_ids[start : start + length] = ids[:length]
            done += len(rows)
            if title:
                progress.draw(done)
        if title:
            clear_line()
        names = np.array(self._tags[corpus])[tag_ids]
        return [sentence.tolist() for sentence in np.split(names, split.offsets[1:-1])]


def cut_sentences(split: EncodedSplit) -> EncodedSplit:
    """Cuts the sentences of a split as an export does, and leaves their tags out."""
    bounds = zip(split.offsets, split.offsets[1:])
    starts = [np.arange(start, end, MAX_SENTENCE_TOKENS) for start, end in bounds]
    return EncodedSplit(split.form_ids, None, np.concatenate([*starts, split.offsets[-1:]]))


def _decode_function(tagger: MultiTaskTagger, corpus: str, tags: Sequence[str]) -> tf.function:
    network, crf = tagger.networks[corpus], tagger.crfs[corpus]
    legal = tag_tables.legal_tags(tags)

    @tf.function(input_signature=[batch_signature(tagger.sources, with_tags=False)])
    def decode(batch):
        potentials = crf.potentials(network(batch)["emissions"])
        lengths = batch[LENGTHS]
        return viterbi(restrict(potentials, *legal, lengths), lengths)

    return decode
