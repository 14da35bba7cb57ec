"""A trained tagger as a SavedModel that takes raw text: the signatures, and how they are exported.

The graph holds core TensorFlow ops only and no Keras object, so it loads wherever TensorFlow does,
without this package. What it needs of a tagger is a :class:`ServedTagger`: a function from ids to
features, for each corpus its tags and a function from features to potentials, and two vocabulary
files.

Signatures (every output is dense, the batch in dimension 0; offsets count Unicode code points,
half-open; see ``text.py`` for what a character, a token and a sentence are):

==========================  ============================  ====================================
``serving_default``,        ``text`` string [batch]       ``entity_count`` int32 [batch];
``tag_text_<corpus>``                                     ``entity_start``, ``entity_end`` int32,
                                                          ``entity_type``, ``entity_text`` string,
                                                          ``entity_score`` float32, each [batch, E]
``tag_tokens``,             ``tokens`` string             ``tags`` string, ``tag_score`` float32,
``tag_tokens_<corpus>``     [batch, time], ``lengths``    each [batch, time]
                            int32 [batch]
==========================  ============================  ====================================

Those without a corpus are the main corpus's. E is the most entities of a text in the batch and at
least 1; what is beyond a text's count is 0 or ``""``, as is what is beyond a row's length.

Memory stays bounded whatever comes: sentences are cut at ``max_sentence_tokens``, sorted by length
and sent through the network in chunks of at most ``_CHUNK_TOKENS`` tokens, padding included.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import bioner_tf
from bioner_tf.corpora import tags as tag_tables
from bioner_tf.corpora.vocabulary import FIRST_ID, PADDING_ID
from bioner_tf.errors import BionerError
from bioner_tf.files import (
    PathLike,
    publish_directory,
    remove_directory,
    write_json_atomically,
    write_text_atomically,
)
from bioner_tf.layers import decoding
from bioner_tf.serving.metadata import METADATA_FORMAT, METADATA_PATH
from bioner_tf.serving.model_card import write_model_card
from bioner_tf.serving.packing import PackedWeights, TracedFunction
from bioner_tf.text.segmentation import Tokens, cut_sentences, encode, split_sentences, tokenise

# Where TensorFlow Serving looks for it.
WARMUP_PATH = Path("assets.extra") / "tf_serving_warmup_requests"

MODEL_CARD_PATH = Path("README.md")

# Tokens, padding included, that go through a network at once. Larger is no faster on a CPU.
_CHUNK_TOKENS = 4096

_WARMUP_TEXT = "Mutations in BRCA1 cause breast cancer. It was found in 1994."

# word_ids, lengths, char_ids, form_ids -> features: see ServedTagger.
Encode = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], Sequence[tf.Tensor]]
# features, lengths -> potentials: see ServedCorpus.
Score = Callable[[Sequence[tf.Tensor], tf.Tensor], tf.Tensor]
Outputs = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class ServedCorpus:
    """What the export needs to know of a corpus.

    Attributes:
        name: The corpus's name, any string; signatures carry it with unusual characters replaced.
        tags: Its tags by id, ``"O"`` among them, all of one scheme.
        score: Called as ``score(features, lengths)`` with what the tagger's ``encode`` returned and
            int32 ``(batch,)``, it returns potentials, float32 ``(batch, time, num_tags,
            num_tags)``, illegal transitions not yet ruled out.
    """

    name: str
    tags: Sequence[str]
    score: Score


@dataclasses.dataclass(frozen=True)
class ServedTagger:
    """What the export needs to know of a tagger.

    Attributes:
        encode: Encodes a batch of sentences as far as that is the same for all corpora: called as
            ``encode(word_ids, lengths, char_ids, form_ids)`` with int32 tensors ``(batch, time)``,
            ``(batch,)``, ``(forms, max_characters)``, ``(batch, time)``, it returns features, each
            float32, of whatever shape ``score`` takes. Lengths are at least 1, the longest is
            ``time``; row 0 of ``char_ids`` is that of padding.
        corpora: At least one; the first is the main corpus.
        words_path: The vocabulary of words: one a line, id = line number (from 0) + 2.
        characters_path: The vocabulary of characters, likewise.
        max_characters: Characters of a token beyond so many are ignored, at least 1.
        max_sentence_tokens: Longer sentences are cut, at least 1.
        metadata: What else is told about the tagger (scores, training settings), for JSON.
    """

    encode: Encode
    corpora: Sequence[ServedCorpus]
    words_path: PathLike
    characters_path: PathLike
    max_characters: int
    max_sentence_tokens: int = 256
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def export_tagger(tagger: ServedTagger, export_dir: PathLike, version: int | None = None) -> Path:
    """Writes a tagger as a SavedModel into a directory of versions, whole or not at all.

    Args:
        tagger: The tagger.
        export_dir: The directory of versions, as TensorFlow Serving watches it; made when missing.
        version: The version's number, at least 1; a version that stands there already is replaced.
            By default the next one after those that stand there.

    Returns:
        The directory of the new version.

    Raises:
        BionerError: If a version below 1 is asked for, or a vocabulary is empty.
    """
    if version is None:
        version = max(list_versions(export_dir), default=0) + 1
    if version < 1:
        raise BionerError(f"expected a version of at least 1, got {version}")
    destination = Path(export_dir) / str(version)
    graph = _TaggerGraph(tagger)
    names = signature_names([corpus.name for corpus in tagger.corpora])
    signatures = _build_signatures(graph, tagger.corpora, names)
    with publish_directory(destination) as directory:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        try:
            tf.saved_model.save(graph, str(directory), signatures=signatures, options=options)
        except tf.errors.OpError as error:
            reason = str(error).splitlines()[0]
            raise BionerError(
                f"{destination}: expected to write an export, got: {reason}"
            ) from None
        _forget_gradients(directory)
        metadata = _describe(tagger, names)
        write_json_atomically(directory / METADATA_PATH, metadata)
        write_text_atomically(directory / MODEL_CARD_PATH, write_model_card(metadata))
        _write_warmup(directory / WARMUP_PATH, list(signatures))
    return destination


def list_versions(export_dir: PathLike) -> list[int]:
    """The versions in a directory, ascending; none if there is no such directory."""
    directory = Path(export_dir)
    if not directory.is_dir():
        return []
    # As TensorFlow Serving reads them: what is not a plain number is no version.
    names = (entry.name for entry in directory.iterdir() if entry.is_dir())
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]+", name))


def prune_versions(export_dir: PathLike, keep: int) -> list[int]:
    """Removes the older exports from a directory of versions.

    A version disappears at once, so that no server takes up half of it. What bioner_tf did not
    export is neither counted nor touched, even if its name is a number.

    Args:
        export_dir: The directory of versions.
        keep: How many of the newest stay, at least 1.

    Returns:
        The versions that were removed, ascending.
    """
    directory = Path(export_dir)
    exports = [v for v in list_versions(directory) if (directory / str(v) / METADATA_PATH).exists()]
    for version in exports[:-keep]:
        remove_directory(directory / str(version))
    return exports[:-keep]


def signature_names(corpora: Sequence[str]) -> list[dict[str, str]]:
    """The names of each corpus's signatures, without the characters that no signature may have.

    Args:
        corpora: Distinct names.

    Returns:
        For each corpus ``{"text": "tag_text_<corpus>", "tokens": "tag_tokens_<corpus>"}``, all
        distinct.
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


# What ``encode`` takes.
_ENCODE_SPEC = [
    tf.TensorSpec(shape, tf.int32) for shape in ([None] * 2, [None], [None] * 2, [None] * 2)
]


class _TaggerGraph(tf.Module):
    """What is saved: variables and look-up tables. The functions on them are the signatures."""

    def __init__(self, tagger: ServedTagger):
        super().__init__(name="tagger")
        encode = TracedFunction(tagger.encode, _ENCODE_SPEC)
        score_spec = [
            [tf.TensorSpec(features.shape, features.dtype) for features in encode.concrete.outputs],
            tf.TensorSpec([None], tf.int32),
        ]
        scores = [TracedFunction(corpus.score, score_spec) for corpus in tagger.corpora]
        self.weights = PackedWeights([encode, *scores])
        # A function by itself, so that the saved graph holds it once and not for every corpus.
        self.encode = tf.function(self.weights.bind(encode), input_signature=_ENCODE_SPEC)
        self.score = [self.weights.bind(score) for score in scores]
        self.words = _line_table(tagger.words_path)
        self.characters = _line_table(tagger.characters_path)
        self.max_characters = tagger.max_characters
        self.max_sentence_tokens = tagger.max_sentence_tokens

    def word_ids(self, forms: tf.Tensor) -> tf.Tensor:
        """Looks words up as ``vocabulary.word_id`` does.

        Args:
            forms: string (forms,).

        Returns:
            int32 (forms,).
        """
        words = tf.strings.regex_replace(forms, "[0-9]", "0")
        lines = self.words.lookup(words)
        lines = tf.where(lines < 0, self.words.lookup(tf.strings.lower(words)), lines)
        return tf.cast(lines, tf.int32) + FIRST_ID

    def character_ids(self, forms: tf.Tensor) -> tf.Tensor:
        """Looks characters up as ``vocabulary.character_ids`` does, after a row for padding.

        Args:
            forms: string (forms,).

        Returns:
            int32 (1 + forms, max_characters), padded with 0.
        """
        # No character takes more than four bytes; a token may take millions.
        heads = tf.strings.substr(forms, 0, 4 * self.max_characters)
        decoded = tf.strings.unicode_decode(heads, "UTF-8", errors="replace")
        places = tf.range(tf.size(decoded.values, out_type=tf.int64))
        characters = encode(decoded.values, places, places + 1)
        ids = decoded.with_values(tf.cast(self.characters.lookup(characters), tf.int32) + FIRST_ID)
        ids = ids.to_tensor(PADDING_ID, shape=[None, self.max_characters])
        return tf.pad(ids, [[1, 0], [0, 0]], constant_values=PADDING_ID)


def _line_table(path: PathLike) -> tf.lookup.StaticHashTable:
    """A table from a file's lines to their numbers, -1 for others; the file becomes an asset."""
    if not Path(path).stat().st_size:
        # TensorFlow could save such a table, but not load it.
        raise BionerError(f"{path}: expected a vocabulary of at least one entry, got none")
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        key_dtype=tf.string,
        key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    # -1 + FIRST_ID is the id of the unknown.
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


class _TagTables(NamedTuple):
    """What ``tags.py`` says of a corpus's tags, as tensors."""

    legal_starts: tf.Tensor
    legal_transitions: tf.Tensor
    legal_ends: tf.Tensor
    begins_entity: tf.Tensor
    continues_entity: tf.Tensor


# Any number of tags: what is traced with it serves all corpora.
_TAG_TABLES_SPEC = _TagTables(
    legal_starts=tf.TensorSpec([None], tf.bool),
    legal_transitions=tf.TensorSpec([None, None], tf.bool),
    legal_ends=tf.TensorSpec([None], tf.bool),
    begins_entity=tf.TensorSpec([None], tf.bool),
    continues_entity=tf.TensorSpec([None], tf.bool),
)


class _Sentences(NamedTuple):
    """Sentences from the longest to the shortest, and their tokens in the order of the text.

    Attributes:
        starts: int64 (sentences,), the first token of each sentence.
        lengths: int64 (sentences,), its tokens.
        form_ids: int32 (tokens,), the form of each token.
        forms: string (forms,), the distinct ones.
        word_ids: int32 (forms,), the word of each.
    """

    starts: tf.Tensor
    lengths: tf.Tensor
    form_ids: tf.Tensor
    forms: tf.Tensor
    word_ids: tf.Tensor


class _Chunk(NamedTuple):
    """Some sentences as a network takes them, padded to (batch, time).

    Attributes:
        places: int64 (tokens,), the place of each of their tokens among all tokens.
        cells: int64 (tokens, 2), its row and column here.
        word_ids: int32 (batch, time).
        lengths: int32 (batch,).
        char_ids: int32 (forms, max_characters), row 0 for padding.
        form_ids: int32 (batch, time).
    """

    places: tf.Tensor
    cells: tf.Tensor
    word_ids: tf.Tensor
    lengths: tf.Tensor
    char_ids: tf.Tensor
    form_ids: tf.Tensor


class _SharedSteps:
    """The steps that are the same for all corpora; the saved graph holds each of them once."""

    def __init__(self, graph: _TaggerGraph):
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
        """The tokens of texts, and which of them begin a sentence."""
        tokens = tokenise(texts)
        return tokens, split_sentences(tokens)

    def _arrange(self, forms: tf.Tensor, begins_sentence: tf.Tensor) -> _Sentences:
        """Cuts sentences that are too long, sorts them by length and looks their words up."""
        begins_sentence = cut_sentences(begins_sentence, self._graph.max_sentence_tokens)
        starts = tf.where(begins_sentence)[:, 0]  # (sentences,)
        lengths = tf.concat([starts[1:], [tf.size(forms, out_type=tf.int64)]], axis=0)
        lengths = lengths[: tf.size(starts)] - starts
        # Of one length as far as possible, so that chunks hold little padding.
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        distinct, form_ids = tf.unique(forms)
        return _Sentences(
            starts=tf.gather(starts, order),
            lengths=tf.gather(lengths, order),
            form_ids=form_ids,
            forms=distinct,
            word_ids=self._graph.word_ids(distinct),
        )

    def _take_chunk(self, sentences: _Sentences, first: tf.Tensor) -> _Chunk:
        """Takes as many sentences as go through a network at once, from number ``first`` on."""
        longest = sentences.lengths[first]
        count = tf.maximum(_CHUNK_TOKENS // tf.cast(longest, tf.int32), 1)
        starts = sentences.starts[first : first + count]
        lengths = sentences.lengths[first : first + count]

        offsets = tf.range(longest)
        is_token = offsets < lengths[:, tf.newaxis]  # (batch, time)
        cells = tf.where(is_token)
        places = tf.boolean_mask(starts[:, tf.newaxis] + offsets, is_token)
        forms, form_of_token = tf.unique(tf.gather(sentences.form_ids, places))
        word_of_token = tf.gather(tf.gather(sentences.word_ids, forms), form_of_token)
        shape = tf.shape(is_token, out_type=tf.int64)
        return _Chunk(
            places=places,
            cells=cells,
            word_ids=tf.scatter_nd(cells, word_of_token, shape),
            lengths=tf.cast(lengths, tf.int32),
            char_ids=self._graph.character_ids(tf.gather(sentences.forms, forms)),
            form_ids=tf.scatter_nd(cells, form_of_token + 1, shape),
        )

    def _decode(
        self, potentials: tf.Tensor, lengths: tf.Tensor, cells: tf.Tensor, tables: _TagTables
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Finds the best legal tags.

        Returns:
            For each token its tag id, int32, the probability of that, and at the first token of
            an entity its probability (0 elsewhere), float32; each (tokens,), in the order of
            ``cells``.
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
            begins: bool (tokens,), whether an entity begins there.
            continues: bool (tokens,), whether one goes on there.
            types: string (tokens,), its type.
            entity_scores: float32 (tokens,), its probability where it begins.

        Returns:
            What ``tag_text`` returns.
        """
        # Legal tags: no entity reaches over the end of a sentence, none goes on without beginning.
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


def _build_signatures(
    graph: _TaggerGraph, corpora: Sequence[ServedCorpus], names: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
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
    """The functions ``tag_text`` and ``tag_tokens`` of a corpus."""
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
            features = steps.encode(chunk.word_ids, chunk.lengths, chunk.char_ids, chunk.form_ids)
            potentials = score(features, chunk.lengths)
            decoded = steps.decode(potentials, chunk.lengths, chunk.cells, tables)
            written = (
                column.write(number, values)
                for column, values in zip(columns, (chunk.places, *decoded))
            )
            return (first + tf.size(chunk.lengths), number + 1, *written)

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
    """Rows of so many values each, (batch, E), padded on the right; E is at least 1."""
    width = tf.maximum(tf.reduce_max(counts), 1)
    rows = tf.RaggedTensor.from_row_lengths(values, counts, validate=False)
    return rows.to_tensor(default, shape=tf.stack([rows.nrows(), width]))


def _forget_gradients(directory: Path) -> None:
    """Takes the names of custom gradients, which are not saved, out of a SavedModel.

    Loaders would warn of every one of them.
    """
    path = directory / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in model.meta_graphs:
        for function in meta_graph.graph_def.library.function:
            for node in function.node_def:
                node.attr.pop("_gradient_op_type", None)
    path.write_bytes(model.SerializeToString(deterministic=True))
    # It is that of the graph before; a SavedModel need not have one.
    (directory / "fingerprint.pb").unlink(missing_ok=True)


def _describe(tagger: ServedTagger, names: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The content of ``tagger.metadata``."""
    return {
        **tagger.metadata,
        "format": METADATA_FORMAT,
        "bioner_tf": bioner_tf.__version__,
        "tensorflow": tf.__version__,
        "corpora": [
            {
                "name": corpus.name,
                "types": sorted(set(tag_tables.types_of(corpus.tags)) - {""}),
                "tags": list(corpus.tags),
                "scheme": tag_tables.scheme_of(corpus.tags),
                "signatures": dict(corpus_names),
            }
            for corpus, corpus_names in zip(tagger.corpora, names)
        ],
        "max_characters": tagger.max_characters,
        "max_sentence_tokens": tagger.max_sentence_tokens,
    }


def _write_warmup(path: Path, signatures: Sequence[str]) -> None:
    """Writes one request a signature, which TensorFlow Serving runs before it serves the model."""
    tokens = _WARMUP_TEXT.split()
    text_inputs = {"text": tf.make_tensor_proto([_WARMUP_TEXT])}
    tokens_inputs = {
        "tokens": tf.make_tensor_proto([tokens]),
        "lengths": tf.make_tensor_proto([len(tokens)], tf.int32),
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name in signatures:
            inputs = tokens_inputs if name.startswith("tag_tokens") else text_inputs
            writer.write(_prediction_log(name, inputs))


def _prediction_log(signature: str, inputs: Mapping[str, Any]) -> bytes:
    """A request as a serialized ``tensorflow.serving.PredictionLog``.

    Its classes are in tensorflow-serving-api, which is not worth a dependency for six fields:
    ``PredictionLog.predict_log = 6``, ``PredictLog.request = 1``, ``PredictRequest.model_spec = 1``
    and ``inputs = 2`` (a map: entries of ``key = 1``, ``value = 2``), ``ModelSpec.name = 1`` and
    ``signature_name = 3``. All of them are length-delimited.
    """
    model_spec = _field(1, b"tagger") + _field(3, signature.encode())
    request = _field(1, model_spec)
    for name, tensor in inputs.items():
        request += _field(2, _field(1, name.encode()) + _field(2, tensor.SerializeToString()))
    return _field(6, _field(1, request))


def _field(number: int, payload: bytes) -> bytes:
    """One length-delimited field in protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
