"""Exports with fewer words, and with words in half the bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.corpora.vocabulary import FIRST_ID, UNKNOWN_ID
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.training.checkpoints import name_variables
from bioner_tf.training.pruning import pruned_words
from bioner_tf.training.trained_run import load_run
from tests.helpers.commands import run_commands
from tests.helpers.finished_run import shared_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(shared_run(tmp_path_factory))


def test_the_most_frequent_words_keep_their_vectors_and_the_unknown_gets_the_mean(run):
    before = {name: v.numpy() for name, v in name_variables(run.tagger).items()}
    with pruned_words(run, 4) as pruned:
        words = (pruned.pruned_vocabulary / "words.txt").read_text(encoding="utf-8").split("\n")
        assert words[:4] == list(run.vocabularies.sources[0].vocabulary.entries[:4])
        after = {name: v.numpy() for name, v in name_variables(pruned.tagger).items()}
    table = "word_embedding.embeddings"
    assert after[table].shape == (FIRST_ID + 4, before[table].shape[1])
    np.testing.assert_array_equal(after[table][FIRST_ID:], before[table][FIRST_ID:][:4])
    expected = before[table][FIRST_ID + 4 :].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(after[table][UNKNOWN_ID], expected, rtol=1e-5)
    for name in set(before) - {table}:
        np.testing.assert_array_equal(after[name], before[name])


def test_more_words_than_there_are_change_nothing(run):
    with pruned_words(run, 10_000) as pruned:
        for name, variable in name_variables(pruned.tagger).items():
            np.testing.assert_array_equal(variable, name_variables(run.tagger)[name])


def test_the_command_makes_a_smaller_export_that_tags(run, tmp_path):
    flags = [f"--run_dir={run.directory.root}", f"--export_dir={tmp_path}"]
    lines = [[*flags, "--max_words=6", "--table_precision=float16"]]
    ended = run_commands("export", "bioner_tf.training.pruning", lines, tmp_path / "printed")
    assert [done.code for done in ended] == [0], ended
    reader = tf.train.load_checkpoint(str(tmp_path / "1" / "variables" / "variables"))
    values = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map()]
    halves = {value.shape for value in values if getattr(value, "dtype", None) == np.float16}
    characters = FIRST_ID + len(run.vocabularies.sources[1].vocabulary)
    model = run.config.model
    assert halves == {(FIRST_ID + 6, model.word_dim), (characters, model.char_dim)}
    metadata = json.loads((tmp_path / "1" / "assets.extra" / "tagger.metadata").read_text())
    assert metadata["vocabularies"]["word_embedding"] == 6
    assert metadata["table_precision"] == "float16"
    tokens = ["the", "Geneα", "nowhere", "of"]
    tags, scores = Tagger(tmp_path / "1").tag_tokens([tokens])
    assert len(tags[0]) == len(scores[0]) == 4
