"""The graph of a tagger: its variables, its look-up tables and its signatures.

It is built from a :class:`ServedTagger`: the feature sources, a function from their inputs to
features, and for each corpus its tags and a function from features to potentials.
``bioner_tf.serving`` explains how the parts fit together.

Signatures (every output is dense with the batch in dimension 0; offsets count Unicode code points,
half-open; ``bioner_tf.text`` defines characters, tokens and sentences):

==========================  ============================  ====================================
``serving_default``,        ``text`` string [batch]       ``entity_count`` int32 [batch];
``tag_text_<corpus>``                                     ``entity_start``, ``entity_end`` int32,
                                                          ``entity_type``, ``entity_text`` string,
                                                          ``entity_score`` float32, each [batch, E]
``tag_tokens``,             ``tokens`` string             ``tags`` string, ``tag_score`` float32,
``tag_tokens_<corpus>``     [batch, time], ``lengths``    each [batch, time]
                            int32 [batch]
==========================  ============================  ====================================

The signatures without a corpus name belong to the main corpus. E is the largest number of entities
in a text of the batch, at least 1. Padding is 0 or ``""``.

Memory is bounded for any input: sentences are cut at ``max_sentence_tokens``, sorted by length and
sent through the network in chunks of at most ``_CHUNK_TOKENS`` tokens, padding included.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from bioner_tf.corpora import tags as tag_tables
from bioner_tf.files import PathLike
from bioner_tf.layers import decoding
from bioner_tf.serving.packing import PackedWeights, TracedFunction
from bioner_tf.sources.base import FORM_IDS, LENGTHS, Source, network_specs
from bioner_tf.text.sentences import MAX_SENTENCE_TOKENS, cut_sentences, split_sentences
from bioner_tf.text.tokens import Tokens, encode, tokenise

# Tokens in one pass through the network, padding included. More is not faster on a CPU.
_CHUNK_TOKENS = 4096

# The network's inputs by name -> features: see ServedTagger.
Encode = Callable[[Mapping[str, tf.Tensor]], Sequence[tf.Tensor]]
# (features, lengths) -> potentials: see ServedCorpus.
Score = Callable[[Sequence[tf.Tensor], tf.Tensor], tf.Tensor]
Outputs = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class ServedCorpus:
    """What the export needs to know about a corpus.

    Attributes:
        name: The corpus's name, any string; signature names replace unusual characters in it.
        tags: Its tags by id, including ``"O"``, all of one scheme.
        score: Called as ``score(features, lengths)`` with the result of the tagger's ``encode`` and
            int32 ``(batch,)``. Returns potentials, float32 ``(batch, time, num_tags, num_tags)``,
            in which illegal transitions are still possible.
    """

    name: str
    tags: Sequence[str]
    score: Score


@dataclasses.dataclass(frozen=True)
class ServedTagger:
    """What the export needs to know about a tagger.

    Attributes:
        encode: The part of the network that all corpora share. Called with the inputs that
            ``sources.base.network_specs`` declares; lengths are at least 1, the longest is
            ``time``. Returns features, each float32, of any shape that ``score`` takes.
        corpora: At least one; the first is the main corpus.
        sources: The feature sources of the network.
        vocabulary_dir: The directory of the sources' vocabulary files.
        max_sentence_tokens: Longer sentences are cut; at least 1.
        metadata: More metadata, as JSON values: scores and training settings.
    """

    encode: Encode
    corpora: Sequence[ServedCorpus]
    sources: Sequence[Source]
    vocabulary_dir: PathLike
    max_sentence_tokens: int = MAX_SENTENCE_TOKENS
    table_precision: str = "float32"
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def signature_names(corpora: Sequence[str]) -> list[dict[str, str]]:
    """The names of each corpus's signatures; replaces characters that signatures must not have.

    Args:
        corpora: The names of the corpora, all different.

    Returns:
        For each corpus ``{"text": "tag_text_<corpus>", "tokens": "tag_tokens_<corpus>"}``, all
        different.
    """
    suffixes: list[str] = []
    for corpus in corpora:
        plain = suffix = re.sub(r"[^A-Za-z0-9_.-]", "_", corpus)
        number = 2
        while suffix in suffixes:
            suffix = f"{plain}_{number}"
            number += 1
        suffixes.append(suffix)
    return [{"text": f"tag_text_{s}", "tokens": f"tag_tokens_{s}"} for s in suffixes]


class TaggerGraph(tf.Module):
    """The saved variables and look-up tables; the signatures are functions that use them."""

    def __init__(self, tagger: ServedTagger):
        super().__init__(name="tagger")
        encode_spec = [network_specs(tagger.sources)]
        encode = TracedFunction(tagger.encode, encode_spec)
        score_spec = [
            [tf.TensorSpec(features.shape, features.dtype) for features in encode.concrete.outputs],
            tf.TensorSpec([None], tf.int32),
        ]
        scores = [TracedFunction(corpus.score, score_spec) for corpus in tagger.corpora]
        self.weights = PackedWeights([encode, *scores], half=tagger.table_precision == "float16")
        # A separate function, so that the saved graph holds it once, not once for each corpus.
        self.encode = tf.function(self.weights.bind(encode), input_signature=encode_spec)
        self.score = [self.weights.bind(score) for score in scores]
        self.sources = [source.graph_encoder(tagger.vocabulary_dir) for source in tagger.sources]
        self.max_sentence_tokens = tagger.max_sentence_tokens


class _TagTables(NamedTuple):
    """The tables of ``corpora.tags`` for one corpus, as tensors."""

    legal_starts: tf.Tensor
    legal_transitions: tf.Tensor
    legal_ends: tf.Tensor
    begins_entity: tf.Tensor
    continues_entity: tf.Tensor


# Any number of tags, so that one trace works for all corpora.
_TAG_TABLES_SPEC = _TagTables(
    legal_starts=tf.TensorSpec([None], tf.bool),
    legal_transitions=tf.TensorSpec([None, None], tf.bool),
    legal_ends=tf.TensorSpec([None], tf.bool),
    begins_entity=tf.TensorSpec([None], tf.bool),
    continues_entity=tf.TensorSpec([None], tf.bool),
)


class _Sentences(NamedTuple):
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


class _Chunk(NamedTuple):
    """Some sentences as inputs of the network, padded to (batch, time).

    Attributes:
        places: int64 (tokens,), the index of each token among all tokens of the request.
        cells: int64 (tokens, 2), row and column of each token in this chunk.
        inputs: The network's inputs by name.
    """

    places: tf.Tensor
    cells: tf.Tensor
    inputs: Mapping[str, tf.Tensor]


class _SharedSteps:
    """The steps that are the same for all corpora; the saved graph holds each of them once."""

    def __init__(self, graph: TaggerGraph):
        self._graph = graph
        self.encode = graph.encode
        self.split = tf.function(self._split)
        self.arrange = tf.function(self._arrange)
        self.take_chunk = tf.function(self._take_chunk)
        self.decode = tf.function(
            self._decode,
            input_signature=[
                tf.TensorSpec([None, None, None, None], tf.float32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, 2], tf.int64),
                _TAG_TABLES_SPEC,
            ],
        )
        self.collect = tf.function(self._collect)

    def _split(self, texts: tf.Tensor) -> tuple[Tokens, tf.Tensor]:
        """The tokens of the texts, and which of them begin a sentence."""
        tokens = tokenise(texts)
        return tokens, split_sentences(tokens)

    def _arrange(self, forms: tf.Tensor, begins_sentence: tf.Tensor) -> _Sentences:
        """Cuts sentences that are too long, and sorts sentences by length."""
        begins_sentence = cut_sentences(begins_sentence, self._graph.max_sentence_tokens)
        starts = tf.where(begins_sentence)[:, 0]  # (sentences,)
        lengths = tf.concat([starts[1:], [tf.size(forms, out_type=tf.int64)]], axis=0)
        lengths = lengths[: tf.size(starts)] - starts
        # Neighbours of similar length need little padding in a chunk.
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        distinct, form_ids = tf.unique(forms)
        return _Sentences(
            starts=tf.gather(starts, order),
            lengths=tf.gather(lengths, order),
            form_ids=form_ids,
            forms=distinct,
        )

    def _take_chunk(self, sentences: _Sentences, first: tf.Tensor) -> _Chunk:
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
        for source in self._graph.sources:
            inputs.update(source(forms, form_ids))
        return _Chunk(places, cells, inputs)

    def _decode(
        self, potentials: tf.Tensor, lengths: tf.Tensor, cells: tf.Tensor, tables: _TagTables
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Finds the best legal tags.

        Returns:
            For each token its tag id, int32; the probability of this tag, float32; and the
            probability of the entity that starts there, float32, 0 if none does. Each (tokens,),
            in the order of ``cells``.
        """
        potentials = decoding.restrict(
            potentials,
            tables.legal_starts,
            tables.legal_transitions,
            tables.legal_ends,
            lengths,
        )
        tag_ids = decoding.viterbi(potentials, lengths)
        chain, _ = decoding.normalise(potentials, lengths)
        marginals = decoding.token_marginals(chain, lengths)
        tag_scores = tf.gather(marginals, tag_ids, axis=2, batch_dims=2)
        entity_scores = decoding.entity_scores(
            chain, marginals, tag_ids, lengths, tables.begins_entity, tables.continues_entity
        )
        return tuple(tf.gather_nd(grid, cells) for grid in (tag_ids, tag_scores, entity_scores))

    def _collect(
        self,
        tokens: Tokens,
        begins: tf.Tensor,
        continues: tf.Tensor,
        types: tf.Tensor,
        entity_scores: tf.Tensor,
    ) -> Outputs:
        """Collects the entities of each text.

        Args:
            tokens: The tokens of the texts.
            begins: bool (tokens,), whether the token begins an entity.
            continues: bool (tokens,), whether the token continues an entity.
            types: string (tokens,), the type of the token's entity.
            entity_scores: float32 (tokens,), the entity's probability at its first token.

        Returns:
            The outputs of ``tag_text``.
        """
        # Tags are legal: an entity has a first token and ends within its sentence.
        ends = (begins | continues) & ~tf.concat([continues, [False]], axis=0)[1:]
        first, last = tf.where(begins)[:, 0], tf.where(ends)[:, 0]  # (entities,)

        text_ids = tf.gather(tokens.text_ids, first)
        offsets = tf.gather(tokens.text_starts, text_ids)
        starts, stops = tf.gather(tokens.starts, first), tf.gather(tokens.ends, last)
        num_texts = tf.size(tokens.text_starts)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(text_ids), text_ids, num_texts)
        return {
            "entity_count": tf.cast(counts, tf.int32),
            "entity_start": _to_dense(tf.cast(starts - offsets, tf.int32), counts, 0),
            "entity_end": _to_dense(tf.cast(stops - offsets, tf.int32), counts, 0),
            "entity_type": _to_dense(tf.gather(types, first), counts, ""),
            "entity_text": _to_dense(encode(tokens.code_points, starts, stops), counts, ""),
            "entity_score": _to_dense(tf.gather(entity_scores, first), counts, 0.0),
        }


def build_signatures(
    graph: TaggerGraph, corpora: Sequence[ServedCorpus], names: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Builds the signatures of a tagger.

    Args:
        graph: The tagger's variables and tables.
        corpora: The corpora, the main one first.
        names: Their signature names, from :func:`signature_names`.

    Returns:
        The ``tf.function`` of each signature.
    """
    steps = _SharedSteps(graph)
    signatures = {}
    for corpus, score, corpus_names in zip(corpora, graph.score, names):
        tag_text, tag_tokens = _build_corpus_signatures(steps, corpus.tags, score)
        signatures[corpus_names["text"]] = tag_text
        signatures[corpus_names["tokens"]] = tag_tokens
    signatures["serving_default"] = signatures[names[0]["text"]]
    signatures["tag_tokens"] = signatures[names[0]["tokens"]]
    return signatures


def _build_corpus_signatures(
    steps: _SharedSteps, tags: Sequence[str], score: Score
) -> tuple[Any, Any]:
    """Builds ``tag_text`` and ``tag_tokens`` for one corpus."""
    tables = _TagTables(
        legal_starts=tag_tables.legal_starts(tags),
        legal_transitions=tag_tables.legal_transitions(tags),
        legal_ends=tag_tables.legal_ends(tags),
        begins_entity=tag_tables.begins_entity(tags),
        continues_entity=tag_tables.continues_entity(tags),
    )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.bool)])
    def tag(forms: tf.Tensor, begins_sentence: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        sentences = steps.arrange(forms, begins_sentence)

        def tag_chunk(
            first: tf.Tensor, number: tf.Tensor, *columns: tf.TensorArray
        ) -> tuple[Any, ...]:
            chunk = steps.take_chunk(sentences, first)
            lengths = chunk.inputs[LENGTHS]
            features = steps.encode(chunk.inputs)
            potentials = score(features, lengths)
            decoded = steps.decode(potentials, lengths, chunk.cells, tables)
            written = (
                column.write(number, values)
                for column, values in zip(columns, (chunk.places, *decoded))
            )
            return (first + tf.size(lengths), number + 1, *written)

        columns = (
            tf.TensorArray(dtype, 0, dynamic_size=True, infer_shape=False, element_shape=[None])
            for dtype in (tf.int64, tf.int32, tf.float32, tf.float32)
        )
        _, _, *columns = tf.while_loop(
            lambda first, *_: first < tf.size(sentences.starts),
            tag_chunk,
            (0, 0, *columns),
            parallel_iterations=1,
        )
        places, *values = (column.concat() for column in columns)
        shape = tf.shape(forms, out_type=tf.int64)
        return tuple(tf.scatter_nd(places[:, tf.newaxis], column, shape) for column in values)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def tag_text(text: tf.Tensor) -> Outputs:
        tokens, begins_sentence = steps.split(text)
        tag_ids, _, entity_scores = tag(tokens.forms, begins_sentence)
        begins = tf.gather(tables.begins_entity, tag_ids)
        continues = tf.gather(tables.continues_entity, tag_ids)
        types = tf.gather(tag_tables.types_of(tags), tag_ids)
        return steps.collect(tokens, begins, continues, types, entity_scores)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ]
    )
    def tag_tokens(tokens: tf.Tensor, lengths: tf.Tensor) -> Outputs:
        shape = tf.shape(tokens, out_type=tf.int64)
        cells = tf.where(tf.sequence_mask(lengths, shape[1]))  # (tokens, 2)
        tag_ids, tag_scores, _ = tag(tf.gather_nd(tokens, cells), cells[:, 1] == 0)
        return {
            "tags": tf.scatter_nd(cells, tf.gather(list(tags), tag_ids), shape),
            "tag_score": tf.scatter_nd(cells, tag_scores, shape),
        }

    return tag_text, tag_tokens


def _to_dense(values: tf.Tensor, counts: tf.Tensor, default: object) -> tf.Tensor:
    """Splits values into rows of ``counts`` values, (batch, E), padded on the right; E >= 1."""
    width = tf.maximum(tf.reduce_max(counts), 1)
    rows = tf.RaggedTensor.from_row_lengths(values, counts, validate=False)
    return rows.to_tensor(default, shape=tf.stack([rows.nrows(), width]))
