"""What a run learns from: the right sentences, vocabularies that know only them, all encoded."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from bioner_tf.config import RANDOM_WORD_DIM
from bioner_tf.corpora.corpus import read_corpus
from bioner_tf.errors import BionerError
from bioner_tf.training.inputs import Vocabularies, gather
from tests.helpers.synthetic_corpora import make_config, write_corpus

SPLITS = ("train", "devel", "test")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("corpora")
    write_corpus(directory, "genes", sentences=20)
    write_corpus(directory, "mixed", types=("Gene", "Drug"), scheme="IOBES", unseen=("Rare",))
    return directory


@pytest.fixture(scope="module")
def corpora(data_dir):
    return {name: read_corpus(data_dir, name) for name in ("genes", "mixed")}


def gathered(data_dir, **changes):
    return gather(make_config(data_dir, ["genes", "mixed"], **changes))


def sentences(corpora, name, *splits):
    return tuple(s for split in splits for s in corpora[name].splits[split].sentences)


def test_training_is_the_training_split(data_dir, corpora):
    material = gathered(data_dir)
    assert list(material.training) == ["genes", "mixed"]
    for name in corpora:
        assert material.training[name] == sentences(corpora, name, "train")


def test_devel_can_be_trained_on_too(data_dir, corpora):
    material = gathered(data_dir, train_on="train,devel")
    for name in corpora:
        assert material.training[name] == sentences(corpora, name, "train", "devel")
    # Types of the devel split are known then.
    assert "S-Rare" in material.vocabularies.tags["mixed"]


@pytest.mark.parametrize("train_on", ["train", "train,devel"])
def test_a_fraction_is_of_the_main_corpus_s_training_split_only(data_dir, corpora, train_on):
    material = gathered(data_dir, keep_fraction=0.25, train_on=train_on)
    devel = sentences(corpora, "genes", "devel") if train_on == "train,devel" else ()
    kept = material.training["genes"][: len(material.training["genes"]) - len(devel)]
    assert len(kept) == 5
    assert set(kept) <= set(sentences(corpora, "genes", "train"))
    assert material.training["genes"][5:] == devel
    assert material.training["mixed"] == sentences(corpora, "mixed", *train_on.split(","))
    for split in ("devel", "test"):
        for name in corpora:
            assert material.corpora[name].splits[split] == corpora[name].splits[split]
    assert material.describe()["genes"]["training_sentences"] == 5 + len(devel)
    assert material.describe()["genes"]["sentences"]["train"] == 20


def test_the_fraction_is_drawn_by_the_seed(data_dir):
    first, again, other = (
        gathered(data_dir, keep_fraction=0.25, seed=seed).training["genes"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_types_are_filtered_in_all_splits_of_their_corpus(data_dir, corpora):
    material = gathered(data_dir, types={"mixed": ("Drug",)})
    for split in SPLITS:
        before = corpora["mixed"].splits[split].sentences
        after = material.corpora["mixed"].splits[split].sentences
        assert [s.tokens for s in after] == [s.tokens for s in before]
        assert {tag[2:] for s in after for tag in s.tags} == {"", "Drug"}
        assert sum(t.endswith("Drug") for s in after for t in s.tags) == sum(
            t.endswith("Drug") for s in before for t in s.tags
        )
        assert material.corpora["genes"].splits[split] == corpora["genes"].splits[split]
    assert material.vocabularies.tags["mixed"] == ("O", "B-Drug", "I-Drug", "E-Drug", "S-Drug")


def test_vocabularies_know_what_is_trained_on_and_nothing_else(data_dir, corpora):
    vocabulary = gathered(data_dir).vocabularies
    trained = [s for name in corpora for s in sentences(corpora, name, "train")]
    assert set(vocabulary.words.entries) == {
        token.replace("12", "00") for s in trained for token in s.tokens
    }
    assert set(vocabulary.characters.entries) == {c for s in trained for t in s.tokens for c in t}
    # Names in devel and test end in letters that training never saw.
    assert not {"ε", "ζ"} & set(vocabulary.characters.entries)
    assert vocabulary.tags["genes"] == ("O", "B-Gene", "I-Gene")
    assert "S-Rare" not in vocabulary.tags["mixed"]
    assert vocabulary.num_words == 2 + len(vocabulary.words)
    assert vocabulary.num_characters == 2 + len(vocabulary.characters)


def test_every_split_can_be_encoded_though_training_never_saw_its_tokens_and_tags(data_dir):
    material = gathered(data_dir)
    for name, corpus in material.corpora.items():
        for split in SPLITS:
            encoded = material.encode(name, split)
            assert encoded.tag_ids is None
            tokens = [t for s in corpus.splits[split].sentences for t in s.tokens]
            assert encoded.form_ids.tolist() == [material.forms.index[t] for t in tokens]
        tags = material.vocabularies.tags[name]
        assert [tags[i] for i in material.encoded_training[name].tag_ids] == [
            tag for s in material.training[name] for tag in s.tags
        ]


def test_vectors_bring_their_width_and_words_that_training_never_saw(data_dir, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("of 1 2 3\nunseen 4 5 6\nspare 7 8 9\n")
    material = gathered(data_dir, vectors=str(path), word_dim=0, max_vector_words=1)
    assert material.config.model.word_dim == 3
    words = material.vocabularies.words
    assert words.entries[-1] == "unseen"
    assert "spare" not in words.index
    assert material.word_table.shape == (material.vocabularies.num_words, 3)
    np.testing.assert_array_equal(material.word_table[2 + words.index["of"]], [1, 2, 3])
    np.testing.assert_array_equal(material.word_table[2 + words.index["unseen"]], [4, 5, 6])
    coverage = material.describe()["genes"]["coverage"]
    assert coverage == material.coverage.to_json()["genes"]
    with pytest.raises(BionerError, match="3"):
        gathered(data_dir, vectors=str(path), word_dim=5)


def test_without_vectors_the_width_is_asked_for_or_the_default(data_dir):
    assert gathered(data_dir, word_dim=7).word_table.shape[1] == 7
    material = gathered(data_dir, word_dim=0)
    assert material.word_table.shape[1] == material.config.model.word_dim == RANDOM_WORD_DIM


def test_the_same_seed_gathers_the_same(data_dir):
    first, again, other = (gathered(data_dir, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.word_table, again.word_table)
    assert (first.word_table[2:] != other.word_table[2:]).all()
    assert first.vocabularies == again.vocabularies == other.vocabularies


def test_repaired_tags_are_counted_and_told_of(data_dir, tmp_path, caplog):
    for split in SPLITS:
        path = tmp_path / "odd" / f"{split}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("a\tB-X\nb\tI-Y\n\nc\tI-X\n" if split == "train" else "a\tB-X\n")
    config = make_config(tmp_path, ["odd"], "single_task")
    with caplog.at_level(logging.WARNING):
        material = gather(config)
    assert material.describe()["odd"]["repaired_tags"] == {"train": 2, "devel": 0, "test": 0}
    (record,) = caplog.records
    assert "odd: repaired 2 tags" in record.getMessage()
    with pytest.raises(BionerError, match=r"train.tsv:2: expected a legal"):
        gather(make_config(tmp_path, ["odd"], "single_task", strict=True))


def test_vocabularies_round_trip(data_dir, tmp_path):
    vocabularies = gathered(data_dir).vocabularies
    vocabularies.save(tmp_path / "vocabulary")
    assert sorted(path.name for path in (tmp_path / "vocabulary").iterdir()) == [
        "characters.txt",
        "tags.genes.txt",
        "tags.mixed.txt",
        "words.txt",
    ]
    loaded = Vocabularies.load(tmp_path / "vocabulary", ["genes", "mixed"])
    assert loaded == vocabularies
    with pytest.raises(BionerError, match=r"tags\.other\.txt"):
        Vocabularies.load(tmp_path / "vocabulary", ["genes", "other"])
