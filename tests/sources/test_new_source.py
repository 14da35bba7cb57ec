"""Trains, resumes, evaluates and exports with a source that only this file defines."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import ModelConfig
from bioner_tf.corpora.corpus import read_corpus
from bioner_tf.corpora.vocabulary import FIRST_ID, PADDING_ID, Vocabulary
from bioner_tf.sources import registry
from bioner_tf.sources.base import GraphEncoder, Source, line_table, network_specs
from bioner_tf.sources.words import WordSource
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.training.run import train
from bioner_tf.training.trained_run import load_run
from tests.helpers.outcomes import assert_same_outcome, outcome
from tests.helpers.synthetic_corpora import make_config, write_corpus


class LengthSource(Source):
    """The number of characters of a token."""

    part = "length"
    file_name = "lengths.txt"
    input_specs: ClassVar = {"length_ids": tf.TensorSpec([None, None], tf.int32)}

    @classmethod
    def build(cls, config, training):
        found = {len(t) for sentences in training.values() for s in sentences for t in s.tokens}
        return cls(Vocabulary(tuple(map(str, sorted(found)))), config.model)

    def encode_forms(self, tokens):
        ids = [self.vocabulary.index.get(str(len(token)), -1) + FIRST_ID for token in tokens]
        return {"length_ids": np.array(ids, np.int32)}

    def make_batch(self, forms, form_ids):
        return {"length_ids": forms["length_ids"][form_ids]}

    def graph_encoder(self, directory):
        return LengthEncoder(directory / self.file_name)

    def build_layer(self, make_dropout):
        return tf.keras.layers.Embedding(self.num_ids, 2, name=self.part)

    def apply(self, layer, inputs):
        return layer(inputs["length_ids"])

    def describe(self):
        return {"lengths": len(self.vocabulary)}


class LengthEncoder(GraphEncoder):
    def __init__(self, path):
        super().__init__(name="lengths")
        self.table = line_table(path)

    def __call__(self, forms, form_ids):
        lengths = tf.strings.as_string(tf.strings.length(forms, unit="UTF8_CHAR"))
        ids = tf.cast(self.table.lookup(lengths), tf.int32) + FIRST_ID
        return {
            "length_ids": tf.gather(tf.pad(ids, [[1, 0]], constant_values=PADDING_ID), form_ids)
        }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("new-source")
    write_corpus(root / "data", "genes")
    write_corpus(root / "data", "drugs", types=("Drug",))
    config = make_config(root / "data", ["genes", "drugs"], epochs=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "SOURCES", [*registry.SOURCES, LengthSource])
        first = dataclasses.replace(config.training, epochs=1)
        for run_config, name in [
            (dataclasses.replace(config, training=first), "resumed"),
            (config, "resumed"),
            (config, "whole"),
        ]:
            # Keras numbers the layers of a process, and checkpoints contain these numbers.
            tf.keras.backend.clear_session()
            train(run_config, root / name, "")
        yield root, config, load_run(root / "whole")


@pytest.mark.slow
def test_it_is_trained_saved_and_resumed(trained):
    root, _, run = trained
    assert run.report["parameters"]["parts"]["length"] > 0
    assert (root / "whole" / "vocabulary" / "lengths.txt").exists()
    expected = outcome(root / "whole")
    # The resumed run also has the export of its first epoch.
    assert_same_outcome(root / "resumed", expected)
    untrained = make_layer_weights(run)
    [layer] = run.tagger.parts["length"]
    assert (layer.embeddings.numpy() != untrained).any()


def make_layer_weights(run):
    from bioner_tf.models import build_tagger

    config = run.config
    fresh = build_tagger(
        config.model, run.vocabularies.sources, run.vocabularies.tags, config.training.seed
    )
    return fresh.parts["length"][0].embeddings.numpy()


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["genes", "drugs"])
def test_its_export_predicts_the_same_as_the_run(trained, corpus):
    root, config, _ = trained
    tagger = Tagger(root / "whole")
    assert tagger.metadata["lengths"] > 0
    sentences = read_corpus(config.data.data_dir, corpus).splits["test"].sentences
    found, _ = tagger.tag_tokens([sentence.tokens for sentence in sentences], corpus)
    lines = (root / "whole" / "predictions" / f"{corpus}.test.tsv").read_text().split("\n\n")
    predicted = [[line.split("\t")[-1] for line in block.splitlines()] for block in lines if block]
    assert found == predicted


def test_two_inputs_of_one_name_are_refused():
    words = WordSource(Vocabulary(("a",)), ModelConfig(word_dim=2))
    with pytest.raises(ValueError, match="WordSource: expected unique input names"):
        network_specs([words, words])
