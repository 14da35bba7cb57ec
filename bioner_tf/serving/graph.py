"""The graph of a tagger: its variables, its look-up tables and its signatures.

It is built from a :class:`ServedTagger`: the feature sources, a function from their inputs to
features, and for each corpus its tags and a function from features to potentials.
``bioner_tf.serving`` explains how the parts fit together.

Signatures (every output is dense with the batch in dimension 0; offsets count Unicode code points,
half-open; ``bioner_tf.text`` defines characters, tokens and sentences):

==========================  ============================  ====================================
``tag_text_<corpus>``       ``text`` string [batch]       ``entity_count`` int32 [batch];
                                                          ``entity_start``, ``entity_end`` int32,
                                                          ``entity_type``, ``entity_text`` string,
                                                          ``entity_score`` float32, each [batch, E]
``tag_text_all``,           the same                      the same, and ``entity_corpus`` string
``tag_text_candidates``,                                  [batch, E]
``serving_default``
``tag_tokens``,             ``tokens`` string             ``tags`` string, ``tag_score`` float32,
``tag_tokens_<corpus>``     [batch, time], ``lengths``    each [batch, time]
                            int32 [batch]
==========================  ============================  ====================================

``tag_text_all`` has the entities of all corpora, merged by the tagger's ``rules``;
``tag_text_candidates`` has all of them, as the corpora name them, so that programs can merge by
other rules. ``serving_default`` is ``tag_text_all``, or ``tag_text_<main>`` with ``entity_corpus``.
``tag_tokens`` belongs to the main corpus. E is the largest number of entities in a text of the
batch, at least 1. Padding is 0 or ``""``. All corpora are tagged in one pass: texts are split and
encoded once.

Memory is bounded for any input: sentences are cut at ``max_sentence_tokens``, sorted by length and
sent through the network in chunks of at most ``_CHUNK_TOKENS`` tokens, padding included.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bioner_tf.corpora import tags as tag_tables
from bioner_tf.corpora.type_map import TypeMap
from bioner_tf.files import PathLike
from bioner_tf.serving.merging import Candidates, in_order, merge
from bioner_tf.serving.packing import PackedWeights, TracedFunction
from bioner_tf.serving.rules import MergeRules
from bioner_tf.serving.steps import FoundTags, Outputs, SharedSteps
from bioner_tf.sources.base import LENGTHS, Source, network_specs
from bioner_tf.text.sentences import MAX_SENTENCE_TOKENS

# The signatures that answer for all corpora: merged, and everything that was found.
TAG_TEXT_ALL, TAG_TEXT_CANDIDATES = "tag_text_all", "tag_text_candidates"
# No corpus's signature ends like these.
_RESERVED = ("all", "candidates")

# Corpora whose numbers of tags differ by less are decoded together.
_SIMILAR_TAGS = 8
_NO_NEW_NAMES = TypeMap()
_ENTITY_OUTPUTS = (
    "entity_count",
    "entity_start",
    "entity_end",
    "entity_type",
    "entity_text",
    "entity_score",
)

# The network's inputs by name -> features: see ServedTagger.
Encode = Callable[[Mapping[str, tf.Tensor]], Sequence[tf.Tensor]]
# (features, lengths) -> potentials: see ServedCorpus.
Score = Callable[[Sequence[tf.Tensor], tf.Tensor], tf.Tensor]


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
        rules: How the entities of the corpora are merged.
        serve: What ``serving_default`` answers, a name in ``rules.SERVED``.
        metadata: More metadata, as JSON values: scores and training settings.
    """

    encode: Encode
    corpora: Sequence[ServedCorpus]
    sources: Sequence[Source]
    vocabulary_dir: PathLike
    max_sentence_tokens: int = MAX_SENTENCE_TOKENS
    table_precision: str = "float32"
    rules: MergeRules = dataclasses.field(default_factory=MergeRules)
    serve: str = "all"
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
        while suffix in (*_RESERVED, *suffixes):
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
            tuple(tf.TensorSpec(values.shape, values.dtype) for values in encode.concrete.outputs),
            tf.TensorSpec([None], tf.int32),
        ]
        scores = [TracedFunction(corpus.score, score_spec) for corpus in tagger.corpora]
        self.weights = PackedWeights([encode, *scores], half=tagger.table_precision == "float16")
        # A separate function, so that the saved graph holds it once, not once for each corpus.
        self.encode = tf.function(self.weights.bind(encode), input_signature=encode_spec)
        self.score = [
            tf.function(self.weights.bind(score), input_signature=score_spec) for score in scores
        ]
        self.sources = [source.graph_encoder(tagger.vocabulary_dir) for source in tagger.sources]
        self.max_sentence_tokens = tagger.max_sentence_tokens


def build_signatures(
    graph: TaggerGraph,
    corpora: Sequence[ServedCorpus],
    names: Sequence[Mapping[str, str]],
    rules: MergeRules,
    serve: str,
) -> dict[str, Any]:
    """Builds the signatures of a tagger.

    Args:
        graph: The tagger's variables and tables.
        corpora: The corpora, the main one first.
        names: Their signature names, from :func:`signature_names`.
        rules: How the corpora's entities are merged.
        serve: What ``serving_default`` answers, a name in ``rules.SERVED``.

    Returns:
        The ``tf.function`` of each signature.
    """
    steps = SharedSteps(graph.sources, graph.max_sentence_tokens)
    members = [_Member(c.name, c.tags, s) for c, s in zip(corpora, graph.score)]
    taggers = [_Tagger(steps, graph.encode, [member]) for member in members]
    together = _Tagger(steps, graph.encode, members) if len(members) > 1 else taggers[0]

    signatures = {}
    for tagger, corpus_names in zip(taggers, names):
        signatures[corpus_names["text"]] = tagger.build_tag_text(outputs=_ENTITY_OUTPUTS)
        signatures[corpus_names["tokens"]] = tagger.build_tag_tokens()
    signatures[TAG_TEXT_ALL] = together.build_tag_text(
        lambda found: found.take(merge(found, rules.min_score, rules.overlaps)), rules.type_map
    )
    signatures[TAG_TEXT_CANDIDATES] = together.build_tag_text(
        lambda found: found.take(in_order(found))
    )
    signatures["serving_default"] = (
        signatures[TAG_TEXT_ALL] if serve == "all" else taggers[0].build_tag_text()
    )
    signatures["tag_tokens"] = signatures[names[0]["tokens"]]
    return signatures


class _Member(NamedTuple):
    """A corpus of a :class:`_Tagger`: its name, its tags, and its potentials by ``score``."""

    name: str
    tags: Sequence[str]
    score: Score


class _Tagger:
    """Tags with one or several corpora in one pass.

    Args:
        steps: The steps of all taggers.
        encode: The part of the network that all corpora share.
        members: The corpora.
    """

    def __init__(self, steps: SharedSteps, encode: Encode, members: Sequence[_Member]):
        self._steps = steps
        self._encode = encode
        self._members = members
        self._tag = tf.function(
            self._tag_forms,
            input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.bool)],
        )

    def build_tag_text(
        self,
        choose: Callable[[Candidates], Candidates] = lambda found: found,
        type_map: TypeMap = _NO_NEW_NAMES,
        outputs: Sequence[str] = (*_ENTITY_OUTPUTS, "entity_corpus"),
    ) -> Any:
        """Builds a signature that takes texts.

        Args:
            choose: Chooses and orders entities; must order them by their start.
            type_map: New names of the types.
            outputs: The names of the outputs.
        """
        all_tags = [tag for member in self._members for tag in member.tags]
        tags = FoundTags(
            begins_entity=tag_tables.begins_entity(all_tags),
            continues_entity=tag_tables.continues_entity(all_tags),
            types=[
                entity_type and type_map.rename(member.name, entity_type)
                for member in self._members
                for entity_type in tag_tables.types_of(member.tags)
            ],
        )
        names = [member.name for member in self._members]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def tag_text(text: tf.Tensor) -> Outputs:
            tokens, begins_sentence = self._steps.split(text)
            tag_ids, _, entity_scores = self._tag(tokens.forms, begins_sentence)
            entities = choose(self._steps.find(tokens, tag_ids, entity_scores, tags))
            found = self._steps.collect(tokens, entities, names)
            return {name: found[name] for name in outputs}

        return tag_text

    def build_tag_tokens(self) -> Any:
        """Builds the signature that takes tokens and gives the tags of the first corpus."""
        tags = list(self._members[0].tags)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.string, name="tokens"),
                tf.TensorSpec([None], tf.int32, name="lengths"),
            ]
        )
        def tag_tokens(tokens: tf.Tensor, lengths: tf.Tensor) -> Outputs:
            shape = tf.shape(tokens, out_type=tf.int64)
            cells = tf.where(tf.sequence_mask(lengths, shape[1]))  # (tokens, 2)
            tag_ids, tag_scores, _ = self._tag(tf.gather_nd(tokens, cells), cells[:, 1] == 0)
            return {
                "tags": tf.scatter_nd(cells, tf.gather(tags, tag_ids[:, 0]), shape),
                "tag_score": tf.scatter_nd(cells, tag_scores[:, 0], shape),
            }

        return tag_tokens

    def _tag_forms(
        self, forms: tf.Tensor, begins_sentence: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Tags sentences.

        Args:
            forms: string (tokens,).
            begins_sentence: bool (tokens,), true at the first token.

        Returns:
            The best tag of each token, int32, counted through the tags of all members; its
            probability, float32; and the probability of the entity that starts there, float32, 0
            if none does; each (tokens, corpora).
        """
        sentences = self._steps.arrange(forms, begins_sentence)
        first_ids = np.cumsum([0, *(len(member.tags) for member in self._members[:-1])])

        def tag_chunk(
            first: tf.Tensor, number: tf.Tensor, *columns: tf.TensorArray
        ) -> tuple[Any, ...]:
            chunk = self._steps.take_chunk(sentences, first)
            lengths = chunk.inputs[LENGTHS]
            features = tuple(self._encode(chunk.inputs))
            tag_ids, *scores = self._decode(features, lengths, chunk.cells)
            written = (
                column.write(number, values)
                for column, values in zip(columns, (chunk.places, tag_ids + first_ids, *scores))
            )
            return (first + tf.size(lengths), number + 1, *written)

        shapes = ([None], *3 * [[None, len(self._members)]])
        columns = (
            tf.TensorArray(dtype, 0, dynamic_size=True, infer_shape=False, element_shape=shape)
            for dtype, shape in zip((tf.int64, tf.int32, tf.float32, tf.float32), shapes)
        )
        _, _, *columns = tf.while_loop(
            lambda first, *_: first < tf.size(sentences.starts),
            tag_chunk,
            (0, 0, *columns),
            parallel_iterations=1,
        )
        places, *values = (column.concat() for column in columns)
        shape = (tf.size(forms, out_type=tf.int64), len(self._members))
        return tuple(tf.scatter_nd(places[:, tf.newaxis], column, shape) for column in values)

    def _decode(
        self, features: Sequence[tf.Tensor], lengths: tf.Tensor, cells: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Finds the best tags of all members; see ``SharedSteps``.

        Corpora with about as many tags are decoded together: the loops over time then cost hardly
        more than those of one corpus.
        """
        groups: dict[int, list[int]] = {}
        for number, member in enumerate(self._members):
            groups.setdefault(len(member.tags) // _SIMILAR_TAGS, []).append(number)
        decoded = []
        for numbers in groups.values():
            members = [self._members[number] for number in numbers]
            num_tags = max(len(member.tags) for member in members)
            potentials = [
                self._steps.restrict(
                    member.score(features, lengths),
                    lengths,
                    tag_tables.legal_tags(member.tags),
                    num_tags,
                )
                for member in members
            ]
            tables = (
                np.stack([_widened(table(member.tags), num_tags) for member in members])
                for table in (tag_tables.begins_entity, tag_tables.continues_entity)
            )
            decoded.append(
                self._steps.decode(tf.concat(potentials, axis=0), lengths, cells, *tables)
            )
        # The columns in the order of the members again.
        order = np.argsort([number for numbers in groups.values() for number in numbers])
        return tuple(tf.gather(tf.concat(values, 1), order, axis=1) for values in zip(*decoded))


def _widened(table: np.ndarray, num_tags: int) -> np.ndarray:
    return np.pad(table, (0, num_tags - len(table)))
