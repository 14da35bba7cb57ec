"""Tags corpora with the networks in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bioner_tf.corpora import tags as tag_tables
from bioner_tf.layers.decoding import restrict, viterbi
from bioner_tf.models import MultiTaskTagger
from bioner_tf.sources.base import LENGTHS
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

    def predict(self, corpus: str, split: EncodedSplit, forms: Forms) -> list[list[str]]:
        """Tags every sentence of ``split`` with the tags of ``corpus``, in the split's order."""
        names = np.array(self._tags[corpus])
        untagged = EncodedSplit(split.form_ids, None, split.offsets)
        predicted: list[list[str]] = [[] for _ in split.lengths]
        for rows in length_batches(split, _BATCH_SIZE):
            batch = untagged.batch(rows, forms)
            tag_ids = self._decode[corpus](batch).numpy()
            for row, ids, length in zip(rows, tag_ids, batch[LENGTHS]):
                predicted[row] = names[ids[:length]].tolist()
        return predicted


def _decode_function(tagger: MultiTaskTagger, corpus: str, tags: Sequence[str]) -> tf.function:
    network, crf = tagger.networks[corpus], tagger.crfs[corpus]
    legal = (
        tag_tables.legal_starts(tags),
        tag_tables.legal_transitions(tags),
        tag_tables.legal_ends(tags),
    )

    @tf.function(input_signature=[batch_signature(tagger.sources, with_tags=False)])
    def decode(batch):
        potentials = crf.potentials(network(batch)["emissions"])
        lengths = batch[LENGTHS]
        return viterbi(restrict(potentials, *legal, lengths), lengths)

    return decode
