"""Tagging sentences with the networks in memory."""

from __future__ import annotations

from bioner_tf.corpora.corpus import Sentence
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.text.sentences import MAX_SENTENCE_TOKENS
from bioner_tf.training.batches import EncodedSplit, Forms
from bioner_tf.training.evaluation import Decoder
from bioner_tf.training.trained_run import load_run
from tests.helpers.finished_run import shared_run


def test_long_sentences_are_cut_as_in_the_export(tmp_path_factory) -> None:
    run_dir = shared_run(tmp_path_factory)
    run = load_run(run_dir)
    # One entity without an end, so that it begins anew at every cut.
    tokens = [("Geneα",) * length for length in (3, 2 * MAX_SENTENCE_TOKENS + 88, 1)]
    sentences = [Sentence(words, ("O",) * len(words)) for words in tokens]
    forms = Forms.encode(sentences, run.vocabularies.sources)
    decoder = Decoder(run.tagger, run.vocabularies.tags)
    predicted = decoder.predict("genes", EncodedSplit.encode(sentences, forms), forms)
    assert [len(tags) for tags in predicted] == [3, 600, 1]
    expected, _ = Tagger(run_dir).tag_tokens([list(words) for words in tokens], "genes")
    assert predicted == expected
    assert predicted[1][0] == predicted[1][MAX_SENTENCE_TOKENS] == "B-Gene"
    assert predicted[1][MAX_SENTENCE_TOKENS - 1] == "I-Gene"
