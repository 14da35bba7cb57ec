"""The steps from texts to entities that all signatures of a tagger share, in graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from bioner_tf.corpora.tags import LegalTags
from bioner_tf.layers import decoding
from bioner_tf.serving.merging import CANDIDATES_SPEC, Candidates
from bioner_tf.sources.base import FORM_IDS, LENGTHS, GraphEncoder
from bioner_tf.text.sentences import cut_sentences, split_sentences
from bioner_tf.text.tokens import Tokens, encode, tokenise

# Tokens in one pass through the network, padding included. More is not faster on a CPU.
_CHUNK_TOKENS = 4096

Outputs = Mapping[str, tf.Tensor]


# Any number of tags, so that one trace works for all corpora.
_LEGAL_TAGS_SPEC = LegalTags(
    starts=tf.TensorSpec([None], tf.bool),
    transitions=tf.TensorSpec([None, None], tf.bool),
    ends=tf.TensorSpec([None], tf.bool),
)


class FoundTags(NamedTuple):
    """The tags of several corpora one after the other, in which entities are found.

    Attributes:
        begins_entity: bool (tags,), whether a tag begins an entity.
        continues_entity: bool (tags,), whether it continues one.
        types: string (tags,), the type of its entity.
    """

    begins_entity: tf.Tensor
    continues_entity: tf.Tensor
    types: tf.Tensor


_FOUND_TAGS_SPEC = FoundTags(
    begins_entity=tf.TensorSpec([None], tf.bool),
    continues_entity=tf.TensorSpec([None], tf.bool),
    types=tf.TensorSpec([None], tf.string),
)
_TOKENS_SPEC = Tokens(
    code_points=tf.TensorSpec([None], tf.int32),
    classes=tf.TensorSpec([None], tf.int32),
    text_starts=tf.TensorSpec([None], tf.int64),
    text_ids=tf.TensorSpec([None], tf.int64),
    starts=tf.TensorSpec([None], tf.int64),
    ends=tf.TensorSpec([None], tf.int64),
    forms=tf.TensorSpec([None], tf.string),
)


class Sentences(NamedTuple):
    """Sentences, longest first, and their tokens in text order.

    Attributes:
        starts: int64 (sentences,), the index of each sentence's first token.
        lengths: int64 (sentences,), tokens of each sentence.
        form_ids: int32 (tokens,), the index of each token's form in ``forms``.
        forms: string (forms,), the distinct forms.
    """

    starts: tf.Tensor
    lengths: tf.Tensor
    form_ids: tf.Tensor
    forms: tf.Tensor


class Chunk(NamedTuple):
    """Some sentences as inputs of the network, padded to (batch, time).

    Attributes:
        places: int64 (tokens,), the index of each token among all tokens of the request.
        cells: int64 (tokens, 2), row and column of each token in this chunk.
        inputs: The network's inputs by name.
    """

    places: tf.Tensor
    cells: tf.Tensor
    inputs: Mapping[str, tf.Tensor]


class SharedSteps:
    """The steps that are the same for all corpora; the saved graph holds each of them once."""

    def __init__(self, sources: Sequence[GraphEncoder], max_sentence_tokens: int):
        self._sources = sources
        self._max_sentence_tokens = max_sentence_tokens
        self.split = tf.function(self._split)
        self.arrange = tf.function(self._arrange)
        self.take_chunk = tf.function(self._take_chunk)
        potentials_spec = tf.TensorSpec([None, None, None, None], tf.float32)
        lengths_spec = tf.TensorSpec([None], tf.int32)
        self.restrict = tf.function(
            self._restrict,
            input_signature=[
                potentials_spec,
                lengths_spec,
                _LEGAL_TAGS_SPEC,
                tf.TensorSpec([], tf.int32),
            ],
        )
        self.decode = tf.function(
            self._decode,
            input_signature=[
                potentials_spec,
                lengths_spec,
                tf.TensorSpec([None, 2], tf.int64),
                tf.TensorSpec([None, None], tf.bool),
                tf.TensorSpec([None, None], tf.bool),
            ],
        )
        self.find = tf.function(
            self._find,
            input_signature=[
                _TOKENS_SPEC,
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([None, None], tf.float32),
                _FOUND_TAGS_SPEC,
            ],
        )
        self.collect = tf.function(
            self._collect,
            input_signature=[_TOKENS_SPEC, CANDIDATES_SPEC, tf.TensorSpec([None], tf.string)],
        )

    def _split(self, texts: tf.Tensor) -> tuple[Tokens, tf.Tensor]:
        """The tokens of the texts, and which of them begin a sentence."""
        tokens = tokenise(texts)
        return tokens, split_sentences(tokens)

    def _arrange(self, forms: tf.Tensor, begins_sentence: tf.Tensor) -> Sentences:
        """Cuts sentences that are too long, and sorts sentences by length."""
        begins_sentence = cut_sentences(begins_sentence, self._max_sentence_tokens)
        starts = tf.where(begins_sentence)[:, 0]  # (sentences,)
        lengths = tf.concat([starts[1:], [tf.size(forms, out_type=tf.int64)]], axis=0)
        lengths = lengths[: tf.size(starts)] - starts
        # Neighbours of similar length need little padding in a chunk.
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        distinct, form_ids = tf.unique(forms)
        return Sentences(
            starts=tf.gather(starts, order),
            lengths=tf.gather(lengths, order),
            form_ids=form_ids,
            forms=distinct,
        )

    def _take_chunk(self, sentences: Sentences, first: tf.Tensor) -> Chunk:
        """Takes the next sentences, from number ``first`` on, that fit into one chunk."""
        longest = sentences.lengths[first]
        count = tf.maximum(_CHUNK_TOKENS // tf.cast(longest, tf.int32), 1)
        starts = sentences.starts[first : first + count]
        lengths = sentences.lengths[first : first + count]

        offsets = tf.range(longest)
        is_token = offsets < lengths[:, tf.newaxis]  # (batch, time)
        cells = tf.where(is_token)
        places = tf.boolean_mask(starts[:, tf.newaxis] + offsets, is_token)
        forms, form_of_token = tf.unique(tf.gather(sentences.form_ids, places))
        forms = tf.gather(sentences.forms, forms)
        shape = tf.shape(is_token, out_type=tf.int64)
        form_ids = tf.scatter_nd(cells, form_of_token + 1, shape)
        inputs = {LENGTHS: tf.cast(lengths, tf.int32), FORM_IDS: form_ids}
        for source in self._sources:
            inputs.update(source(forms, form_ids))
        return Chunk(places, cells, inputs)

    def _restrict(
        self, potentials: tf.Tensor, lengths: tf.Tensor, legal: LegalTags, num_tags: tf.Tensor
    ) -> tf.Tensor:
        """Rules out illegal tag sequences, and adds tags that are never used up to ``num_tags``."""
        restricted = decoding.restrict(potentials, *legal, lengths)
        missing = num_tags - tf.shape(potentials)[-1]
        paddings = [[0, 0], [0, 0], [0, missing], [0, missing]]
        return tf.pad(restricted, paddings, constant_values=decoding.FORBIDDEN)

    def _decode(
        self,
        potentials: tf.Tensor,
        lengths: tf.Tensor,
        cells: tf.Tensor,
        begins_entity: tf.Tensor,
        continues_entity: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Finds the best legal tags, of several corpora at once.

        Args:
            potentials: float32 (corpora * batch, time, num_tags, num_tags), restricted, those of
                the first corpus first.
            lengths: int32 (batch,).
            cells: int64 (tokens, 2), row and column of each token.
            begins_entity: bool (corpora, num_tags), the tags that begin an entity.
            continues_entity: bool (corpora, num_tags), the tags that continue one.

        Returns:
            For each token its tag id, int32; the probability of this tag, float32; and the
            probability of the entity that starts there, float32, 0 if none does. Each
            (tokens, corpora), in the order of ``cells``.
        """
        batch, corpora = tf.size(lengths), tf.shape(begins_entity)[0]
        lengths = tf.tile(lengths, [corpora])
        tag_ids, marginals, following = decoding.decode(potentials, lengths)
        tag_scores = tf.gather(marginals, tag_ids, axis=2, batch_dims=2)
        entity_scores = decoding.entity_scores(
            potentials,
            marginals,
            following,
            tag_ids,
            lengths,
            tf.repeat(begins_entity, batch, axis=0),
            tf.repeat(continues_entity, batch, axis=0),
        )

        def at_cells(grid: tf.Tensor) -> tf.Tensor:
            grid = tf.reshape(grid, (corpora, batch, -1))
            return tf.gather_nd(tf.transpose(grid, [1, 2, 0]), cells)

        return at_cells(tag_ids), at_cells(tag_scores), at_cells(entity_scores)

    def _find(
        self,
        tokens: Tokens,
        tag_ids: tf.Tensor,
        entity_scores: tf.Tensor,
        tags: FoundTags,
    ) -> Candidates:
        """Finds the entities that the tags of each corpus stand for.

        Args:
            tokens: The tokens of the texts.
            tag_ids: int32 (tokens, corpora), ids in ``tags``; each column legal tags.
            entity_scores: float32 (tokens, corpora), the entity's probability at its first token.
            tags: The tags of all corpora.

        Returns:
            The entities of all texts, in the order of the corpora and of the tokens.
        """
        tag_ids = tf.transpose(tag_ids)  # (corpora, tokens)
        begins = tf.gather(tags.begins_entity, tag_ids)
        continues = tf.gather(tags.continues_entity, tag_ids)
        # Tags are legal: an entity has a first token and ends within its sentence.
        next_continues = tf.pad(continues[:, 1:], [[0, 0], [0, 1]])[:, : tf.shape(continues)[1]]
        places = tf.where(begins)  # (entities, 2)
        last_tokens = tf.where((begins | continues) & ~next_continues)[:, 1]
        return Candidates(
            corpora=tf.cast(places[:, 0], tf.int32),
            starts=tf.gather(tokens.starts, places[:, 1]),
            ends=tf.gather(tokens.ends, last_tokens),
            types=tf.gather(tags.types, tf.gather_nd(tag_ids, places)),
            scores=tf.gather_nd(tf.transpose(entity_scores), places),
        )

    def _collect(self, tokens: Tokens, entities: Candidates, names: tf.Tensor) -> Outputs:
        """Sorts entities by their texts.

        Args:
            tokens: The tokens of the texts.
            entities: The entities, ordered by their start.
            names: string (corpora,), the names of the corpora.

        Returns:
            The outputs of ``tag_text_all``.
        """
        # A text without characters starts where the next one does: the last of them has the entity.
        text_ids = tf.searchsorted(
            tokens.text_starts, entities.starts, side="right", out_type=tf.int64
        )
        text_ids -= 1
        offsets = tf.gather(tokens.text_starts, text_ids)
        num_texts = tf.size(tokens.text_starts)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(text_ids), text_ids, num_texts)
        mentions = encode(tokens.code_points, entities.starts, entities.ends)
        return {
            "entity_count": tf.cast(counts, tf.int32),
            "entity_start": _to_dense(tf.cast(entities.starts - offsets, tf.int32), counts, 0),
            "entity_end": _to_dense(tf.cast(entities.ends - offsets, tf.int32), counts, 0),
            "entity_type": _to_dense(entities.types, counts, ""),
            "entity_text": _to_dense(mentions, counts, ""),
            "entity_score": _to_dense(entities.scores, counts, 0.0),
            "entity_corpus": _to_dense(tf.gather(names, entities.corpora), counts, ""),
        }


def _to_dense(values: tf.Tensor, counts: tf.Tensor, default: object) -> tf.Tensor:
    """Splits values into rows of ``counts`` values, (batch, E), padded on the right; E >= 1."""
    width = tf.maximum(tf.reduce_max(counts), 1)
    rows = tf.RaggedTensor.from_row_lengths(values, counts, validate=False)
    return rows.to_tensor(default, shape=tf.stack([rows.nrows(), width]))
