"""The temperature of each corpus's CRF, which makes the scores of entities agree with their chance.

The potentials of a CRF divided by a temperature give the same best tags; the probabilities move
away from 0 and 1 above a temperature of 1, and towards them below.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bioner_tf.corpora import tags as tag_tables
from bioner_tf.corpora.corpus import Sentence, keep_types, read_corpus
from bioner_tf.errors import BionerError
from bioner_tf.layers import decoding
from bioner_tf.models import MultiTaskTagger
from bioner_tf.scoring.calibration import fit_temperature
from bioner_tf.sources.base import LENGTHS
from bioner_tf.training.batches import EncodedSplit, Forms, length_batches
from bioner_tf.training.evaluation import cut_sentences
from bioner_tf.training.trained_run import TrainedRun

_LOG = logging.getLogger(__name__)

_BATCH_SIZE = 64


class DecodedEntities:
    """The entities that a corpus's CRF finds in sentences, and their scores at any temperature.

    The networks run once; the potentials are kept.

    Args:
        tagger: The networks.
        corpus: The corpus whose CRF decodes.
        tags: Its tags.
        sentences: At least one, with gold tags.
        forms: The encoded tokens of the sentences.

    Attributes:
        correct: bool (entities,), whether span and type are those of a gold entity.
    """

    def __init__(
        self,
        tagger: MultiTaskTagger,
        corpus: str,
        tags: Sequence[str],
        sentences: Sequence[Sentence],
        forms: Forms,
    ):
        split = EncodedSplit.encode(sentences, forms)
        # By tokens of the whole split, as sentences are cut into pieces.
        gold = {
            (start + span.start, start + span.end, span.type)
            for start, sentence in zip(split.offsets, sentences)
            for span in tag_tables.to_spans(sentence.tags)
        }
        pieces = cut_sentences(split)
        network, self._crf = tagger.networks[corpus], tagger.crfs[corpus]
        self._legal = tag_tables.legal_tags(tags)
        self._begins = tag_tables.begins_entity(tags)
        self._continues = tag_tables.continues_entity(tags)
        self._score = tf.function(self._score_entities, reduce_retracing=True)
        decode = tf.function(self._decode, reduce_retracing=True)
        # For each batch emissions, lengths, best tags and the cells where an entity begins.
        self._batches = []
        correct = []
        for rows in length_batches(pieces, _BATCH_SIZE):
            batch = pieces.batch(rows, forms)
            lengths = tf.constant(batch[LENGTHS])
            emissions = network(batch)["emissions"]
            tag_ids = decode(emissions, lengths)
            cells = []
            for place, (row, ids) in enumerate(zip(rows, tag_ids.numpy())):
                start = pieces.offsets[row]
                found = [tags[number] for number in ids[: pieces.lengths[row]]]
                for span in tag_tables.to_spans(found):
                    cells.append((place, span.start))
                    correct.append((start + span.start, start + span.end, span.type) in gold)
            cells = tf.constant(cells, tf.int32, (len(cells), 2))
            self._batches.append((emissions, lengths, tag_ids, cells))
        self.correct = np.array(correct, np.bool_)

    def scores(self, temperature: float = 1.0) -> np.ndarray:
        """Returns the score of each entity at a temperature, float32 (entities,)."""
        divisor = tf.constant(temperature, tf.float32)
        return np.concatenate([self._score(*batch, divisor).numpy() for batch in self._batches])

    def _decode(self, emissions: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        potentials = self._crf.potentials(emissions)
        return decoding.viterbi(decoding.restrict(potentials, *self._legal, lengths), lengths)

    def _score_entities(
        self,
        emissions: tf.Tensor,
        lengths: tf.Tensor,
        tag_ids: tf.Tensor,
        cells: tf.Tensor,
        temperature: tf.Tensor,
    ) -> tf.Tensor:
        potentials = self._crf.potentials(emissions) / temperature
        potentials = decoding.restrict(potentials, *self._legal, lengths)
        _, marginals, following = decoding.decode(potentials, lengths)
        scores = decoding.entity_scores(
            potentials, marginals, following, tag_ids, lengths, self._begins, self._continues
        )
        return tf.gather_nd(scores, cells)


def fit_temperatures(
    tagger: MultiTaskTagger,
    tags: Mapping[str, Sequence[str]],
    sentences: Mapping[str, Sequence[Sentence]],
    forms: Forms,
) -> dict[str, float]:
    """Fits the temperature of each corpus.

    Args:
        tagger: The networks.
        tags: The tags of each corpus.
        sentences: By corpus, sentences with gold tags that were not trained on.
        forms: The encoded tokens of the sentences.

    Returns:
        By corpus the temperature; see ``scoring.calibration.fit_temperature``.
    """
    temperatures = {}
    for corpus, of_corpus in sentences.items():
        found = DecodedEntities(tagger, corpus, tags[corpus], of_corpus, forms)
        temperatures[corpus] = fit_temperature(found.scores, found.correct)
    return temperatures


def with_temperatures(run: TrainedRun, temperature: float | None = None) -> TrainedRun:
    """Returns the run with a temperature for each corpus in its report.

    Args:
        run: The run.
        temperature: The temperature of all corpora; None: fitted on devel, corpus by corpus. That
            is 1 if the run was trained on devel. If its report has no temperatures, the devel
            splits are read again; where they are missing, it is 1, too, and a warning says so.
    """
    if temperature is not None:
        temperatures = dict.fromkeys(run.tagger.corpora, temperature)
    elif "temperatures" in run.report or run.config.data.train_on != "train":
        return run
    else:
        temperatures = _fit_on_devel(run)
    return dataclasses.replace(run, report={**run.report, "temperatures": temperatures})


def _fit_on_devel(run: TrainedRun) -> dict[str, float]:
    data = run.config.data
    sentences = {}
    for name in data.corpora:
        try:
            split = read_corpus(data.data_dir, name, ["devel"], data.strict).splits["devel"]
        except BionerError as error:
            _LOG.warning(
                "the temperature of the scores stays 1, because a devel split to fit it on cannot "
                "be read (%s); --temperature gives another",
                error,
            )
            return {}
        types = data.types.get(name)
        sentences[name] = split.sentences if types is None else keep_types(split.sentences, types)
    forms = Forms.encode([s for each in sentences.values() for s in each], run.vocabularies.sources)
    return fit_temperatures(run.tagger, run.vocabularies.tags, sentences, forms)
