"""Scores a trained tagger, or a file of predictions, on annotated sentences."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bioner_tf.corpora.corpus import (
    Sentence,
    Split,
    find_unknown_types,
    keep_types,
    read_corpus,
    read_split,
    types_in,
)
from bioner_tf.corpora.predictions import TaggedSentence, read_predictions, require_same_sentences
from bioner_tf.corpora.tags import scheme_of, to_spans
from bioner_tf.corpora.type_map import TypeMap, parse_type_map
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.scoring.calibration import Calibration, calibrate, format_calibration
from bioner_tf.scoring.statistics import Difference, paired_randomisation, sentence_counts
from bioner_tf.scoring.summary import format_summary, summarise

if TYPE_CHECKING:
    from bioner_tf.tagging.tagger import Tagger

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to score, on which sentences; the flags of ``bioner-evaluate`` describe each field."""

    model: str
    corpus_file: str | None = None
    data_dir: str | None = None
    corpora: Sequence[str] = ()
    gold_corpora: Sequence[str] = ()
    split: str = "test"
    strict: bool = False
    all_types: bool = False
    type_map: Sequence[str] = ()
    bootstrap: int = 1000
    calibration: bool = False
    against: str | None = None
    against_corpus: str | None = None
    swaps: int = 10_000
    seed: int = 1


class Evaluated(NamedTuple):
    """The tagged sentences of one corpus and split, and their scores as in ``report.json``."""

    corpus: str
    split: str
    sentences: list[TaggedSentence]
    scores: dict[str, Any]


class _Task(NamedTuple):
    """Gold sentences that one corpus of a tagger tags.

    Attributes:
        corpus: The corpus of the tagger.
        split: The name of the sentences: their split, with their corpus if it is another one, or
            their file.
        gold_corpus: The corpus that the gold types are of.
        gold: The sentences with gold tags.
    """

    corpus: str
    split: str
    gold_corpus: str
    gold: Split


class _Tagged(NamedTuple):
    """A task and the tags found for it; ``calibration`` if it was asked for."""

    task: _Task
    predicted: Sequence[Sequence[str]]
    calibration: Calibration | None = None


def evaluate(evaluation: Evaluation) -> Iterator[Evaluated]:
    """Tags the sentences and scores them, corpus by corpus.

    Everything that can be wrong with the settings is told before a model is loaded.

    Yields:
        The scores of each corpus, strict and ``relaxed``; with ``intervals``, ``calibration`` and
        ``against`` (the differences from another model) if they were asked for.

    Raises:
        BionerError: A model or a corpus cannot be read.
        UsageError: The settings do not fit together or do not fit the model.
    """
    type_map = parse_type_map(evaluation.type_map)
    tag = _tag_from_file if Path(evaluation.model).is_file() else _tag_by_model
    for tagged, others in tag(evaluation, type_map):
        corpus, split, gold_corpus, gold = tagged.task
        renamed = [
            TaggedSentence(
                sentence.tokens,
                _rename(type_map, gold_corpus, sentence.tags),
                _rename(type_map, corpus, tags),
            )
            for sentence, tags in zip(gold.sentences, tagged.predicted)
        ]
        scores = summarise(
            [sentence.gold for sentence in renamed],
            [sentence.predicted for sentence in renamed],
            gold.documents,
            evaluation.bootstrap,
            evaluation.seed,
        )
        if tagged.calibration is not None:
            scores["calibration"] = tagged.calibration.to_json()
        if others is not None:
            other_corpus = evaluation.against_corpus or corpus
            found = [_rename(type_map, other_corpus, tags) for tags in others]
            scores["against"] = _compare(renamed, found, evaluation)
        yield Evaluated(corpus, split, renamed, scores)


def format_evaluation(scores: dict[str, Any], evaluation: Evaluation) -> str:
    """Returns scores, intervals, calibration and differences as text tables, in per cent."""
    lines = [format_summary(scores)]
    if "calibration" in scores:
        lines += ["", format_calibration(Calibration.from_json(scores["calibration"]))]
    if "against" in scores:
        swaps = f"{evaluation.swaps:,} random swaps of the sentences"
        lines += ["", f"more than {evaluation.against}, by {swaps}"]
        for metric, values in scores["against"].items():
            found = Difference(**values)
            lines.append(f"{metric:<9}  {100 * found.difference:+6.2f}  p = {found.p:.4f}")
    return "\n".join(lines) + "\n"


def _tag_from_file(
    evaluation: Evaluation, type_map: TypeMap
) -> Iterator[tuple[_Tagged, Sequence[Sequence[str]] | None]]:
    if evaluation.corpus_file is not None or evaluation.data_dir is not None:
        raise UsageError(
            "--model: a file of predictions has its own sentences; leave --corpus_file and "
            "--data_dir out"
        )
    if evaluation.calibration:
        raise UsageError("--calibration: a file of predictions has no scores; give an export")
    path = Path(evaluation.model)
    corpus, _, split = path.stem.rpartition(".")
    read = read_predictions(path)
    sentences = tuple(Sentence(s.tokens, s.gold) for s in read)
    scheme = scheme_of({tag for sentence in sentences for tag in sentence.tags})
    task = _Task(corpus, split, corpus, Split(str(path), sentences, 0, scheme))
    predicted = [Sentence(s.tokens, s.predicted) for s in read]
    other_model = _OtherModel(evaluation, type_map)
    type_map.check({corpus: types_in([*sentences, *predicted]), **other_model.types})
    other_model.check([task])
    yield _Tagged(task, [s.tags for s in predicted]), other_model.tag(task)


def _tag_by_model(
    evaluation: Evaluation, type_map: TypeMap
) -> Iterator[tuple[_Tagged, Sequence[Sequence[str]] | None]]:
    metadata, types = _read_metadata(evaluation.model)
    tasks = _plan(evaluation, metadata, list(types))
    other_model = _OtherModel(evaluation, type_map)
    other_model.check(tasks)
    known: dict[str, set[str]] = {}
    gold_types = [(task.gold_corpus, types_in(task.gold.sentences)) for task in tasks]
    for corpus, there in (*types.items(), *other_model.types.items(), *gold_types):
        known.setdefault(corpus, set()).update(there)
    type_map.check(known)
    for task in tasks:
        _warn_of_types(task, types[task.corpus], type_map)

    tagger = _load(evaluation.model)
    for task in tasks:
        predicted, _ = tagger.tag_tokens([s.tokens for s in task.gold.sentences], task.corpus)
        calibration = _calibrate(tagger, task, type_map) if evaluation.calibration else None
        yield _Tagged(task, predicted, calibration), other_model.tag(task)


class _OtherModel:
    """The model of ``--against``, loaded when it first tags.

    Attributes:
        types: The entity types of its corpora, by corpus; empty where it is a file, or none.
    """

    def __init__(self, evaluation: Evaluation, type_map: TypeMap):
        self._evaluation = evaluation
        self._type_map = type_map
        self._tagger: Tagger | None = None
        self._file: list[TaggedSentence] | None = None
        self.types: Mapping[str, Sequence[str]] = {}
        path = evaluation.against
        if evaluation.against_corpus is not None and (path is None or Path(path).is_file()):
            raise UsageError("--against_corpus: expected --against with a run or an export")
        if path is None:
            return
        if Path(path).is_file():
            self._file = read_predictions(path)
        else:
            _, self.types = _read_metadata(path)

    def check(self, tasks: Sequence[_Task]) -> None:
        """Raises UsageError or BionerError if the model cannot tag the tasks."""
        if self._file is not None:
            if len(tasks) > 1:
                raise UsageError("--against: a file is of one corpus; say which by --corpora")
            (task,) = tasks
            # The file may hold the new names already: compare both sides renamed.
            sentences, others = (
                [
                    TaggedSentence(s.tokens, _rename(self._type_map, task.gold_corpus, s[1]), ())
                    for s in of_model
                ]
                for of_model in (task.gold.sentences, self._file)
            )
            names = (self._evaluation.model, str(self._evaluation.against))
            require_same_sentences(sentences, others, names)
        elif self._evaluation.against is not None:
            chosen = self._evaluation.against_corpus
            for corpus in [task.corpus for task in tasks] if chosen is None else [chosen]:
                if corpus not in self.types:
                    flag = "against" if chosen is None else "against_corpus"
                    raise UsageError(
                        f"--{flag}: expected a corpus of {self._evaluation.against} "
                        f"({', '.join(self.types)}), got {corpus!r}; name one by --against_corpus"
                    )

    def tag(self, task: _Task) -> Sequence[Sequence[str]] | None:
        """Returns the tags of the task's sentences; None where there is no other model."""
        if self._evaluation.against is None:
            return None
        if self._file is not None:
            return [sentence.predicted for sentence in self._file]
        if self._tagger is None:
            self._tagger = _load(self._evaluation.against)
        corpus = self._evaluation.against_corpus or task.corpus
        return self._tagger.tag_tokens([s.tokens for s in task.gold.sentences], corpus)[0]


def _read_metadata(path: str) -> tuple[dict[str, Any], dict[str, Sequence[str]]]:
    """Returns the metadata of an export, and the entity types by corpus, the main one first."""
    from bioner_tf.serving.metadata import METADATA_PATH, read_metadata
    from bioner_tf.serving.versions import find_saved_model

    saved_model = find_saved_model(path)
    metadata = read_metadata(saved_model)
    try:
        return metadata, {corpus["name"]: corpus["types"] for corpus in metadata["corpora"]}
    except (KeyError, TypeError) as error:
        raise BionerError(
            f"{saved_model / METADATA_PATH}: damaged, expected corpora with names and types"
        ) from error


def _plan(evaluation: Evaluation, metadata: Mapping[str, Any], known: Sequence[str]) -> list[_Task]:
    """Reads the sentences that each corpus of the tagger is to tag."""
    corpus_file, data_dir = evaluation.corpus_file, evaluation.data_dir
    if (corpus_file is None) == (data_dir is None):
        raise UsageError("expected either --corpus_file or --data_dir, got both or neither")
    for name in evaluation.corpora:
        if name not in known:
            raise UsageError(f"--corpora: the model has {', '.join(known)}, got {name!r}")
    if evaluation.gold_corpora and not evaluation.corpora and len(known) > 1:
        raise UsageError(
            "--gold_corpora: expected --corpora, too: the corpora whose tags are decoded, some of "
            f"{', '.join(known)}"
        )
    names = evaluation.corpora or known
    if corpus_file is not None:
        if len(evaluation.corpora) > 1:
            raise UsageError("--corpora: expected one corpus beside --corpus_file, got several")
        if evaluation.gold_corpora:
            raise UsageError("--gold_corpora: expected --data_dir, got --corpus_file")
        gold = read_split(corpus_file, evaluation.strict)
        tasks = [_Task(names[0], Path(gold.path).name, names[0], gold)]
    else:
        gold_corpora = dict.fromkeys(evaluation.gold_corpora or names)
        read = {
            name: read_corpus(str(data_dir), name, [evaluation.split], evaluation.strict)
            for name in gold_corpora
        }
        tasks = [
            _Task(
                name,
                evaluation.split if gold_name == name else f"{gold_name}.{evaluation.split}",
                gold_name,
                read[gold_name].splits[evaluation.split],
            )
            for name in names
            for gold_name in (gold_corpora if evaluation.gold_corpora else [name])
        ]
    return tasks if evaluation.all_types else [_keep_trained_types(t, metadata) for t in tasks]


def _keep_trained_types(task: _Task, metadata: Mapping[str, Any]) -> _Task:
    """Keeps the gold entities of the types that the run's ``--types`` kept."""
    types = metadata.get("settings", {}).get("data", {}).get("types", {}).get(task.gold_corpus)
    if types is None or task.gold_corpus != task.corpus:
        return task
    sentences = keep_types(task.gold.sentences, types)
    return task._replace(gold=dataclasses.replace(task.gold, sentences=sentences))


def _warn_of_types(task: _Task, types: Sequence[str], type_map: TypeMap) -> None:
    """Warns where there is no gold entity, and of gold types that the model does not have."""
    there = types_in(task.gold.sentences)
    if not there:
        _LOG.warning(
            "%s: expected entities, got none, so precision, recall and F1 are 0; check that the "
            "tag is the last column",
            task.gold.path,
        )
    names = type_map.resolve(task.gold_corpus, there)
    found = {"", *type_map.resolve(task.corpus, types).values()}
    for unknown in find_unknown_types(task.gold, [t for t in names if names[t] in found]):
        _LOG.warning(
            "%s: the model was not trained on entities of the type %s, so it misses all %d of them",
            unknown.place,
            unknown.type,
            unknown.entities,
        )


def _load(path: str) -> Tagger:
    # TensorFlow takes seconds to import; a file of predictions needs none.
    from bioner_tf.tagging.tagger import Tagger

    return Tagger(path)


def _calibrate(tagger: Tagger, task: _Task, type_map: TypeMap) -> Calibration:
    """Compares the scores of the entities found in the sentences' text with the gold entities."""
    found = tagger.tag_texts([" ".join(s.tokens) for s in task.gold.sentences], task.corpus)
    scores, correct = [], []
    for sentence, entities in zip(task.gold.sentences, found):
        # The first character of each token, and of what would follow the last one.
        starts = np.cumsum([0, *(len(token) + 1 for token in sentence.tokens)]).tolist()
        gold = {
            (starts[span.start], starts[span.end] - 1, span.type)
            for span in to_spans(_rename(type_map, task.gold_corpus, sentence.tags))
        }
        for entity in entities:
            entity_type = type_map.rename(task.corpus, entity.type)
            if entity_type:
                scores.append(entity.score)
                correct.append((entity.start, entity.end, entity_type) in gold)
    return calibrate(np.array(scores, np.float64), np.array(correct, np.bool_))


def _rename(type_map: TypeMap, corpus: str, tags: Sequence[str]) -> tuple[str, ...]:
    return type_map.rename_tags(corpus, tags) if type_map else tuple(tags)


def _compare(
    sentences: Sequence[TaggedSentence], others: Sequence[Sequence[str]], evaluation: Evaluation
) -> dict[str, dict[str, float]]:
    gold = [s.gold for s in sentences]
    counts = sentence_counts(gold, [s.predicted for s in sentences])
    other_counts = sentence_counts(gold, others)
    differences = paired_randomisation(counts, other_counts, evaluation.swaps, evaluation.seed)
    return {metric: difference._asdict() for metric, difference in differences.items()}
