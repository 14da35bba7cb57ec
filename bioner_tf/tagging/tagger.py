"""Loads an exported tagger and tags with it.

Needs only TensorFlow and NumPy: no Keras model, no tensorflow-addons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bioner_tf.corpora.type_map import TypeMap, parse_type_map
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike
from bioner_tf.formats.annotation import Entity
from bioner_tf.serving.metadata import METADATA_PATH, check_files, read_metadata
from bioner_tf.serving.rules import MergeRules
from bioner_tf.serving.versions import find_saved_model
from bioner_tf.tagging.answers import read_entities
from bioner_tf.tagging.bundled import find_bundled

# The most that one call of the graph gets, padding included, unless a single text or sentence is
# larger. The limits bound the size of the outputs, which are as wide as the widest row.
_BATCH_CHARACTERS = 1_000_000
_BATCH_TEXTS = 1024
_BATCH_TOKENS = 65_536


class Tagger:
    """A tagger from an export.

    Args:
        path: A SavedModel that bioner_tf exported, a directory of its versions (loads the newest),
            or a run directory, whose ``export`` is such a directory.

    Raises:
        BionerError: If there is no export, or it cannot be read.

    Attributes:
        path: The SavedModel's directory.
        metadata: The export's metadata: ``corpora``, scores, versions, settings.
        corpora: The names of its corpora, the main corpus first.
        types: The entity types of each corpus.
        merges: Whether the tagger answers for all corpora when it is asked for none: if it was
            exported to serve all of them.
    """

    def __init__(self, path: PathLike | None = None):
        self.path = find_saved_model(find_bundled() if path is None else path)
        self.metadata = read_metadata(self.path)
        check_files(self.path, self.metadata)
        try:
            self._signature_names = {c["name"]: c["signatures"] for c in self.metadata["corpora"]}
            self.corpora: list[str] = list(self._signature_names)
            self.types = {c["name"]: list(c["types"]) for c in self.metadata["corpora"]}
            # Exports of format 1 answer for one corpus at a time.
            self._serving = self.metadata.get("serving", {"serve": "main"})
            self.merges = self._serving["serve"] == "all"
            self._rules = _read_rules(self._serving) if self.merges else None
        except (AttributeError, KeyError, TypeError, BionerError) as error:
            raise BionerError(
                f"{self.path / METADATA_PATH}: damaged, expected corpora with names, types and "
                "signatures, and how they are served"
            ) from error
        try:
            self._model = tf.saved_model.load(str(self.path))
        except Exception as error:  # TensorFlow raises all kinds of errors for a damaged graph
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise BionerError(f"{self.path}: cannot load the SavedModel: {reason}") from error

    def tag_texts(
        self,
        texts: Iterable[str],
        corpus: str | None = None,
        *,
        type_map: Iterable[str] = (),
        min_score: float | None = None,
        overlaps: str | None = None,
    ) -> list[list[Entity]]:
        """Finds the entities in texts, which may be sentences or whole documents.

        By default the answer is the one that the export was made for: the entities of all corpora,
        merged, or those of the main corpus. The other arguments change how it is made: entities are
        renamed, then dropped below the score, then overlaps are settled, all from the start.

        Args:
            texts: Any number of texts of any length.
            corpus: Only the entities of this corpus, with its own types.
            type_map: ``TYPE=NAME`` or ``CORPUS:TYPE=NAME`` gives a type of the answer another name;
                an empty name drops its entities.
            min_score: The least score of an entity, in [0, 1].
            overlaps: Which of overlapping entities are kept, a name in ``serving.rules.OVERLAPS``.

        Returns:
            For each text its entities in order, without overlaps unless ``overlaps`` is ``"all"``.

        Raises:
            BionerError: If the tagger has no such corpus or type, or ``texts`` is a single string.
        """
        plan = self._plan(corpus, parse_type_map(type_map), min_score, overlaps)
        _refuse_string(texts, "texts", 'tag_texts(["a text"])')
        found: list[list[Entity]] = []
        for texts_of_batch in _text_batches(texts):
            answers: list[list[Entity]] = [[] for _ in texts_of_batch]
            lengths = [len(text) for text in texts_of_batch]
            for rows in _similar_rows(lengths, _BATCH_CHARACTERS):
                for row, entities in zip(rows, _tag(plan, [texts_of_batch[row] for row in rows])):
                    answers[row] = entities
            found += answers
        return found

    def tag_tokens(
        self, sentences: Iterable[Sequence[str]], corpus: str | None = None
    ) -> tuple[list[list[str]], list[list[float]]]:
        """Tags sentences that are already split into tokens.

        Args:
            sentences: Any number of sentences of any length, 0 included.
            corpus: The corpus whose tags are used; by default the main corpus.

        Returns:
            For each sentence the tag of each token, and the probability of that tag, in [0, 1].

        Raises:
            BionerError: If the tagger has no such corpus, or a sentence is a single string.
        """
        signature = self._signature(corpus, "tokens")
        example = 'tag_tokens([["a", "token"]])'
        _refuse_string(sentences, "sentences", example)
        sentences = list(sentences)
        for sentence in sentences:
            _refuse_string(sentence, "the tokens of a sentence", example)
        tags: list[list[str]] = [[] for _ in sentences]
        scores: list[list[float]] = [[] for _ in sentences]
        for rows in _similar_rows([len(s) for s in sentences], _BATCH_TOKENS):
            lengths = np.array([len(sentences[row]) for row in rows], np.int32)
            tokens = np.full((len(rows), lengths.max()), b"", object)
            for place, row in enumerate(rows):
                tokens[place, : lengths[place]] = [_to_bytes(token) for token in sentences[row]]
            outputs = signature(tokens=tf.constant(tokens, tf.string), lengths=tf.constant(lengths))
            found, probabilities = outputs["tags"].numpy(), outputs["tag_score"].numpy()
            for place, row in enumerate(rows):
                tags[row] = [tag.decode() for tag in found[place, : lengths[place]]]
                scores[row] = probabilities[place, : lengths[place]].tolist()
        return tags, scores

    def check_corpus(self, corpus: str | None) -> str:
        """Returns ``corpus``, or the main corpus if it is None.

        Raises:
            BionerError: If the tagger has no such corpus.
        """
        if corpus is None:
            return self.corpora[0]
        if corpus not in self.corpora:
            known = ", ".join(self.corpora)
            raise BionerError(f"{self.path}: no corpus {corpus!r}; the tagger has {known}")
        return corpus

    def _signature(self, corpus: str | None, kind: str) -> Any:
        names = self._signature_names[self.check_corpus(corpus)]
        return self._model.signatures[names[kind]]

    def _plan(
        self,
        corpus: str | None,
        type_map: TypeMap,
        min_score: float | None,
        overlaps: str | None,
    ) -> _Plan:
        """Says which signature answers, and by which rules its answer is merged again."""
        is_changed = bool(type_map) or min_score is not None or overlaps is not None
        if corpus is None and self._rules is not None:
            corpora, rules = self.corpora, self._rules
            name = self._serving["signatures"]["candidates" if is_changed else "all"]
            signature = self._model.signatures[name]
        else:
            corpora, rules = [self.check_corpus(corpus)], MergeRules()
            signature = self._signature(corpus, "text")
        if not is_changed:
            return _Plan(signature, corpora, None)
        names = {c: rules.type_map.resolve(c, self.types[c]) for c in corpora}
        type_map.check({c: set(names[c].values()) - {""} for c in corpora})
        by_corpus = {
            c: {old: new and type_map.rename(c, new) for old, new in names[c].items()}
            for c in corpora
        }
        changed = MergeRules(
            TypeMap(by_corpus=by_corpus),
            rules.min_score if min_score is None else min_score,
            rules.overlaps if overlaps is None else overlaps,
        )
        return _Plan(signature, corpora, changed)


class _Plan(NamedTuple):
    """How texts are tagged.

    Attributes:
        signature: The signature that is called.
        corpora: The corpora that its entities may be of.
        rules: How the entities are merged; None if they are the answer as they are.
    """

    signature: Any
    corpora: Sequence[str]
    rules: MergeRules | None


def _read_rules(serving: Mapping[str, Any]) -> MergeRules:
    type_map = TypeMap(by_corpus={c: dict(names) for c, names in serving["type_map"].items()})
    return MergeRules(type_map, serving["min_score"], serving["overlaps"])


def _tag(plan: _Plan, texts: Sequence[str]) -> list[list[Entity]]:
    outputs = plan.signature(text=tf.constant([_to_bytes(text) for text in texts], tf.string))
    columns = {name: values.numpy() for name, values in outputs.items()}
    return read_entities(columns, texts, plan.corpora, plan.rules)


def _text_batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == _BATCH_TEXTS or characters + len(text) > _BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def _refuse_string(value: object, name: str, example: str) -> None:
    # A string is also a sequence: each character would be tagged as a text or token.
    if isinstance(value, (str, bytes)):
        raise BionerError(f"expected a list of strings for {name}, got one string: call {example}")


def _similar_rows(lengths: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Groups non-empty rows of similar length; a batch with its padding has at most ``limit``."""
    rows = sorted((row for row, length in enumerate(lengths) if length), key=lengths.__getitem__)
    batch: list[int] = []
    for row in rows:
        # Lengths ascend, so this row would be the longest in the batch.
        if batch and (len(batch) + 1) * lengths[row] > limit:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _to_bytes(text: str) -> bytes:
    # A lone surrogate cannot be encoded as UTF-8; "?" replaces it and keeps the offsets.
    return text.encode("utf-8", "replace")
