"""``bioner-train`` as a user runs it: mistakes end in one line and an exit code."""

from __future__ import annotations

import gzip
import io
import os
import zipfile

import numpy as np
import pytest

from tests.helpers.commands import run_commands
from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus

# The split that is wrong, what is in it (None: there is no such file), what the error says beside
# the path, and flags.
CORPORA = {
    "missing column": ("train", b"a\tO\nb\n", [":2: ", "got 1 column"]),
    "unknown tag": ("train", b"a\tO\nb\tGene\n", [":2: ", "'Gene'"]),
    "tag without a type": ("train", b"a\tB-\n", [":1: ", "'B-'"]),
    "undecodable bytes": ("train", b"a\tO\n\xff\tO\n", [":2:1: ", "UTF-8", "0xff"]),
    "gzip file": ("train", gzip.compress(b"a\tB-Gene\n"), ["got gzip data", "gzip -cd FILE"]),
    "no entity": ("train", b"a\tO\n", ["expected entities to train on", "the last column"]),
    "empty file": ("train", b"", ["got no sentence at all"]),
    "blank file": ("train", b"\n\n \t\n", ["got no sentence at all"]),
    "missing split": ("train", None, ["no such file", "devel, test"]),
    "malformed test split": ("test", b"a\tX\n", [":1: ", "'X'"]),
    "I- without B-": ("train", b"a\tI-X\n", [":1: ", "IOB2"], "--strict"),
    "two schemes": ("devel", b"a\tS-Gene\n", ["one tag scheme"]),
}


def bytes_of(write, *arguments):
    stream = io.BytesIO()
    write(stream, *arguments)
    return stream.getvalue()


def write_zip(stream):
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("vectors.txt", "the 1 2 3\n")


VECTORS = {
    "prose": (b"This is no file of vectors, but it has words.\nAnd lines.\n", []),
    "cut": (b"the 1 2 3\nof 1 2\n", [":2"]),
    "empty": (b"", []),
    "not a number": (b"the 1 2 nan\n", [":1"]),
    "another width": (b"the 1 2 3\nof 1 2 3\n", ["of 4 numbers, got 3"], "--word_dim=4"),
    "missing": (None, ["no such file"]),
    "a zip archive": (bytes_of(write_zip), ["got zip data; unpack it first: unzip -p FILE"]),
    "binary with a header of text": (b"2 3\nthe \x00\x00\x80\x3f", ["expected 2 vectors of 3"]),
    "UTF-16": ("the 1 2 3\n".encode("utf-16"), ["got UTF-16; convert the file to UTF-8"]),
    "npy": (bytes_of(np.save, np.ones((2, 3))), ["got a NumPy file"]),
    "npz": (bytes_of(np.savez, np.ones((2, 3))), ["got a NumPy file"]),
}

# Exit code, flags (None: --run_dir is missing), and what the error says. Below ROOT there are the
# corpora genes and mixed in data, an empty file called file, and damaged/config.json.
FLAGS = {
    "unknown corpus": (1, ["--corpora=gene"], ["'gene'", "genes, mixed"]),
    "no data_dir": (1, ["--data_dir=nowhere"], ["nowhere", "--data_dir"]),
    "vectors are a directory": (1, ["--vectors=ROOT/data"], ["ROOT/data"]),
    "run_dir is a file": (1, ["--run_dir=ROOT/file"], ["ROOT/file: expected a directory"]),
    "run_dir in a file": (1, ["--run_dir=ROOT/file/run"], ["ROOT/file"]),
    # Root may write anywhere but into what the kernel keeps.
    "unwritable run_dir": (1, ["--run_dir=/proc/run"], ["/proc/run"]),
    "damaged config.json": (1, ["--run_dir=ROOT/damaged"], ["config.json: expected JSON"]),
    "unknown structure": (2, ["--structure=mixture"], ["structure", "cross_sharing"]),
    "one corpus for many": (2, ["--structure=cross_sharing"], ["--corpora: ", "two or more"]),
    "many corpora for one": (2, ["--corpora=genes,mixed"], ["--corpora: ", "one corpus"]),
    "a corpus twice": (2, ["--corpora=genes,genes"], ["--corpora: ", "each corpus once"]),
    "no corpus": (2, ["--corpora="], ["--corpora"]),
    "unknown type": (2, ["--types=genes:Drug"], ["'genes'", "Gene", "Drug"]),
    "types of no corpus": (2, ["--types=Gene"], ["--types: ", "CORPUS:TypeA+TypeB", "'Gene'"]),
    "types of another corpus": (2, ["--types=mixed:Drug"], ["--types: ", "mixed"]),
    "no such split": (2, ["--train_on=test"], ["train_on"]),
    "negative epochs": (2, ["--epochs=-1"], ["--epochs: "]),
    "no number": (2, ["--epochs=many"], ["epochs", "many"]),
    "no batch": (2, ["--batch_size=0"], ["--batch_size: "]),
    "all is dropped": (2, ["--dropout_rate=1"], ["--dropout_rate: "]),
    "nothing is kept": (2, ["--keep_fraction=0"], ["--keep_fraction: "]),
    "no such place": (2, ["--dropout_places=crf"], ["--dropout_places: ", "'crf'"]),
    "nothing held out": (2, ["--train_on=train,devel", "--patience=1"], ["--patience: "]),
    "stray word": (2, ["again"], ["'again'"]),
    "unknown flag": (2, ["--learningrate=1"], ["learningrate"]),
    "no run_dir": (2, None, ["missing: --run_dir (Where everything is written to) (see "]),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def ended(root):
    """How ``bioner-train`` ended, by case."""
    data = root / "data"
    write_corpus(data, "genes", sentences=4)
    write_corpus(data, "mixed", types=("Gene", "Drug"), scheme="IOBES", sentences=4)
    (root / "file").write_text("")
    (root / "damaged").mkdir()
    (root / "damaged" / "config.json").write_text('{"data": ')

    lines = {name: flags for name, (_, flags, _) in FLAGS.items()}
    for name, (split, content, _, *flags) in CORPORA.items():
        # Beside the others: no case is to see the corpora of another one.
        write_corpus(root / "spoilt", name, sentences=4)
        write(root / "spoilt" / name / f"{split}.tsv", content)
        lines[name] = [f"--data_dir={root}/spoilt", f"--corpora={name}", *flags]
    for name, (content, _, *flags) in VECTORS.items():
        write(root / name, content)
        lines[name] = [f"--vectors={root / name}", "--word_dim=0", *flags]

    base = flags_of(make_config(data, ["genes"], "single_task", epochs=1), root / "run")
    filled = [
        [*base, *(flag.replace("ROOT", str(root)) for flag in flags)]
        if flags is not None
        else [flag for flag in base if not flag.startswith("--run_dir")]
        for flags in lines.values()
    ]
    return dict(
        zip(lines, run_commands("train", "bioner_tf.training.run", filled, root / "output"))
    )


def write(path, content):
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def assert_is_one_line(ended, code, told):
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.endswith("\n")
    assert ended.err.count("\n") == 1
    for words in told:
        assert words in ended.err


@pytest.mark.parametrize("name", CORPORA)
def test_a_malformed_corpus(ended, root, name):
    split, _, told, *_ = CORPORA[name]
    assert_is_one_line(ended[name], 1, [f"{root}/spoilt/{name}/{split}.tsv", *told])


@pytest.mark.parametrize("name", VECTORS)
def test_wrong_vectors(ended, root, name):
    assert_is_one_line(ended[name], 1, [str(root / name), *VECTORS[name][1]])


@pytest.mark.parametrize("name", FLAGS)
def test_wrong_flags(ended, root, name):
    code, _, told = FLAGS[name]
    assert_is_one_line(ended[name], code, [words.replace("ROOT", str(root)) for words in told])


def test_what_was_refused_left_nothing(ended, root):
    assert not (root / "run").exists()
    assert os.listdir(root / "damaged") == ["config.json"]
