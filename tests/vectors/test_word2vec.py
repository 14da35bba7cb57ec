from __future__ import annotations

import gzip
import os
import subprocess
import sys

import numpy as np
import pytest

from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import stage_files
from bioner_tf.vectors.files import load_vectors
from bioner_tf.vectors.word2vec import (
    TextFiles,
    Word2VecConfig,
    find_files,
    tokenise,
    train_vectors,
)

SMALL = Word2VecConfig(dim=8, min_count=2, epochs=2)


def quiet(line):
    del line


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("IL-2 binds p53.", ["IL", "-", "0", "binds", "p00", "."]),
        ("snake_case  (α-synuclein)", ["snake", "_", "case", "(", "α", "-", "synuclein", ")"]),
        ("", []),
    ],
)
def test_text_is_cut_as_the_corpora_are(line, tokens):
    assert tokenise(line) == tokens


def test_lower_case_on_demand():
    assert tokenise("BRCA1 Émile", lower=True) == ["brca0", "Émile"]


def test_files_are_found_once_each(tmp_path):
    for name in ("a.txt", "deep/er/b.txt", "c.txt.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    patterns = [f"{tmp_path}/**/*.txt", f"{tmp_path}/a.txt", f"{tmp_path}/*.gz"]
    names = [os.path.relpath(path, tmp_path) for path in find_files(patterns)]
    assert names == ["a.txt", "deep/er/b.txt", "c.txt.gz"]
    with pytest.raises(BionerError, match=r"d\.txt: expected a file"):
        find_files([f"{tmp_path}/d.txt"])


def test_plain_and_gzipped_files_are_read_as_often_as_wanted(tmp_path):
    (tmp_path / "a.txt").write_text("one two\n\n" + "x " * 10_001)
    # By content, not by name.
    (tmp_path / "b.txt").write_bytes(gzip.compress(b"three\n"))
    files = TextFiles([f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"])
    for _ in range(2):
        assert [len(sentence) for sentence in files] == [2, 10_000, 1, 1]


def test_of_a_corpus_the_tokens_are_read_and_the_tags_are_not(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("-DOCSTART-\tO\n\nIL-2\tB-Gene\nbinds\tO\n\nEnd\tO\n", encoding="utf-8")
    assert list(TextFiles([str(path)])) == [["IL", "-", "0", "binds"], ["End"]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"fine\n\xff\n", r"a\.txt:2: expected UTF-8"),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], "whole gzip"),
    ],
    ids=["encoding", "torn"],
)
def test_unreadable_text_is_told_with_its_line(tmp_path, content, told):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(BionerError, match=told):
        list(TextFiles([f"{tmp_path}/a.txt"]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-9],
        lambda content: content[:20] + bytes([content[20] ^ 4]) + content[21:],
        lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
        lambda content: content + b"more",
        lambda content: content[:5],
    ],
    ids=["cut", "flipped", "checksum", "more behind it", "cut header"],
)
def test_damaged_gzip_ends_the_command_in_one_line(tmp_path, damage):
    text = tmp_path / "text.txt.gz"
    text.write_bytes(damage(gzip.compress(b"the gene binds the other gene\n" * 50, mtime=0)))
    command = "from bioner_tf.cli import embed; embed.entry()"
    done = subprocess.run(
        [sys.executable, "-c", command, f"--input={text}", f"--output={tmp_path}/words.bin"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {text}:")
    assert ": expected a whole gzip file: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt.gz"]


def test_text_that_is_damaged_during_the_training_ends_it(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the gene binds the other gene\n" * 50)

    def report(line):
        if "distinct ones to train" in line:
            text.write_bytes(b"the gene\n" * 10 + b"\xff\n")

    with pytest.raises(BionerError, match=r"text\.txt:11: expected UTF-8"):
        train_vectors([str(text)], tmp_path / "words.bin", SMALL, report)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_two_trainings_of_one_file_are_refused(tmp_path):
    (tmp_path / "text.txt").write_text("the gene binds the other gene\n" * 50)
    words = tmp_path / "words.bin"
    with stage_files(words), pytest.raises(BionerError, match="wait until it has ended"):
        train_vectors([f"{tmp_path}/text.txt"], words, SMALL, quiet)


def test_what_a_killed_training_left_is_removed(tmp_path):
    (tmp_path / "text.txt").write_text("the gene binds the other gene\n" * 50)
    (tmp_path / ".partial-words.bin").mkdir()
    (tmp_path / ".partial-words.bin/words.bin").write_text("half")
    train_vectors([f"{tmp_path}/text.txt"], tmp_path / "words.bin", SMALL, quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.txt", "words.bin"]


@pytest.mark.parametrize("name", ["words.bin", "words.txt", "words.vec.gz"])
def test_vectors_are_written_as_taggers_read_them(tmp_path, name):
    (tmp_path / "text.txt").write_text("the gene BRCA1 binds\nthe gene p53 binds\n" * 30)
    told: list[str] = []
    count = train_vectors([f"{tmp_path}/text.txt"], tmp_path / "out" / name, SMALL, told.append)
    vectors = load_vectors(tmp_path / "out" / name)
    assert set(vectors.words) == {"the", "gene", "BRCA0", "binds", "p00"}
    assert (count, vectors.dim) == (5, 8)
    assert np.isfinite(vectors.matrix).all()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert told[-1].startswith("epoch 2/2")


def test_one_worker_repeats_itself(tmp_path):
    (tmp_path / "text.txt").write_text("the gene binds the other gene\n" * 50)
    for name in ("a.bin", "b.bin"):
        train_vectors([f"{tmp_path}/text.txt"], tmp_path / name, SMALL, quiet)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_what_cannot_work_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("every word once\n")
    with pytest.raises(BionerError, match="--min_count"):
        train_vectors([f"{tmp_path}/text.txt"], tmp_path / "a.bin", SMALL, quiet)
    with pytest.raises(UsageError, match="--output"):
        train_vectors([f"{tmp_path}/text.txt"], tmp_path / "a.model", SMALL, quiet)
