"""The inputs of a run: its sentences, vocabularies of the training sentences, encoded splits."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from bioner_tf.config import RANDOM_WORD_DIM
from bioner_tf.corpora.corpus import read_corpus
from bioner_tf.errors import BionerError
from bioner_tf.training.inputs import Vocabularies, load_inputs
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


def loaded(data_dir, **changes):
    return load_inputs(make_config(data_dir, ["genes", "mixed"], **changes))


def table_of(inputs):
    return inputs.vocabularies.sources[0].table


def sentences(corpora, name, *splits):
    return tuple(s for split in splits for s in corpora[name].splits[split].sentences)


def test_training_is_the_training_split(data_dir, corpora):
    inputs = loaded(data_dir)
    assert list(inputs.training) == ["genes", "mixed"]
    for name in corpora:
        assert inputs.training[name] == sentences(corpora, name, "train")


def test_devel_can_be_trained_on_too(data_dir, corpora):
    inputs = loaded(data_dir, train_on="train,devel")
    for name in corpora:
        assert inputs.training[name] == sentences(corpora, name, "train", "devel")
    # Types of the devel split are known then.
    assert "S-Rare" in inputs.vocabularies.tags["mixed"]


@pytest.mark.parametrize("train_on", ["train", "train,devel"])
def test_a_fraction_is_of_the_main_corpus_s_training_split_only(data_dir, corpora, train_on):
    inputs = loaded(data_dir, keep_fraction=0.25, train_on=train_on)
    devel = sentences(corpora, "genes", "devel") if train_on == "train,devel" else ()
    kept = inputs.training["genes"][: len(inputs.training["genes"]) - len(devel)]
    assert len(kept) == 5
    assert set(kept) <= set(sentences(corpora, "genes", "train"))
    assert inputs.training["genes"][5:] == devel
    assert inputs.training["mixed"] == sentences(corpora, "mixed", *train_on.split(","))
    for split in ("devel", "test"):
        for name in corpora:
            assert inputs.corpora[name].splits[split] == corpora[name].splits[split]
    assert inputs.describe()["genes"]["training_sentences"] == 5 + len(devel)
    assert inputs.describe()["genes"]["sentences"]["train"] == 20


def test_the_fraction_is_drawn_by_the_seed(data_dir):
    first, again, other = (
        loaded(data_dir, keep_fraction=0.25, seed=seed).training["genes"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_types_are_filtered_in_all_splits_of_their_corpus(data_dir, corpora):
    inputs = loaded(data_dir, types={"mixed": ("Drug",)})
    for split in SPLITS:
        before = corpora["mixed"].splits[split].sentences
        after = inputs.corpora["mixed"].splits[split].sentences
        assert [s.tokens for s in after] == [s.tokens for s in before]
        assert {tag[2:] for s in after for tag in s.tags} == {"", "Drug"}
        assert sum(t.endswith("Drug") for s in after for t in s.tags) == sum(
            t.endswith("Drug") for s in before for t in s.tags
        )
        assert inputs.corpora["genes"].splits[split] == corpora["genes"].splits[split]
    assert inputs.vocabularies.tags["mixed"] == ("O", "B-Drug", "I-Drug", "E-Drug", "S-Drug")


def test_vocabularies_know_what_is_trained_on_and_nothing_else(data_dir, corpora):
    vocabulary = loaded(data_dir).vocabularies
    trained = [s for name in corpora for s in sentences(corpora, name, "train")]
    assert set(vocabulary.sources[0].vocabulary.entries) == {
        token.replace("12", "00") for s in trained for token in s.tokens
    }
    assert set(vocabulary.sources[1].vocabulary.entries) == {
        c for s in trained for t in s.tokens for c in t
    }
    # Names in devel and test end in letters that training never saw.
    assert not {"ε", "ζ"} & set(vocabulary.sources[1].vocabulary.entries)
    assert vocabulary.tags["genes"] == ("O", "B-Gene", "I-Gene")
    assert "S-Rare" not in vocabulary.tags["mixed"]
    for source in vocabulary.sources:
        assert source.num_ids == 2 + len(source.vocabulary)


def test_every_split_can_be_encoded_though_training_never_saw_its_tokens_and_tags(data_dir):
    inputs = loaded(data_dir)
    for name, corpus in inputs.corpora.items():
        for split in SPLITS:
            encoded = inputs.encode(name, split)
            assert encoded.tag_ids is None
            tokens = [t for s in corpus.splits[split].sentences for t in s.tokens]
            assert encoded.form_ids.tolist() == [inputs.forms.index[t] for t in tokens]
        tags = inputs.vocabularies.tags[name]
        assert [tags[i] for i in inputs.encoded_training[name].tag_ids] == [
            tag for s in inputs.training[name] for tag in s.tags
        ]


def test_vectors_bring_their_width_and_words_that_training_never_saw(data_dir, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("of 1 2 3\nunseen 4 5 6\nspare 7 8 9\n")
    inputs = loaded(data_dir, vectors=str(path), word_dim=0, max_vector_words=1)
    assert inputs.config.model.word_dim == 3
    words = inputs.vocabularies.sources[0].vocabulary
    assert words.entries[-1] == "unseen"
    assert "spare" not in words.index
    assert table_of(inputs).shape == (inputs.vocabularies.sources[0].num_ids, 3)
    np.testing.assert_array_equal(table_of(inputs)[2 + words.index["of"]], [1, 2, 3])
    np.testing.assert_array_equal(table_of(inputs)[2 + words.index["unseen"]], [4, 5, 6])
    coverage = inputs.describe()["genes"]["coverage"]
    assert coverage == inputs.vocabularies.sources[0].coverage.to_json()["genes"]
    with pytest.raises(BionerError, match="3"):
        loaded(data_dir, vectors=str(path), word_dim=5)


def test_without_vectors_the_width_is_asked_for_or_the_default(data_dir):
    assert table_of(loaded(data_dir, word_dim=7)).shape[1] == 7
    inputs = loaded(data_dir, word_dim=0)
    assert table_of(inputs).shape[1] == inputs.config.model.word_dim == RANDOM_WORD_DIM


def test_the_same_seed_reads_the_same(data_dir):
    first, again, other = (loaded(data_dir, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(table_of(first), table_of(again))
    assert (table_of(first)[2:] != table_of(other)[2:]).all()
    assert first.vocabularies.has_same_entries(again.vocabularies)
    assert first.vocabularies.has_same_entries(other.vocabularies)


def test_repaired_tags_are_counted_and_told_of(data_dir, tmp_path, caplog):
    for split in SPLITS:
        path = tmp_path / "odd" / f"{split}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("a\tB-X\nb\tI-Y\n\nc\tI-X\n" if split == "train" else "a\tB-X\n")
    config = make_config(tmp_path, ["odd"], "single_task")
    with caplog.at_level(logging.WARNING):
        inputs = load_inputs(config)
    assert inputs.describe()["odd"]["repaired_tags"] == {"train": 2, "devel": 0, "test": 0}
    (record,) = caplog.records
    assert "odd: repaired 2 tags" in record.getMessage()
    with pytest.raises(BionerError, match=r"train.tsv:2: expected a legal"):
        load_inputs(make_config(tmp_path, ["odd"], "single_task", strict=True))


def write_splits(directory, **splits):
    for split in SPLITS:
        path = directory / f"{split}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(splits.get(split, splits["train"]))


MANY = "".join(f"a{number}\tO\n\n" for number in range(50))


@pytest.mark.parametrize(
    ("splits", "changes", "told"),
    [
        ({"train": "a\tO\n", "devel": "a\tB-X\n"}, {}, "check that the tag is the last column"),
        (
            {"train": "a\tB-X\n", "test": "a\tB-Y\n"},
            {"types": {"odd": ("Y",)}},
            "give other types for odd in --types",
        ),
        ({"train": f"{MANY}a\tB-X\n"}, {"keep_fraction": 0.02}, "give a larger --keep_fraction"),
    ],
    ids=["no entity", "types", "fraction"],
)
def test_a_corpus_without_entities_is_refused(tmp_path, splits, changes, told):
    write_splits(tmp_path / "odd", **splits)
    with pytest.raises(BionerError) as error:
        load_inputs(make_config(tmp_path, ["odd"], "single_task", **changes))
    path = tmp_path / "odd" / "train.tsv"
    assert str(error.value).startswith(f"{path}: expected entities to train on, got none")
    assert str(error.value).endswith(f" training sentences are O; {told}")
    assert error.value.exit_code == 1


def test_entities_of_devel_are_enough_where_it_is_trained_on(tmp_path):
    write_splits(tmp_path / "odd", train="a\tO\n", devel="a\tB-X\n")
    load_inputs(make_config(tmp_path, ["odd"], "single_task", train_on="train,devel"))


def test_types_that_training_does_not_have_are_warned_of(tmp_path, caplog):
    devel = "a\tB-X\nb\tO\n\nc\tB-Y\nd\tI-Y\n\ne\tB-Y\n"
    write_splits(tmp_path / "odd", train="a\tB-X\n", devel=devel, test="c\tB-Z\n")

    def warnings(**changes):
        caplog.clear()
        load_inputs(make_config(tmp_path, ["odd"], "single_task", **changes))
        return [message.replace(str(tmp_path), "DIR") for message in caplog.messages]

    devel, test = (
        f"DIR/odd/{place}: no training sentence has an entity of the type {name}: the tagger "
        f"cannot learn it and will miss all {count} of this split"
        for place, name, count in [("devel.tsv:4", "Y", 2), ("test.tsv:1", "Z", 1)]
    )
    assert warnings() == [devel, test]
    assert warnings(train_on="train,devel") == [test]
    assert warnings(types={"odd": ("X", "Z")}) == [test]


def test_vocabularies_round_trip(data_dir, tmp_path):
    inputs = loaded(data_dir)
    vocabularies = inputs.vocabularies
    vocabularies.save(tmp_path / "vocabulary")
    assert sorted(path.name for path in (tmp_path / "vocabulary").iterdir()) == [
        "characters.txt",
        "tags.genes.txt",
        "tags.mixed.txt",
        "words.txt",
    ]
    assert Vocabularies.load(tmp_path / "vocabulary", inputs.config).has_same_entries(vocabularies)
    with pytest.raises(BionerError, match=r"tags\.other\.txt"):
        Vocabularies.load(tmp_path / "vocabulary", make_config(data_dir, ["genes", "other"]))
