from __future__ import annotations

import bz2
import gzip
import lzma
import re

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.formats.opening import find_inputs, open_input


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(bz2.compress(b"the gene"), "got bzip2 data", id="bzip2"),
        pytest.param(lzma.compress(b"the gene"), "got xz data", id="xz"),
        pytest.param(b"PK\x03\x04\x14\x00", "got zip data", id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfd\x00", "got zstd data", id="zstd"),
        pytest.param("the gene".encode("utf-16"), "got binary data", id="utf-16"),
        pytest.param("the gene".encode("utf-16-le"), "got binary data", id="utf-16-le"),
        pytest.param(b"%PDF-1.7", "got binary data", id="pdf"),
        pytest.param(gzip.compress(b"PK\x03\x04\x14\x00"), "got zip data", id="zip in gzip"),
        pytest.param(b"\x1f\x8b\x08\x00", "damaged gzip data", id="gzip that is cut"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, message):
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(BionerError, match=f"in: .*{message}"), open_input(str(tmp_path / "in")):
        pass


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_content_is_whole_and_its_head_is_known(tmp_path, pack, size):
    content = (b"the gene\n" * size)[:size]
    (tmp_path / "in").write_bytes(pack(content))
    with open_input(str(tmp_path / "in")) as opened:
        assert content.startswith(opened.head)
        assert len(opened.head) >= min(size, 1000)
        assert not opened.interactive
        assert opened.stream.read() == content


def test_gzip_whose_end_is_cut_is_damaged(tmp_path):
    packed = gzip.compress(bytes(range(32, 127)) * 10_000)
    (tmp_path / "in").write_bytes(packed[: len(packed) // 2])
    with open_input(str(tmp_path / "in")) as opened, pytest.raises(BionerError, match="damaged"):
        opened.stream.read()


def test_folders_and_patterns_stand_for_their_files(tmp_path):
    for name in (
        "b/2.txt",
        "b/2.ann",
        "b/alone.ann",
        "b/a/1.xml",
        "b/.hidden",
        "b/.git/x",
        "c.xml",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_inputs([str(tmp_path / "*"), "-", str(tmp_path / "c.xml")])
    names = [name.replace(f"{tmp_path}/", "") for name in found]
    assert names == ["b/2.txt", "b/alone.ann", "b/a/1.xml", "c.xml", "-", "c.xml"]


@pytest.mark.parametrize("name", ["none.txt", "*.none", "empty"])
def test_nothing_to_read_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BionerError, match=re.escape(f"{name}: expected a file to read")):
        find_inputs([str(tmp_path / name)])
