"""The temperature of a run: fitted on devel, in the report, in the export's scores."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from bioner_tf.config import RunConfig
from bioner_tf.corpora import tags as tag_tables
from bioner_tf.corpora.corpus import Sentence, read_corpus
from bioner_tf.errors import BionerError
from bioner_tf.files import write_json_atomically
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.report import read_report
from bioner_tf.serving.model_card import write_model_card
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.text.sentences import MAX_SENTENCE_TOKENS
from bioner_tf.training.batches import EncodedSplit, Forms
from bioner_tf.training.temperature import DecodedEntities, with_temperatures
from bioner_tf.training.trained_run import export_run, load_run
from tests.helpers import reference
from tests.helpers.finished_run import CORPORA, shared_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(shared_run(tmp_path_factory))


@pytest.fixture(scope="module")
def devel(run):
    """The devel sentences by corpus, and their tokens encoded."""
    sentences = {
        name: read_corpus(run.config.data.data_dir, name, ["devel"]).splits["devel"].sentences
        for name in CORPORA
    }
    everything = [s for each in sentences.values() for s in each]
    return sentences, Forms.encode(everything, run.vocabularies.sources)


def decode(run, corpus, sentences, forms):
    tags = run.vocabularies.tags[corpus]
    return DecodedEntities(run.tagger, corpus, tags, sentences, forms)


def export_at(run, temperature, directory):
    return Tagger(export_run(with_temperatures(run, temperature), directory))


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("corpus", CORPORA)
def test_scores_are_those_of_an_enumeration(run, devel, corpus, temperature):
    sentences, forms = devel
    tags = run.vocabularies.tags[corpus]
    # The shortest sentences: all sequences of their tags are looked at.
    short = sorted((s for s in sentences[corpus]), key=lambda s: len(s.tokens))[:2]
    short = [Sentence(s.tokens[:5], s.tags[:5]) for s in short]
    found = decode(run, corpus, short, forms)
    expected = []
    for sentence in short:
        batch = EncodedSplit.encode([sentence], forms).batch(np.array([0]), forms)
        emissions = run.tagger.networks[corpus](batch)["emissions"]
        potentials = run.tagger.crfs[corpus].potentials(emissions).numpy()[0]
        legal = reference.legal_by_tables(
            tag_tables.legal_starts(tags),
            tag_tables.legal_transitions(tags),
            tag_tables.legal_ends(tags),
        )
        best = reference.best_sequence(reference.enumerate_sequences(potentials, legal))
        cooled = reference.enumerate_sequences(potentials / temperature, legal)
        for span in tag_tables.to_spans([tags[i] for i in best]):
            score = reference.span_marginal(cooled, tags, *span)
            expected.append((score, span in tag_tables.to_spans(sentence.tags)))
    scores, correct = zip(*expected)
    np.testing.assert_allclose(sorted(found.scores(temperature)), sorted(scores), atol=1e-5)
    assert sorted(found.correct) == sorted(correct)


def test_spans_of_cut_sentences_are_compared_by_their_place(run):
    tokens = ("Geneα",) * (MAX_SENTENCE_TOKENS + 3)
    # Both pieces are entities; the gold standard has the second one only.
    tags = ("O",) * MAX_SENTENCE_TOKENS + ("B-Gene", "I-Gene", "I-Gene")
    sentences = [Sentence(tokens[:2], tags[:2]), Sentence(tokens, tags)]
    found = decode(run, "genes", sentences, Forms.encode(sentences, run.vocabularies.sources))
    assert sorted(found.correct) == [False, False, True]
    assert found.scores().shape == (3,)


@pytest.mark.slow
def test_the_export_has_the_scores_of_the_temperature_and_the_same_entities(run, devel, tmp_path):
    sentences, forms = devel
    plain = export_at(run, 1.0, tmp_path / "1")
    cooled = export_at(run, 2.5, tmp_path / "2")
    for corpus in CORPORA:
        # A full stop may end a sentence of the text within a sentence of the corpus.
        whole = [s for s in sentences[corpus] if "." not in s.tokens]
        texts = [" ".join(s.tokens) for s in whole]
        answers = [tagger.tag_texts(texts, corpus) for tagger in (plain, cooled)]
        spans = [[[e[:4] for e in entities] for entities in answer] for answer in answers]
        assert spans[0] == spans[1]
        assert sum(map(len, spans[0])) > 0
        tokens = [s.tokens for s in whole]
        assert plain.tag_tokens(tokens, corpus)[0] == cooled.tag_tokens(tokens, corpus)[0]
        eager = decode(run, corpus, whole, forms)
        for answer, temperature in zip(answers, (1.0, 2.5)):
            scores = sorted(e.score for entities in answer for e in entities)
            np.testing.assert_allclose(scores, sorted(eager.scores(temperature)), atol=1e-5)
    assert cooled.metadata["temperatures"] == dict.fromkeys(CORPORA, 2.5)
    assert "| genes | 2.5 |" in (cooled.path / "README.md").read_text()
    assert "## Temperatures" not in write_model_card(plain.metadata)


def test_a_run_that_held_devel_out_has_temperatures(run):
    temperatures = run.report["temperatures"]
    assert list(temperatures) == list(CORPORA)
    assert all(0.2 <= temperature <= 5 for temperature in temperatures.values())
    assert Tagger(run.directory.root).metadata["temperatures"] == temperatures
    assert with_temperatures(run) is run
    # An older run has none in its report: they are fitted again, to the same numbers.
    older = dataclasses.replace(run, report={"epoch": run.report["epoch"]})
    assert with_temperatures(older).report["temperatures"] == temperatures


def test_without_devel_the_temperature_is_one(run, tmp_path, caplog):
    older = dataclasses.replace(run, report={"epoch": run.report["epoch"]})
    config = run.config.to_json()
    on_devel = RunConfig.from_json(
        {**config, "data": {**config["data"], "train_on": "train,devel"}}
    )
    learned = dataclasses.replace(older, config=on_devel)
    assert "temperatures" not in with_temperatures(learned).report
    assert caplog.messages == []
    moved = RunConfig.from_json({**config, "data": {**config["data"], "data_dir": str(tmp_path)}})
    lost = with_temperatures(dataclasses.replace(older, config=moved))
    assert lost.report["temperatures"] == {}
    (message,) = caplog.messages
    assert f"{tmp_path}/genes" in message
    assert "--temperature" in message
    shutil.copytree(run.directory.root, tmp_path / "run")
    copied = dataclasses.replace(lost, directory=RunDirectory(tmp_path / "run"))
    exported = export_run(copied, tmp_path / "export")
    assert Tagger(exported).metadata["temperatures"] == dict.fromkeys(CORPORA, 1.0)


@pytest.mark.parametrize("temperatures", [[1], {"genes": "1"}, {"genes": 0}, {"genes": None}])
def test_a_report_with_damaged_temperatures_is_refused(run, tmp_path, temperatures):
    path = tmp_path / "report.json"
    write_json_atomically(path, {**run.report, "temperatures": temperatures})
    with pytest.raises(BionerError, match="the report of a run"):
        read_report(path)
