"""Tagging streams of texts with the command bioner-tag."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import types

import pytest
from absl import flags

from bioner_tf import machine
from bioner_tf.cli import tag as tag_command
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.tagging import tagger
from bioner_tf.tagging.tagger import Tagger
from tests.helpers import random_tagger

TEXT = "The BRCA1 gene binds p53. In the gene."


@pytest.fixture(scope="module")
def loaded(served_run):
    return Tagger(served_run)


@pytest.fixture
def tag(served_run, loaded, monkeypatch):
    """A function that runs bioner-tag in this process on input bytes; returns the output bytes."""
    # Load the model once for all tests; TensorFlow's threads can no longer be changed.
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
            assert list(described) == ["start", "end", "type", "text", "score", "corpus"]
            assert text[described["start"] : described["end"]] == described["text"] == entity.text
            assert described["score"] == pytest.approx(entity.score, abs=1e-5)
            assert described["corpus"] == entity.corpus
        assert len(found["entities"]) == len(entities)
    assert objects[0]["entities"]


def test_empty_input_gives_empty_output(tag):
    assert tag(b"") == b""


def test_bad_bytes_read_as_replacement_characters(tag):
    [line] = tag(b"the \xff gene \xe2\x82\n").splitlines()
    assert json.loads(line)["text"] == "the \ufffd gene \ufffd"


def test_input_that_is_not_text_is_refused_by_its_name(tag, tmp_path):
    (tmp_path / "in.gz").write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(BionerError, match=r"in\.gz: damaged gzip data"):
        tag(b"", f"--input={tmp_path / 'in.gz'}")


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


def test_entities_of_all_corpora_are_merged_as_asked(tag, loaded):
    arguments = ("--overlaps=all", "--min_score=0.3", "--type_map=DNA=Gene,more (IOBES):cell_type=")
    [line] = tag(TEXT.encode(), *arguments).splitlines()
    settings = {"type_map": ["DNA=Gene", "cell_type="], "min_score": 0.3, "overlaps": "all"}
    [expected] = loaded.tag_texts([TEXT], **settings)
    found = [tuple(e.values()) for e in json.loads(line)["entities"]]
    assert [e[:4] for e in found] == [e[:4] for e in expected]
    assert {e[-1] for e in found} == set(random_tagger.TAGS)
    assert {e[2] for e in found} == {"Gene"}
    marked = tag(TEXT.encode(), *arguments, "--output_format=highlight").decode()
    assert marked.count("|Gene") == len(expected)


def test_unknown_types_are_refused_before_the_input_is_read(tag):
    with pytest.raises(UsageError, match=r"--type_map: expected a type of a corpus .*, got 'DNS'"):
        tag(b"\xff\xfe", "--type_map=DNS=")


def test_output_stays_as_it_was_when_something_fails(tag, tmp_path):
    output = tmp_path / "out.jsonl"
    output.write_text("before")
    with pytest.raises(BionerError, match="no corpus 'x'"):
        tag(b"text\n", f"--output={output}", "--corpus=x")
    assert output.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_highlight_uses_brackets_if_the_output_is_no_terminal(tag):
    line = tag(b"The BRCA1 gene\n", "--output_format=highlight").decode()
    assert "|Gene " in line
    assert "\x1b" not in line


PUBTATOR = "1|t|The BRCA1 gene\n1|a|It binds p53.\n1\t4\t9\tBRCA1\tGene\t672\n"


def test_documents_keep_their_ids_passages_and_annotations(tag, tmp_path, capsys):
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(PUBTATOR.encode()))
    (tmp_path / "more.jsonl").write_text('{"id": "2", "text": "In the gene."}\n')
    inputs = [f"--input={tmp_path / '*.gz'}", f"--input={tmp_path / 'more.jsonl'}"]
    first, second = map(json.loads, tag(b"", *inputs).splitlines())
    assert (first["id"], second["id"]) == ("1", "2")
    assert first["text"] == "The BRCA1 gene\nIt binds p53."
    assert [passage["kind"] for passage in first["passages"]] == ["title", "abstract"]
    assert {"identifier": "672"} in [entity.get("infons") for entity in first["entities"]]
    assert len(first["entities"]) > 1
    for entity in first["entities"]:
        assert first["text"][entity["start"] : entity["end"]] == entity["text"]
    assert capsys.readouterr().err == ""

    tag(b"", *inputs, "--output_format=brat", f"--output={tmp_path / 'brat'}")
    assert sorted(path.name for path in (tmp_path / "brat").iterdir()) == [
        "1.ann",
        "1.txt",
        "2.ann",
        "2.txt",
    ]
    assert "brat cannot hold, and so left out: 1 infons, 2 passages, " in capsys.readouterr().err
    with pytest.raises(BionerError, match="expected a new or empty folder"):
        tag(b"", *inputs, "--output_format=brat", f"--output={tmp_path / 'brat'}")
    with pytest.raises(UsageError, match="expected a folder for --output, got -"):
        tag(b"", "--output_format=brat")


def test_documents_that_cannot_be_read_are_an_error_or_listed(tag, tmp_path, capsys):
    content = (PUBTATOR.replace("BRCA1\tGene", "BRCA2\tGene") + "\n2|t|The gene\n").encode()
    message = r"-:3: expected the mention 'BRCA2' at 4-9, got 'BRCA1'"
    with pytest.raises(BionerError, match=f"{message}; --rejects=FILE leaves"):
        tag(content)
    rejects = tmp_path / "rejects.txt"
    [line] = tag(content, f"--rejects={rejects}").splitlines()
    assert json.loads(line)["id"] == "2"
    assert re.fullmatch(f"{message}\n", rejects.read_text())
    assert f"rejected documents: 1; {rejects} says why" in capsys.readouterr().err
