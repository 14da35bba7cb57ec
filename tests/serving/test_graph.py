"""The signatures of an export against its parts and against enumeration of all tag sequences."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from bioner_tf.corpora import tags
from bioner_tf.serving.graph import signature_names
from bioner_tf.text.sentences import split_sentences
from bioner_tf.text.tokens import tokenise
from tests.helpers import random_tagger, reference, slow_merging
from tests.helpers.slow_merging import Found

NASTY_TOKENS = [
    "The", "the", "THE", "BRCA1", "brca1", "p53", "P53", "p\u0665", "É", "é", "café", "cafe\u0301",
    "-", "", "\x00", "\ufffd", "\uffff", "0", "½", "👍🏽", "a" * 200, "\U0001d6fc" * 9, "İ", "x",
]  # fmt: skip


def signature(corpus, kind):
    names = signature_names(list(random_tagger.TAGS))
    return dict(zip(random_tagger.TAGS, names))[corpus][kind]


def tag_texts(signatures, texts, corpus=random_tagger.MAIN):
    """Tags texts (str or bytes); returns (start, end, type, text, score) for each entity."""
    texts = [text if isinstance(text, bytes) else text.encode() for text in texts]
    name = signature(corpus, "text")
    outputs = signatures(name, text=np.array(texts, object).reshape(len(texts)))
    columns = [outputs[f"entity_{c}"] for c in ("start", "end", "type", "text", "score")]
    return [
        [
            (int(start), int(end), entity_type.decode(), text.decode(), float(score))
            for start, end, entity_type, text, score in zip(*(c[row, :count] for c in columns))
        ]
        for row, count in enumerate(outputs["entity_count"])
    ]


def without_scores(entities):
    return [entity[:-1] for entity in entities]


def assert_same(found, expected):
    """Asserts equal entities; scores may differ by rounding, as batch shapes differ."""
    assert [without_scores(row) for row in found] == [without_scores(row) for row in expected]
    np.testing.assert_allclose(
        [entity[-1] for row in found for entity in row],
        [entity[-1] for row in expected for entity in row],
        atol=1e-5,
    )


def tag_tokens(signatures, sentences, corpus=random_tagger.MAIN, padding=b"", extra=0):
    width = max(map(len, sentences), default=0) + extra
    tokens = np.full((len(sentences), width), padding, object)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence)] = [token.encode() for token in sentence]
    lengths = np.array([len(sentence) for sentence in sentences], np.int32)
    return signatures(signature(corpus, "tokens"), tokens=tokens, lengths=lengths)


def potentials_of(tagger, corpus, tokens):
    """The network's potentials for one sentence that Python, not the graph, encoded."""
    score = {c.name: c.score for c in tagger.corpora}[corpus]
    inputs = random_tagger.encode_in_python(tokens)
    features = tagger.encode({name: tf.constant(values) for name, values in inputs.items()})
    return score(features, tf.constant(inputs["lengths"])).numpy()[0]


def distribution_of(tagger, corpus, tokens):
    names = random_tagger.TAGS[corpus]
    legal = reference.legal_by_tables(
        tags.legal_starts(names), tags.legal_transitions(names), tags.legal_ends(names)
    )
    return reference.enumerate_sequences(potentials_of(tagger, corpus, tokens), legal)


@pytest.mark.parametrize("corpus", random_tagger.TAGS)
def test_token_tags_and_scores_equal_enumeration(served_tagger, signatures, corpus):
    sentences = [NASTY_TOKENS[i : i + 4] for i in range(0, len(NASTY_TOKENS), 4)]
    outputs = tag_tokens(signatures, sentences, corpus)
    for row, tokens in enumerate(sentences):
        expected = distribution_of(served_tagger, corpus, tokens)
        best = reference.best_sequence(expected)
        names = [tag.decode() for tag in outputs["tags"][row]]
        assert names[: len(tokens)] == [random_tagger.TAGS[corpus][tag] for tag in best]
        marginals = reference.token_marginals(expected, len(random_tagger.TAGS[corpus]))
        np.testing.assert_allclose(
            outputs["tag_score"][row, : len(tokens)],
            marginals[np.arange(len(tokens)), best],
            atol=1e-5,
        )


@pytest.mark.parametrize("corpus", random_tagger.TAGS)
def test_entity_scores_equal_enumeration(served_tagger, signatures, corpus):
    texts = ["The BRCA1 gene binds", "p53-p21 binds", "in the gene", "café É p53 .", "gene"]
    found = tag_texts(signatures, texts, corpus)
    for text, entities in zip(texts, found):
        tokens = reference.tokenise(text.encode())
        expected = distribution_of(served_tagger, corpus, [form for _, _, form in tokens])
        names = [random_tagger.TAGS[corpus][tag] for tag in reference.best_sequence(expected)]
        spans = reference.entities(names)
        assert without_scores(entities) == [
            (
                tokens[start][0],
                tokens[end - 1][1],
                kind,
                text[tokens[start][0] : tokens[end - 1][1]],
            )
            for start, end, kind in spans
        ]
        scores = [
            reference.span_marginal(expected, random_tagger.TAGS[corpus], *span) for span in spans
        ]
        np.testing.assert_allclose([entity[-1] for entity in entities], scores, atol=1e-5)
    assert sum(map(len, found)) >= 4
    assert any(" " in text or "-" in text for row in found for _, _, _, text, _ in row)


@pytest.mark.parametrize("corpus", random_tagger.TAGS)
def test_texts_are_tagged_as_their_tokens_are(signatures, corpus):
    """Both signatures cut sentences that are longer than the limit."""
    texts = [text for text in random_tagger.NASTY_TEXTS if "\n\n" not in text and ". " not in text]
    tokens = [reference.tokenise(text.encode()) for text in texts]
    sentences = [[form for _, _, form in row] for row in tokens]
    assert max(map(len, sentences)) > 2 * random_tagger.MAX_SENTENCE_TOKENS
    outputs = tag_tokens(signatures, sentences, corpus)
    found = tag_texts(signatures, texts, corpus)
    for row, text in enumerate(texts):
        names = [tag.decode() for tag in outputs["tags"][row, : len(sentences[row])]]
        expected = []
        for start, end, kind in reference.entities(names):
            first, last = tokens[row][start][0], tokens[row][end - 1][1]
            expected.append((first, last, kind, text[first:last]))
        assert without_scores(found[row]) == expected


def test_padding_of_tokens_is_ignored(signatures):
    sentences = [["the", "BRCA1", "gene"], ["p53"], [], ["in", "the"]]
    expected = tag_tokens(signatures, sentences)
    found = tag_tokens(signatures, sentences, padding=b"BRCA1", extra=30)
    for name in ("tags", "tag_score"):
        np.testing.assert_array_equal(found[name][:, :3], expected[name])
        assert not found[name][:, 3:].any()
    assert expected["tags"][2].tolist() == [b"", b"", b""]
    assert expected["tags"][1, 0] in [
        tag.encode() for tag in random_tagger.TAGS[random_tagger.MAIN]
    ]


def test_lengths_beyond_the_tokens_mean_all_of_them(signatures):
    tokens = [[b"the", b"gene"]]
    name = signature(random_tagger.MAIN, "tokens")
    expected = signatures(name, tokens=tokens, lengths=[2])
    np.testing.assert_array_equal(
        signatures(name, tokens=tokens, lengths=[9])["tags"], expected["tags"]
    )
    assert signatures(name, tokens=tokens, lengths=[-1])["tags"].tolist() == [[b"", b""]]


def test_empty_inputs_are_answered(signatures):
    outputs = signatures("serving_default", text=np.array([], object))
    assert {name: value.shape for name, value in outputs.items()} == {
        "entity_count": (0,),
        **{f"entity_{c}": (0, 1) for c in ("start", "end", "type", "text", "score", "corpus")},
    }
    outputs = signatures("serving_default", text=["", "  \n"])
    assert outputs["entity_count"].tolist() == [0, 0]
    assert outputs["entity_text"].tolist() == [[b""], [b""]]
    assert outputs["entity_score"].tolist() == [[0.0], [0.0]]
    empty = np.zeros((2, 0), object)
    assert signatures("tag_tokens", tokens=empty, lengths=[0, 0])["tags"].shape == (2, 0)


@pytest.mark.parametrize("corpus", random_tagger.TAGS)
def test_offsets_cut_the_entity_out_of_nasty_texts(signatures, corpus):
    for text, entities in zip(
        random_tagger.NASTY_TEXTS, tag_texts(signatures, random_tagger.NASTY_TEXTS, corpus)
    ):
        previous_end = 0
        for start, end, _, entity_text, score in entities:
            assert text[start:end] == entity_text
            assert previous_end <= start < end
            assert 0 <= score <= 1
            previous_end = end


ANY_BYTES = strategies.lists(
    strategies.one_of(
        strategies.text(max_size=20).map(lambda value: value.encode("utf-8", "replace")),
        strategies.binary(max_size=20),
        strategies.text("the gnp53.\n-é\u0301👍\U0001d6fc\x00", max_size=40).map(str.encode),
    ),
    min_size=1,
    max_size=4,
)


def with_examples(count, slow_count):
    """A few fixed examples in the default suite; many random ones in the slow suite."""
    return pytest.mark.parametrize(
        "settings",
        [
            pytest.param({"max_examples": count, "derandomize": True}, id="few"),
            pytest.param({"max_examples": slow_count}, id="many", marks=pytest.mark.slow),
        ],
    )


def check(settings, test):
    hypothesis.settings(deadline=None, database=None, **settings)(test)()


@with_examples(25, 1500)
def test_offsets_hold_for_any_bytes(signatures, settings):
    @hypothesis.given(ANY_BYTES)
    def test(texts):
        for corpus in random_tagger.TAGS:
            for text, entities in zip(texts, tag_texts(signatures, texts, corpus)):
                decoded = text.decode("utf-8", "replace")
                assert all(decoded[start:end] == found for start, end, _, found, _ in entities)

    check(settings, test)


@with_examples(15, 1000)
def test_any_text_is_tagged_as_its_sentences_tokens_are(signatures, settings):
    """Splits the texts outside of the export, then sends each sentence as a row of tokens."""

    @hypothesis.given(ANY_BYTES)
    def test(texts):
        expected = [[] for _ in texts]
        tokens = tokenise(tf.constant(texts))
        begins = np.flatnonzero(split_sentences(tokens))
        columns = [
            getattr(tokens, name).numpy() for name in ("text_ids", "starts", "ends", "forms")
        ]
        sentences = [list(zip(*part)) for part in zip(*(np.split(c, begins) for c in columns))][1:]
        forms = [[form.decode() for *_, form in sentence] for sentence in sentences]
        tags_found = tag_tokens(signatures, forms)["tags"] if forms else []
        for sentence, row in zip(sentences, tags_found):
            names = [tag.decode() for tag in row[: len(sentence)]]
            for first, last, kind in reference.entities(names):
                text_id, start = sentence[first][:2]
                offset, end = tokens.text_starts[text_id].numpy(), sentence[last - 1][2]
                decoded = texts[text_id].decode("utf-8", "replace")
                span = (start - offset, end - offset)
                expected[text_id].append((*span, kind, decoded[slice(*span)]))
        assert [without_scores(row) for row in tag_texts(signatures, texts)] == expected

    check(settings, test)


def test_other_texts_of_the_batch_and_their_order_change_no_answer(signatures):
    texts = [text for text in random_tagger.NASTY_TEXTS if len(text) < 5000]
    alone = [tag_texts(signatures, [text], random_tagger.AUXILIARY)[0] for text in texts]
    assert_same(tag_texts(signatures, texts, random_tagger.AUXILIARY), alone)
    assert_same(tag_texts(signatures, texts[::-1], random_tagger.AUXILIARY), alone[::-1])
    assert_same(tag_texts(signatures, texts * 3, random_tagger.AUXILIARY), alone * 3)


def test_more_sentences_than_a_chunk_holds_are_all_tagged(signatures):
    generator = np.random.default_rng(0)
    words = ["the", "gene", "BRCA1", "binds", "p53"]
    sentences = [list(generator.choice(words, length)) for length in [1, 12, 5, 30] * 200]
    outputs = tag_tokens(signatures, sentences)
    few = tag_tokens(signatures, sentences[:4])
    for row in range(4):
        np.testing.assert_array_equal(outputs["tags"][row], few["tags"][row])
    assert all((outputs["tags"][row, : len(s)] != b"").all() for row, s in enumerate(sentences))


def test_a_document_is_tagged_as_its_sentences_are(signatures):
    sentences = ["The BRCA1 gene binds p53.", "In the gene it binds!", "p53 binds the gene."] * 5
    document, expected = "", []
    for sentence, entities in zip(sentences, tag_texts(signatures, sentences)):
        for start, end, *rest in entities:
            expected.append((len(document) + start, len(document) + end, *rest))
        document += sentence + " "
    assert_same(tag_texts(signatures, [document]), [expected])
    assert expected


def test_signatures_have_the_documented_inputs_and_outputs(signatures):
    together = {"serving_default", "tag_text_all", "tag_text_candidates"}
    wanted = {*together, "tag_tokens"}
    wanted |= {
        signature(corpus, kind) for corpus in random_tagger.TAGS for kind in ("text", "tokens")
    }
    assert set(signatures.model.signatures) == wanted
    assert signature(random_tagger.MAIN, "text") == "tag_text_genes-IOB"
    for name, function in signatures.model.signatures.items():
        _, inputs = function.structured_input_signature
        found = {key: (spec.dtype, spec.shape.rank) for key, spec in inputs.items()}
        if "tokens" in name:
            assert found == {"tokens": (tf.string, 2), "lengths": (tf.int32, 1)}
            wanted_outputs = {"tags": (tf.string, 2), "tag_score": (tf.float32, 2)}
        else:
            assert found == {"text": (tf.string, 1)}
            wanted_outputs = {
                "entity_count": (tf.int32, 1),
                "entity_start": (tf.int32, 2),
                "entity_end": (tf.int32, 2),
                "entity_type": (tf.string, 2),
                "entity_text": (tf.string, 2),
                "entity_score": (tf.float32, 2),
            }
            if name in together:
                wanted_outputs["entity_corpus"] = (tf.string, 2)
        outputs = function.structured_outputs
        assert {k: (spec.dtype, spec.shape.rank) for k, spec in outputs.items()} == wanted_outputs


def test_signatures_without_a_corpus_are_of_all_corpora_or_the_main_one(signatures):
    text, tokens = ["The BRCA1 gene binds p53"], [["The", "BRCA1", "gene"]]
    pairs = {
        "serving_default": "tag_text_all",
        "tag_tokens": signature(random_tagger.MAIN, "tokens"),
    }
    for plain, own in pairs.items():
        inputs = {"text": text} if "text" in own else {"tokens": tokens, "lengths": [3]}
        expected = signatures(own, **inputs)
        for name, value in signatures(plain, **inputs).items():
            np.testing.assert_array_equal(value, expected[name])


def merge_slowly(of_corpora):
    """The merged answer to a text, from those of both corpora."""
    candidates = [
        Found(start, end, kind, score, number)
        for number, entities in enumerate(of_corpora)
        for start, end, kind, _, score in entities
    ]
    return slow_merging.merge(candidates, {}, 0.0, "score")


def assert_merged(signatures, texts):
    """``tag_text_all`` is the slow merge of the corpora's answers; all candidates are there."""
    of_corpora = [tag_texts(signatures, texts, corpus) for corpus in random_tagger.TAGS]
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    encoded = np.array(encoded, object)
    outputs = signatures("tag_text_all", text=encoded)
    found = read_entities(outputs)
    candidates = read_entities(signatures("tag_text_candidates", text=encoded))
    for row, answers in enumerate(zip(*of_corpora)):
        text = encoded[row].decode("utf-8", "replace")
        expected = [
            (e.start, e.end, e.type, text[e.start : e.end], list(random_tagger.TAGS)[e.corpus])
            for e in merge_slowly(answers)
        ]
        assert [(*e[:4], e[5]) for e in found[row]] == expected
        everything = [
            (*e[:4], corpus) for corpus, row in zip(random_tagger.TAGS, answers) for e in row
        ]
        order = list(random_tagger.TAGS).index
        everything.sort(key=lambda e: (*e[:2], order(e[4])))
        assert [(*e[:4], e[5]) for e in candidates[row]] == everything
    return found


def read_entities(outputs):
    """Entities as (start, end, type, text, score, corpus) of each text."""
    names = ("start", "end", "type", "text", "score", "corpus")
    rows = zip(outputs["entity_count"], *(outputs[f"entity_{name}"].tolist() for name in names))
    return [
        [
            (start, end, kind.decode(), text.decode(), score, corpus.decode())
            for start, end, kind, text, score, corpus in zip(*(c[:count] for c in columns))
        ]
        for count, *columns in rows
    ]


def test_all_corpora_are_merged_in_one_call(signatures):
    found = assert_merged(signatures, random_tagger.NASTY_TEXTS)
    corpora = {e[5] for row in found for e in row}
    assert corpora == set(random_tagger.TAGS)


@with_examples(15, 1000)
def test_any_bytes_of_all_corpora_are_merged(signatures, settings):
    @hypothesis.given(ANY_BYTES)
    def test(texts):
        assert_merged(signatures, texts)

    check(settings, test)


def test_company_and_order_change_no_merged_answer(signatures):
    texts = [text.encode() for text in random_tagger.NASTY_TEXTS if len(text) < 5000]

    def tag_all(texts):
        found = read_entities(signatures("tag_text_all", text=np.array(texts, object)))
        return [[(*e[:4], e[5], e[4]) for e in row] for row in found]

    alone = [tag_all([text])[0] for text in texts]
    assert_same(tag_all(texts), alone)
    assert_same(tag_all(texts[::-1] * 2), alone[::-1] * 2)


def test_no_corpus_gets_the_signatures_of_all_corpora():
    names = signature_names(["all", "candidates", "all_2"])
    assert [name["text"] for name in names] == [
        "tag_text_all_2", "tag_text_candidates_2", "tag_text_all_2_2",
    ]  # fmt: skip


def test_signature_names_are_distinct_and_use_allowed_characters():
    names = signature_names(["a b", "a_b", "a/b", "BC2GM-IOB", "été"])
    assert [name["text"] for name in names] == [
        "tag_text_a_b", "tag_text_a_b_2", "tag_text_a_b_3", "tag_text_BC2GM-IOB", "tag_text__t_",
    ]  # fmt: skip
