"""The tagger that loads an export."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import shutil
import subprocess
import tempfile

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies

from bioner_tf.corpora.type_map import parse_type_map
from bioner_tf.errors import BionerError
from bioner_tf.serving.export import export_tagger
from bioner_tf.serving.graph import signature_names
from bioner_tf.serving.metadata import METADATA_PATH
from bioner_tf.serving.rules import OVERLAPS, MergeRules
from bioner_tf.tagging import tagger
from bioner_tf.tagging.tagger import Entity, Tagger
from tests.helpers import random_tagger, slow_merging
from tests.helpers.slow_merging import Found

TEXT = "The BRCA1 gene binds p53. In the gene."


@pytest.fixture(scope="module")
def loaded(served_run):
    return Tagger(served_run)


@pytest.fixture(scope="module")
def signatures(loaded):
    return tf.saved_model.load(str(loaded.path)).signatures


def test_knows_its_corpora(loaded):
    assert loaded.corpora == list(random_tagger.TAGS)
    assert loaded.metadata["max_sentence_tokens"] == random_tagger.MAX_SENTENCE_TOKENS


@pytest.mark.parametrize("corpus", [None, *random_tagger.TAGS])
def test_entities_are_the_graphs(loaded, signatures, corpus):
    name = "serving_default"
    if corpus is not None:
        name = signature_names(list(random_tagger.TAGS))[list(random_tagger.TAGS).index(corpus)][
            "text"
        ]
    outputs = signatures[name](text=tf.constant([TEXT]))
    columns = [outputs[f"entity_{c}"][0].numpy() for c in ("start", "end", "type", "text", "score")]
    if corpus is None:
        corpora = [name.decode() for name in outputs["entity_corpus"][0].numpy()]
    else:
        corpora = [corpus] * len(columns[0])
    [entities] = loaded.tag_texts([TEXT], corpus)
    assert entities == [
        Entity(int(start), int(end), kind.decode(), text.decode(), float(score), name)
        for start, end, kind, text, score, name in zip(*columns, corpora)
    ]
    assert entities


def slowly_merged(loaded, text, names, min_score, overlaps):
    candidates = [
        Found(e.start, e.end, e.type, e.score, number)
        for number, corpus in enumerate(loaded.corpora)
        for e in loaded.tag_texts([text], corpus)[0]
    ]
    return [
        Entity(
            e.start,
            e.end,
            e.type,
            text[e.start : e.end],
            pytest.approx(e.score, abs=1e-5),
            loaded.corpora[e.corpus],
        )
        for e in slow_merging.merge(candidates, names, min_score, overlaps)
    ]


@pytest.mark.parametrize("overlaps", [None, *OVERLAPS])
def test_all_corpora_are_merged_by_the_rules_asked_for(loaded, overlaps):
    for text in random_tagger.NASTY_TEXTS[2:8]:
        expected = slowly_merged(loaded, text, {}, 0.0, overlaps or "score")
        assert loaded.tag_texts([text], overlaps=overlaps) == [expected]
        for type_map in (["DNA=Gene", "cell_type="], ["DNA=Gene", "more (IOBES):cell_type="]):
            expected = slowly_merged(
                loaded, text, {(1, "DNA"): "Gene", (1, "cell_type"): ""}, 0.5, overlaps or "score"
            )
            settings = {"type_map": type_map, "min_score": 0.5, "overlaps": overlaps}
            assert loaded.tag_texts([text], **settings) == [expected]


def test_merging_again_keeps_texts_apart(loaded):
    texts = [TEXT, "", "gene", TEXT * 3, "p53 the gene"]
    settings = {"min_score": 0.2, "overlaps": "longest"}
    found = loaded.tag_texts(texts, **settings)
    for text, entities in zip(texts, found):
        [alone] = loaded.tag_texts([text], **settings)
        assert [e[:4] for e in entities] == [e[:4] for e in alone]


def test_one_corpus_is_filtered_too(loaded):
    everything = loaded.tag_texts([TEXT], random_tagger.AUXILIARY)[0]
    [found] = loaded.tag_texts(
        [TEXT], random_tagger.AUXILIARY, min_score=0.4, type_map=["DNA=Gene"]
    )
    assert found == [
        e._replace(type={"DNA": "Gene"}.get(e.type, e.type)) for e in everything if e.score >= 0.4
    ]
    assert 0 < len(found) < len(everything)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_score": 1.5}, r"min_score: expected a number in \[0, 1\], got 1.5"),
        ({"overlaps": "none"}, "overlaps: expected score, longest, corpus, all; got 'none'"),
        ({"type_map": ["x=y"]}, "got 'x'"),
        ({"type_map": ["x"]}, "expected TYPE=NAME"),
    ],
)
def test_wrong_rules_are_refused(loaded, settings, message):
    with pytest.raises(BionerError, match=message):
        loaded.tag_texts([TEXT], **settings)


def test_an_export_for_the_main_corpus_answers_for_it(served_tagger, tmp_path):
    rules = MergeRules(parse_type_map(["Gene=x"]), min_score=0.9)
    tagger = dataclasses.replace(served_tagger, serve="main", rules=rules)
    path = export_tagger(tagger, tmp_path)
    loaded = Tagger(path)
    assert not loaded.merges
    assert loaded.tag_texts([TEXT]) == loaded.tag_texts([TEXT], random_tagger.MAIN)
    signatures = tf.saved_model.load(str(path))
    default, own, together = (
        signatures.signatures[name](text=tf.constant([TEXT]))
        for name in ("serving_default", "tag_text_genes-IOB", "tag_text_all")
    )
    count = int(own["entity_count"][0])
    assert default.pop("entity_corpus").numpy().tolist() == [[random_tagger.MAIN.encode()] * count]
    assert {n: v.numpy().tolist() for n, v in default.items()} == {
        n: v.numpy().tolist() for n, v in own.items()
    }
    assert set(together["entity_type"].numpy().ravel()) <= {b"x", b"DNA", b"cell_type"}
    assert (together["entity_score"].numpy() >= 0.9).all()


def test_recorded_rules_are_refined_from_all_candidates(served_tagger, tmp_path):
    rules = MergeRules(parse_type_map(["Gene=x", "cell_type="]), min_score=0.9, overlaps="corpus")
    loaded = Tagger(export_tagger(dataclasses.replace(served_tagger, rules=rules), tmp_path))
    names = {(0, "Gene"): "x", (1, "cell_type"): ""}
    assert loaded.tag_texts([TEXT]) == [slowly_merged(loaded, TEXT, names, 0.9, "corpus")]
    assert loaded.tag_texts([TEXT], min_score=0.1) == [
        slowly_merged(loaded, TEXT, names, 0.1, "corpus")
    ]
    names[1, "DNA"] = names[0, "Gene"] = "y"
    assert loaded.tag_texts([TEXT], type_map=["x=y", "DNA=y"], overlaps="all") == [
        slowly_merged(loaded, TEXT, names, 0.9, "all")
    ]
    with pytest.raises(BionerError, match="got 'Gene'"):  # it is called x here
        loaded.tag_texts([TEXT], type_map=["Gene=z"])


def test_an_export_of_format_1_answers_for_its_main_corpus(served_run, tmp_path):
    path = tmp_path / "old"
    shutil.copytree(served_run / "export" / "9", path)
    (path / "assets.extra" / "SHA256SUMS").unlink()
    metadata = json.loads((path / METADATA_PATH).read_bytes())
    del metadata["serving"]
    (path / METADATA_PATH).write_text(json.dumps({**metadata, "format": 1}))
    loaded = Tagger(path)
    expected = loaded.tag_texts([TEXT], random_tagger.MAIN)
    assert loaded.tag_texts([TEXT]) == expected
    kept = [entity for entity in expected[0] if entity.score >= 0.5]
    assert loaded.tag_texts([TEXT], min_score=0.5) == [kept]


def test_any_number_of_texts_comes_back_in_order(loaded, monkeypatch):
    texts = [TEXT, "", "gene " * 50, "the gene", "   ", "the 👩‍👩 BRCA1"] * 3
    expected = loaded.tag_texts(texts)
    assert loaded.tag_texts([]) == []
    for limit in ("_BATCH_TEXTS", "_BATCH_CHARACTERS"):
        monkeypatch.setattr(tagger, limit, 4)
        found = loaded.tag_texts(iter(texts))
        assert [[e[:4] for e in row] for row in found] == [[e[:4] for e in row] for row in expected]


def test_lone_surrogates_do_not_change_offsets(loaded):
    text = "\ud800 the BRCA1 \udfff gene"
    [entities] = loaded.tag_texts([text])
    assert entities
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)


def test_tokens_come_back_in_order(loaded, monkeypatch):
    sentences = [["the", "gene"], [], ["BRCA1"], ["p53", "binds"] * 20, ["gene"], []]
    tags, scores = loaded.tag_tokens(sentences, random_tagger.AUXILIARY)
    assert [len(row) for row in tags] == [len(row) for row in scores] == [2, 0, 1, 40, 1, 0]
    assert {tag for row in tags for tag in row} <= set(random_tagger.TAGS[random_tagger.AUXILIARY])
    assert all(0 <= score <= 1 for row in scores for score in row)
    monkeypatch.setattr(tagger, "_BATCH_TOKENS", 1)
    assert loaded.tag_tokens(sentences, random_tagger.AUXILIARY)[0] == tags
    assert loaded.tag_tokens([]) == ([], [])


@pytest.mark.parametrize("text", ["the BRCA1 gene", b"the gene"], ids=["str", "bytes"])
def test_a_single_string_is_refused(loaded, text):
    with pytest.raises(BionerError, match="expected a list of strings for texts, got one string"):
        loaded.tag_texts(text)
    with pytest.raises(BionerError, match="for sentences, got one string"):
        loaded.tag_tokens(text)
    with pytest.raises(BionerError, match="for the tokens of a sentence, got one string"):
        loaded.tag_tokens([["the"], text])


def test_a_long_text_is_not_padded_into_its_batch(loaded, monkeypatch):
    monkeypatch.setattr(tagger, "_BATCH_CHARACTERS", 3_000)
    padded = []

    def tag_and_measure(signature, texts, tag=tagger._tag):
        padded.append(len(texts) * max(map(len, texts)))
        return tag(signature, texts)

    texts = [*[TEXT] * 20, "", TEXT * 50, *[TEXT + " the gene"] * 20]
    expected = [loaded.tag_texts([text])[0] for text in texts]
    monkeypatch.setattr(tagger, "_tag", tag_and_measure)
    found = loaded.tag_texts(texts)
    assert [[e[:4] for e in row] for row in found] == [[e[:4] for e in row] for row in expected]
    assert len(padded) > 1
    assert max(padded) <= 3_000


def test_unknown_corpus_lists_those_that_exist(loaded):
    for method in (loaded.tag_texts, loaded.tag_tokens):
        with pytest.raises(BionerError, match="no corpus 'x'; the tagger has genes-IOB, more"):
            method([], "x")


def test_paths_without_an_intact_export_are_refused(served_run, tmp_path):
    with pytest.raises(BionerError, match="no such directory"):
        Tagger(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(BionerError, match="got a file"):
        Tagger(tmp_path / "file")
    with pytest.raises(BionerError, match="found none of them"):
        Tagger(tmp_path)
    broken = tmp_path / "export"
    shutil.copytree(served_run / "export" / "9", broken)
    metadata = broken / "assets.extra" / "tagger.metadata"
    for content, message in (("{", "expected JSON"), ('{"format": 99}', "format 2, got 99")):
        metadata.write_text(content)
        with pytest.raises(BionerError, match=message):
            Tagger(broken)
    metadata.unlink()
    with pytest.raises(BionerError, match="this SavedModel was not exported by bioner_tf"):
        Tagger(broken)
    shutil.copy(served_run / "export" / "9" / "assets.extra" / "tagger.metadata", metadata)
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    make_old(broken)
    with pytest.raises(BionerError, match="cannot load the SavedModel"):
        Tagger(broken)


@pytest.mark.parametrize(
    "name",
    [
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
        "assets/words.txt",
        "assets/characters.txt",
        "assets.extra/tagger.metadata",
        "assets.extra/tf_serving_warmup_requests",
        "README.md",
    ],
)
def test_a_changed_file_is_named(served_run, tmp_path, name):
    export = tmp_path / "export"
    shutil.copytree(served_run / "export" / "9", export)
    path = export / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BionerError, match=f"{name}: expected (SHA-256|JSON)"):
        Tagger(export)
    path.unlink()
    with pytest.raises(BionerError, match=f"{name}: missing|expected an exported"):
        Tagger(export)


def make_old(export):
    """Turns an export into one of format 1, which may have no checksums."""
    pathlib.Path(export, "assets.extra", "SHA256SUMS").unlink()
    metadata = pathlib.Path(export, "assets.extra", "tagger.metadata")
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "format": 1}))


def test_checksums_are_needed_from_format_2_on(served_run, tmp_path):
    export = shutil.copytree(served_run / "export" / "9", tmp_path / "export")
    sums = export / "assets.extra" / "SHA256SUMS"
    listed = {line.split("  ")[1] for line in sums.read_text().splitlines()}
    files = {p.relative_to(export).as_posix() for p in export.rglob("*") if p.is_file()}
    assert listed == files - {"assets.extra/SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--quiet", sums], cwd=export, check=True)
    content = sums.read_text()
    sums.unlink()
    with pytest.raises(BionerError, match="SHA256SUMS: missing, so the export cannot be checked"):
        Tagger(export)
    for damage in ("", "\xff", content[:-1] + "x", content[1:], content.rpartition("  ")[0]):
        sums.write_bytes(damage.encode("latin-1"))
        with pytest.raises(BionerError, match="expected"):
            Tagger(export)
    sums.write_text(content)
    make_old(export)
    assert Tagger(export).tag_texts([TEXT]) == Tagger(served_run).tag_texts([TEXT])


def test_a_file_that_was_not_exported_is_told(served_run, tmp_path):
    export = shutil.copytree(served_run / "export" / "9", tmp_path / "export")
    (export / "notes.txt").touch()
    assert Tagger(export).path == export
    (export / "assets" / "more.txt").touch()
    with pytest.raises(BionerError, match=r"assets/more\.txt: not in SHA256SUMS"):
        Tagger(export)


@hypothesis.settings(max_examples=40, deadline=None, derandomize=True, database=None)
@hypothesis.given(data=strategies.data())
def test_a_damaged_export_without_checksums_is_refused_or_loads(served_run, data):
    original = served_run / "export" / "9"
    names = ["saved_model.pb", "variables/variables.index", "assets.extra/tagger.metadata"]
    name = data.draw(strategies.sampled_from(names))
    with tempfile.TemporaryDirectory() as folder:
        export = shutil.copytree(original, f"{folder}/export")
        make_old(export)
        content = pathlib.Path(export, name).read_bytes()
        place = data.draw(strategies.integers(0, len(content) - 1))
        damage = data.draw(strategies.binary(max_size=9))
        pathlib.Path(export, name).write_bytes(content[:place] + damage + content[place + 9 :])
        with contextlib.suppress(BionerError):
            Tagger(export)
