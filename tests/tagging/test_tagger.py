"""The tagger that loads an export, and the command on top of it."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import pathlib
import shutil
import sys
import tempfile
import types

import hypothesis
import pytest
import tensorflow as tf
from absl import flags
from hypothesis import strategies

from bioner_tf import machine
from bioner_tf.cli import tag as tag_command
from bioner_tf.errors import BionerError
from bioner_tf.serving.graph import signature_names
from bioner_tf.tagging import tagger
from bioner_tf.tagging.tagger import Entity, Tagger
from tests.helpers import random_tagger

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
    [entities] = loaded.tag_texts([TEXT], corpus)
    assert entities == [
        Entity(int(start), int(end), kind.decode(), text.decode(), float(score))
        for start, end, kind, text, score in zip(*columns)
    ]
    assert entities


def test_any_number_of_texts_comes_back_in_order(loaded, monkeypatch):
    texts = [TEXT, "", "gene " * 50, "the gene", "   ", "the 👩‍👩 BRCA1"] * 3
    expected = loaded.tag_texts(texts)
    assert loaded.tag_texts([]) == []
    for limit in ("_BATCH_TEXTS", "_BATCH_CHARACTERS"):
        monkeypatch.setattr(tagger, limit, 4)
        found = loaded.tag_texts(iter(texts))
        assert [[e[:4] for e in row] for row in found] == [[e[:4] for e in row] for row in expected]


def test_lone_surrogates_move_no_offset(loaded):
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


def test_what_is_no_export_is_told(served_run, tmp_path):
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
    for content, told in (("{", "expected JSON"), ('{"format": 99}', "format 1, got 99")):
        metadata.write_text(content)
        with pytest.raises(BionerError, match=told):
            Tagger(broken)
    metadata.unlink()
    with pytest.raises(BionerError, match="no export of bioner_tf"):
        Tagger(broken)
    shutil.copy(served_run / "export" / "9" / "assets.extra" / "tagger.metadata", metadata)
    (broken / "saved_model.pb").write_bytes(b"not a graph")
    (broken / "assets.extra" / "SHA256SUMS").unlink()  # an export from before there were any
    with pytest.raises(BionerError, match="does not load"):
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
    with pytest.raises(
        BionerError, match=f"{name}: (expected SHA-256|missing)|expected an exported"
    ):
        Tagger(export)


@hypothesis.settings(max_examples=40, deadline=None, derandomize=True, database=None)
@hypothesis.given(data=strategies.data())
def test_a_damaged_export_without_checksums_is_told_or_loads(served_run, data):
    original = served_run / "export" / "9"
    names = ["saved_model.pb", "variables/variables.index", "assets.extra/tagger.metadata"]
    name = data.draw(strategies.sampled_from(names))
    with tempfile.TemporaryDirectory() as folder:
        export = shutil.copytree(original, f"{folder}/export")
        pathlib.Path(export, "assets.extra", "SHA256SUMS").unlink()
        content = (original / name).read_bytes()
        place = data.draw(strategies.integers(0, len(content) - 1))
        damage = data.draw(strategies.binary(max_size=9))
        pathlib.Path(export, name).write_bytes(content[:place] + damage + content[place + 9 :])
        with contextlib.suppress(BionerError):
            Tagger(export)


@pytest.fixture
def tag(served_run, loaded, monkeypatch):
    """Runs bioner-tag's main in this process on some bytes; returns the bytes it writes."""
    # The model is loaded once for all tests, and TensorFlow has its threads already.
    monkeypatch.setattr(tagger, "Tagger", lambda path: loaded)
    monkeypatch.setattr(machine, "use_threads", lambda cores: None)

    def run(content, *arguments):
        source, sink = io.BytesIO(content), io.BytesIO()
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=source))
        monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=sink))
        saved = {name: flags.FLAGS[name].value for name in flags.FLAGS}
        try:
            flags.FLAGS(["bioner-tag", f"--model={served_run}", *arguments])
            tag_command.main(["bioner-tag"])
        finally:
            flags.FLAGS.unparse_flags()
            for name, value in saved.items():
                flags.FLAGS[name].value = value
        return sink.getvalue()

    return run


def test_a_line_in_is_a_line_out(tag, loaded):
    lines = [TEXT.encode(), b"", b"   ", b"the gene\x00\x0b\x85\r\r.", "the é\u2028gene".encode()]
    texts = [line.decode("utf-8", "replace") for line in lines]
    for ending in (b"\n", b"\r\n"):
        for content in (ending.join(lines), ending.join(lines) + ending):
            output = tag(content, "--batch_size=2")
            assert output.endswith(b"\n")
            objects = [json.loads(line) for line in output[:-1].split(b"\n")]
            assert [found["text"] for found in objects] == texts
    for text, found, entities in zip(texts, objects, loaded.tag_texts(texts)):
        for described, entity in zip(found["entities"], entities):
            assert list(described) == ["start", "end", "type", "text", "score"]
            assert text[described["start"] : described["end"]] == described["text"] == entity.text
            assert described["score"] == pytest.approx(entity.score, abs=1e-5)
        assert len(found["entities"]) == len(entities)
    assert objects[0]["entities"]


def test_empty_input_gives_empty_output(tag):
    assert tag(b"") == b""


def test_bad_bytes_read_as_replacement_characters(tag):
    [line] = tag(b"the \xff gene \xe2\x82\n").splitlines()
    assert json.loads(line)["text"] == "the \ufffd gene \ufffd"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(gzip.compress(b"the gene"), "got gzip data.*gzip -cd FILE", id="gzip"),
        pytest.param(bz2.compress(b"the gene"), "got bzip2 data", id="bzip2"),
        pytest.param(lzma.compress(b"the gene"), "got xz data", id="xz"),
        pytest.param(b"PK\x03\x04\x14\x00", "got zip data", id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfd\x00", "got zstd data", id="zstd"),
        pytest.param("the gene".encode("utf-16"), "got binary data", id="utf-16"),
        pytest.param("the gene".encode("utf-16-le"), "got binary data", id="utf-16-le"),
        pytest.param(b"the gene\rBRCA1\r", "got CR only", id="cr-only"),
    ],
)
def test_input_that_is_not_lines_of_text_is_refused(tag, content, told):
    with pytest.raises(BionerError, match=told):
        tag(content)


def test_files_and_other_corpora(tag, loaded, tmp_path):
    (tmp_path / "in.txt").write_text(TEXT)
    output = tmp_path / "new" / "out.jsonl"
    with pytest.raises(BionerError, match="new: expected a folder for --output"):
        tag(b"text\n", f"--output={output}")
    output.parent.mkdir()
    arguments = (
        f"--input={tmp_path / 'in.txt'}",
        f"--output={output}",
        f"--corpus={random_tagger.AUXILIARY}",
    )
    assert tag(b"", *arguments) == b""
    types_found = {entity["type"] for entity in json.loads(output.read_text())["entities"]}
    assert types_found
    assert types_found <= {"DNA", "cell_type"}
    assert [path.name for path in output.parent.iterdir()] == ["out.jsonl"]


def test_output_stays_as_it_was_when_something_fails(tag, tmp_path):
    output = tmp_path / "out.jsonl"
    output.write_text("before")
    with pytest.raises(BionerError, match="no corpus 'x'"):
        tag(b"text\n", f"--output={output}", "--corpus=x")
    assert output.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_highlights_mark_the_entities():
    text = "a BRCA1, p53."
    entities = [Entity(2, 7, "Gene", "BRCA1", 0.981), Entity(9, 12, "Gene", "p53", 0.5)]
    assert tag_command.to_brackets(text, entities) == "a [BRCA1|Gene 0.98], [p53|Gene 0.50]."
    coloured = tag_command.to_colours(text, entities)
    assert coloured.count("\x1b[0m") == 4
    for piece in ("BRCA1", "Gene 0.98", "p53"):
        assert piece in coloured
    assert tag_command.to_brackets(text, []) == tag_command.to_colours(text, []) == text


def test_highlight_is_in_brackets_where_no_terminal_is(tag):
    line = tag(b"The BRCA1 gene\n", "--output_format=highlight").decode()
    assert "|Gene " in line
    assert "\x1b" not in line
