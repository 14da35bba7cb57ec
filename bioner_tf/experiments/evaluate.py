"""Scores a trained tagger, or a file of predictions, on annotated sentences."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from bioner_tf.errors import UsageError
from bioner_tf.scoring.metrics import format_scores, score_tags
from bioner_tf.scoring.statistics import (
    Difference,
    bootstrap_intervals,
    paired_randomisation,
    sentence_counts,
)

if TYPE_CHECKING:
    from bioner_tf.tagging.tagger import Tagger

_LOG = logging.getLogger(__name__)

# By corpus and split.
Tagged = dict[tuple[str, str], list[TaggedSentence]]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to score, on which sentences; the flags of ``bioner-evaluate`` describe each field."""

    model: str
    corpus_file: str | None = None
    data_dir: str | None = None
    corpora: Sequence[str] = ()
    split: str = "test"
    strict: bool = False
    bootstrap: int = 0
    against: str | None = None
    swaps: int = 10_000
    seed: int = 1


class Evaluated(NamedTuple):
    """The tagged sentences of one corpus and split, and their scores as in ``report.json``."""

    corpus: str
    split: str
    sentences: list[TaggedSentence]
    scores: dict[str, Any]


def evaluate(evaluation: Evaluation) -> Iterator[Evaluated]:
    """Tags the sentences and scores them, corpus by corpus.

    Yields:
        The scores of each corpus; with ``intervals`` if draws were asked for, and with ``against``
        if there is another model to compare with.

    Raises:
        BionerError: A model or a corpus cannot be read.
        UsageError: The settings do not fit together or do not fit the model.
    """
    tagged = _tag_sentences(evaluation)
    others = {} if evaluation.against is None else _tag_again(tagged, evaluation)
    for (corpus, split), sentences in tagged.items():
        scores = _score(sentences, others.get((corpus, split)), evaluation)
        yield Evaluated(corpus, split, sentences, scores)


def format_evaluation(scores: dict[str, Any], evaluation: Evaluation) -> str:
    """Returns scores, intervals and differences as a text table, in per cent."""
    lines = [format_scores(scores)]
    if "intervals" in scores:
        lines += ["", f"95% intervals, by {evaluation.bootstrap:,} draws of the sentences"]
        for metric, (low, high) in scores["intervals"].items():
            interval = f"[{100 * low:.2f}, {100 * high:.2f}]"
            lines.append(f"{metric:<9}  {100 * scores[metric]:6.2f}  {interval}")
    if "against" in scores:
        swaps = f"{evaluation.swaps:,} random swaps of the sentences"
        lines += ["", f"more than {evaluation.against}, by {swaps}"]
        for metric, values in scores["against"].items():
            found = Difference(**values)
            lines.append(f"{metric:<9}  {100 * found.difference:+6.2f}  p = {found.p:.4f}")
    return "\n".join(lines) + "\n"


def _tag_sentences(evaluation: Evaluation) -> Tagged:
    path = Path(evaluation.model)
    if not path.is_file():
        tagger = _load(evaluation.model)
        return {
            key: _tag(tagger, key[0], _scorable_sentences(tagger, key[0], split))
            for key, split in _read_splits(evaluation, tagger).items()
        }
    if evaluation.corpus_file is not None or evaluation.data_dir is not None:
        raise UsageError(
            "--model: a file of predictions has its own sentences; leave --corpus_file and "
            "--data_dir out"
        )
    corpus, _, split = path.stem.rpartition(".")
    return {(corpus, split): read_predictions(path)}


def _read_splits(evaluation: Evaluation, tagger: Tagger) -> dict[tuple[str, str], Split]:
    """Reads the sentences by corpus and split; the split of a single file is its name."""
    corpus_file, data_dir = evaluation.corpus_file, evaluation.data_dir
    if (corpus_file is None) == (data_dir is None):
        raise UsageError("expected either --corpus_file or --data_dir, got both or neither")
    for name in evaluation.corpora:
        if name not in tagger.corpora:
            raise UsageError(f"--corpora: the model has {', '.join(tagger.corpora)}, got {name!r}")
    names = evaluation.corpora or tagger.corpora
    if corpus_file is not None:
        if len(evaluation.corpora) > 1:
            raise UsageError("--corpora: expected one corpus beside --corpus_file, got several")
        split = read_split(corpus_file, evaluation.strict)
        return {(names[0], Path(split.path).name): split}
    split_name, strict = evaluation.split, evaluation.strict
    corpora = [read_corpus(str(data_dir), name, [split_name], strict) for name in names]
    return {(corpus.name, split_name): corpus.splits[split_name] for corpus in corpora}


def _tag_again(tagged: Tagged, evaluation: Evaluation) -> Tagged:
    """Returns the same sentences, tagged by the other model."""
    path = str(evaluation.against)
    if Path(path).is_file():
        if len(tagged) > 1:
            raise UsageError("--against: a file is of one corpus; say which by --corpora")
        others = {key: read_predictions(path) for key in tagged}
    else:
        tagger = _load(path)
        others = {
            key: _tag(tagger, key[0], [Sentence(s.tokens, s.gold) for s in sentences])
            for key, sentences in tagged.items()
        }
    for key, sentences in tagged.items():
        require_same_sentences(sentences, others[key], (evaluation.model, path))
    return others


def _scorable_sentences(tagger: Tagger, corpus: str, split: Split) -> Sequence[Sentence]:
    """Keeps the gold entities of the types that the run's ``--types`` kept.

    Warns where no entity is left, and of types that the model does not have.
    """
    types = tagger.metadata.get("settings", {}).get("data", {}).get("types", {}).get(corpus)
    if types is not None:
        split = dataclasses.replace(split, sentences=keep_types(split.sentences, types))
    if not types_in(split.sentences):
        _LOG.warning(
            "%s: expected entities, got none, so precision, recall and F1 are 0; check that the "
            "tag is the last column",
            split.path,
        )
    for unknown in find_unknown_types(split, tagger.types[corpus]):
        _LOG.warning(
            "%s: the model was not trained on entities of the type %s, so it misses all %d of them",
            unknown.place,
            unknown.type,
            unknown.entities,
        )
    return split.sentences


def _load(path: str) -> Tagger:
    # TensorFlow takes seconds to import; a file of predictions needs none.
    from bioner_tf.tagging.tagger import Tagger

    return Tagger(path)


def _tag(tagger: Tagger, corpus: str, sentences: Sequence[Sentence]) -> list[TaggedSentence]:
    predicted, _ = tagger.tag_tokens([s.tokens for s in sentences], corpus)
    return [
        TaggedSentence(sentence.tokens, sentence.tags, tuple(tags))
        for sentence, tags in zip(sentences, predicted)
    ]


def _score(
    sentences: list[TaggedSentence], others: list[TaggedSentence] | None, evaluation: Evaluation
) -> dict[str, Any]:
    gold, predicted = [s.gold for s in sentences], [s.predicted for s in sentences]
    scores = score_tags(gold, predicted).to_json()
    counts = sentence_counts(gold, predicted)
    if evaluation.bootstrap:
        scores["intervals"] = bootstrap_intervals(counts, evaluation.bootstrap, evaluation.seed)
    if others is not None:
        other_counts = sentence_counts(gold, [s.predicted for s in others])
        differences = paired_randomisation(counts, other_counts, evaluation.swaps, evaluation.seed)
        scores["against"] = {metric: d._asdict() for metric, d in differences.items()}
    return scores
