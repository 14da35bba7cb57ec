"""Smaller exports: fewer rows in the table of words."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bioner_tf.corpora.vocabulary import FIRST_ID, UNKNOWN_ID
from bioner_tf.models import build_tagger
from bioner_tf.sources.words import WordSource
from bioner_tf.training.checkpoints import name_variables
from bioner_tf.training.inputs import Vocabularies
from bioner_tf.training.trained_run import TrainedRun


@contextlib.contextmanager
def pruned_words(run: TrainedRun, max_words: int) -> Iterator[TrainedRun]:
    """Yields a run with the most frequent words of its training text only.

    Words that are left out are looked up in lower case, as all words that the vocabulary does not
    have, and then as the unknown word. The unknown word gets the mean vector of the words left out:
    training never uses its own.

    Args:
        run: The run; stays as it is.
        max_words: Words to keep, 1 or more.
    """
    sources = [
        source.head(max_words) if isinstance(source, WordSource) else source
        for source in run.vocabularies.sources
    ]
    vocabularies = Vocabularies(sources, run.vocabularies.tags)
    seed = run.config.training.seed
    tagger = build_tagger(run.config.model, sources, vocabularies.tags, seed)
    originals = name_variables(run.tagger)
    for name, variable in name_variables(tagger).items():
        values = originals[name].numpy()
        if variable is tagger.row_wise_table:
            rows = FIRST_ID + max_words
            if rows < len(values):
                values[UNKNOWN_ID] = values[rows:].mean(axis=0)
            values = values[:rows]
        variable.assign(values)
    with tempfile.TemporaryDirectory() as directory:
        vocabularies.save(directory)
        yield dataclasses.replace(
            run, vocabularies=vocabularies, tagger=tagger, pruned_vocabulary=Path(directory)
        )
