from __future__ import annotations

import pytest

from bioner_tf.corpora import corpus, demo
from bioner_tf.corpora.tags import to_spans

NAMES = [demo_corpus.name for demo_corpus in demo.CORPORA]


@pytest.fixture(scope="module")
def corpora():
    return demo.build_demo_corpora(seed=1)


def mentions(sentences):
    return [
        sentence.tokens[span.start : span.end]
        for sentence in sentences
        for span in to_spans(sentence.tags)
    ]


def test_same_seed_gives_the_same_corpora_and_another_seed_others(corpora):
    assert demo.build_demo_corpora(seed=1) == corpora
    assert demo.build_demo_corpora(seed=2) != corpora


@pytest.mark.parametrize("name", NAMES)
def test_splits_have_their_sizes_and_share_no_sentence(corpora, name):
    splits = corpora[name]
    assert {split: len(sentences) for split, sentences in splits.items()} == demo.SPLIT_SIZES
    everything = [sentence.tokens for sentences in splits.values() for sentence in sentences]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("name", NAMES)
def test_written_corpus_is_read_back_and_needs_no_repair(corpora, name, tmp_path):
    demo.write_demo(tmp_path, seed=1)
    written = corpus.read_corpus(tmp_path, name, strict=True)
    for split, sentences in corpora[name].items():
        assert written.splits[split].sentences == sentences
        assert written.splits[split].scheme == "IOB2"
        assert written.splits[split].repaired == 0


def test_example_is_written_beside_the_corpora(tmp_path):
    paths = demo.write_demo(tmp_path, seed=1)
    assert len(paths) == len(set(paths)) == 8
    assert (tmp_path / "example.txt").read_text(encoding="utf-8") == demo.read_example()
    assert "gefitinib" in (tmp_path / "abstract.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_cut_as_raw_text_will_be(corpora, name):
    for sentences in corpora[name].values():
        for sentence in sentences:
            assert corpus.TOKEN.findall(" ".join(sentence.tokens)) == list(sentence.tokens)
            assert 6 <= len(sentence.tokens) <= 35


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", ["devel", "test"])
def test_most_mentions_outside_training_were_never_seen_there(corpora, name, split):
    seen = set(mentions(corpora[name]["train"]))
    found = mentions(corpora[name][split])
    unseen = [mention for mention in found if mention not in seen]
    assert len(found) > 100
    assert 0.5 < len(unseen) / len(found) < 0.95


@pytest.mark.parametrize("name", NAMES)
def test_devel_and_test_hold_out_different_names(corpora, name):
    held_out = {
        split: set(mentions(corpora[name][split])) - set(mentions(corpora[name]["train"]))
        for split in ("devel", "test")
    }
    common = held_out["devel"] & held_out["test"]
    # Held-out modifiers before names of training may make the same new mention in both.
    assert len(common) < 0.1 * len(held_out["test"])


@pytest.mark.parametrize(("name", "other"), [NAMES, NAMES[::-1]])
def test_each_corpus_mentions_the_others_entities_unlabelled(corpora, name, other):
    others = {" ".join(mention) for mention in mentions(corpora[other]["train"])}
    outside = [
        " ".join(token for token, tag in zip(sentence.tokens, sentence.tags) if tag == "O")
        for sentence in corpora[name]["train"]
    ]
    assert sum(any(f" {mention} " in text for mention in others) for text in outside) > 50


@pytest.mark.parametrize("name", NAMES)
def test_names_held_out_of_a_corpus_are_held_out_of_the_other_as_well(corpora, name):
    (other,) = set(NAMES) - {name}
    own = set(mentions(corpora[name]["test"])) - set(mentions(corpora[name]["train"]))
    # A gene may be called like a disease, and the tail of a longer name may be a shorter one.
    elsewhere = " ".join(f" {' '.join(sentence.tokens)} " for sentence in corpora[other]["train"])
    leaked = [mention for mention in own if f" {' '.join(mention)} " in elsewhere]
    assert len(leaked) < 0.15 * len(own)


@pytest.mark.parametrize("name", NAMES)
def test_some_sentences_hold_no_entity_and_some_hold_several(corpora, name):
    counts = [len(to_spans(sentence.tags)) for sentence in corpora[name]["train"]]
    assert counts.count(0) > 50
    assert sum(count >= 2 for count in counts) > 100


def test_example_mentions_names_that_no_list_holds():
    example = demo.read_example()
    everything = " ".join(
        " ".join(sentence.tokens)
        for splits in demo.build_demo_corpora(seed=1).values()
        for sentences in splits.values()
        for sentence in sentences
    )
    unseen = {"NFATC2", "STAT6", "DICER1", "RIPK3"}
    assert all(name in example and name not in everything for name in unseen)
