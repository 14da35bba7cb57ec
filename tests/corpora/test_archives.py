from __future__ import annotations

import errno
import gzip
import io
import stat
import struct
import tarfile
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioner_tf.corpora import archives
from bioner_tf.corpora.archives import unpack
from bioner_tf.errors import BionerError
from tests.helpers.archives import make_tar, make_tar_gz, make_zip, tar_header

TRAIN, TEST = b"the\tO\n" * 9, b"p53\tB-Gene\n"
IN_TAR = {"r/data/train.tsv": TRAIN, "r/data/test.tsv": TEST}
IN_ZIP = {"data/train.tsv": TRAIN, "data/test.tsv": TEST}


@pytest.fixture
def unpacked(tmp_path):
    """Unpacks the two files of an archive; returns what is there, by name."""

    def run(content, suffix=".tar.gz"):
        archive = tmp_path / f"archive{suffix}"
        archive.write_bytes(content)
        target = tmp_path / "unpacked"
        target.mkdir(exist_ok=True)
        names = ("train.tsv", "test.tsv")
        for name in names:
            (target / name).unlink(missing_ok=True)
        targets = {f"data/{name}": target / name for name in names}
        try:
            unpack(archive, targets, in_directory=suffix == ".tar.gz")
        finally:
            # Whatever the archive holds, there is nothing elsewhere.
            archive.unlink()
            assert [path.name for path in tmp_path.iterdir()] == ["unpacked"]
        return {path.name: path.read_bytes() for path in target.iterdir()}

    return run


def refused(unpacked, content, suffix=".tar.gz"):
    with pytest.raises(BionerError) as error:
        unpacked(content, suffix)
    place, told = str(error.value).split(": expected ", 1)
    assert place.endswith(f"/archive{suffix}")
    assert "\n" not in told
    return told


def test_wanted_files_are_unpacked_and_no_others(unpacked):
    members = {
        **IN_TAR,
        "r/data/other.tsv": b"not wanted",
        "r/data": tar_header(tarfile.DIRTYPE),
        "r/link": tar_header(tarfile.SYMTYPE, "/etc/passwd"),
        "r/disk": tar_header(tarfile.BLKTYPE),
    }
    assert unpacked(make_tar_gz(members)) == {"train.tsv": TRAIN, "test.tsv": TEST}
    assert unpacked(make_tar_gz({"r/data/train.tsv": b""})) == {"train.tsv": b""}
    assert unpacked(make_zip({**IN_ZIP, "other": b""}), ".zip") == {
        "train.tsv": TRAIN,
        "test.tsv": TEST,
    }


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_compressions_of_zip(unpacked, method):
    content = make_zip(IN_ZIP, compression=method)
    assert unpacked(content, ".zip") == {"train.tsv": TRAIN, "test.tsv": TEST}


def test_zip64(unpacked):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, what in IN_ZIP.items():
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(what)
    assert unpacked(content.getvalue(), ".zip") == {"train.tsv": TRAIN, "test.tsv": TEST}


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (tar_header(tarfile.SYMTYPE, "/etc/passwd"), "a symbolic link"),
        (tar_header(tarfile.LNKTYPE, "r/data/test.tsv"), "a hard link"),
        (tar_header(tarfile.DIRTYPE), "a directory"),
        (tar_header(tarfile.CHRTYPE), "a device"),
        (tar_header(tarfile.BLKTYPE), "a device"),
        (tar_header(tarfile.FIFOTYPE), "something else"),
    ],
    ids=["symbolic link", "hard link", "directory", "character device", "block device", "fifo"],
)
def test_wanted_name_that_is_no_file_in_a_tar_is_refused(unpacked, entry, kind):
    told = refused(unpacked, make_tar_gz({"r/data/train.tsv": entry}))
    assert told == f"'r/data/train.tsv' to be a file, got {kind}"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFLNK, "a symbolic link"),
        (stat.S_IFDIR, "a directory"),
        (stat.S_IFBLK, "a device"),
        (stat.S_IFIFO, "something else"),
    ],
    ids=["symbolic link", "directory", "device", "fifo"],
)
def test_wanted_name_that_is_no_file_in_a_zip_is_refused(unpacked, mode, kind):
    told = refused(unpacked, make_zip({"data/train.tsv": b"/etc/passwd"}, mode), ".zip")
    assert told == f"'data/train.tsv' to be a file, got {kind}"


@pytest.mark.parametrize(
    "name", ["../../outside", "/outside", "r/../data/train.tsv", "../data/train.tsv", "/data/x"]
)
def test_path_out_of_the_archive_is_refused(unpacked, name):
    told = f"paths inside of the archive, got {name!r}"
    assert refused(unpacked, make_tar_gz({**IN_TAR, name: b"evil"})) == told
    assert refused(unpacked, make_zip({**IN_ZIP, name: b"evil"}), ".zip") == told


def test_name_that_comes_twice_is_refused(unpacked):
    twice = {"r/data/train.tsv": b"one", "s/data/train.tsv": b"two"}
    assert refused(unpacked, make_tar_gz(twice)) == "each file once, got 's/data/train.tsv' twice"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of the name
        content = make_zip({"data/train.tsv": b"one", "data/./train.tsv": b"two"})
    told = refused(unpacked, content, ".zip")
    assert told == "each file once, got 'data/./train.tsv' twice"


def test_archive_that_would_fill_the_disk_is_refused(unpacked, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_UNPACKED_BYTES", 5000)
    told = "at most 5,000 bytes in 100,000 files, got more; is it the right archive?"
    assert refused(unpacked, make_tar_gz({"r/data/train.tsv": b"0" * 5001})) == told
    content = make_zip({"data/train.tsv": b"0" * 5001}, compression=zipfile.ZIP_DEFLATED)
    assert len(content) < 500
    assert refused(unpacked, content, ".zip") == told
    # Together.
    content = make_zip({"data/train.tsv": b"0" * 2501, "data/test.tsv": b"0" * 2501})
    assert refused(unpacked, content, ".zip") == told


def test_archive_of_too_many_files_is_refused(unpacked, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 2)
    assert unpacked(make_tar_gz(IN_TAR)).keys() == {"train.tsv", "test.tsv"}
    assert "in 2 files, got more" in refused(unpacked, make_tar_gz({**IN_TAR, "r/x": b""}))
    assert "in 2 files, got more" in refused(unpacked, make_zip({**IN_ZIP, "x": b""}), ".zip")


def sparse_tar():
    """A file of a tebibyte, all of it a hole."""
    header = tarfile.TarInfo("r/data/train.tsv")
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")  # the real size
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return gzip.compress(bytes(block) + bytes(1024))


def long_header_tar():
    """A name of 17 MiB."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 17 << 20
    return gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(header.size + 1024))


def test_size_below_zero_does_not_read_the_same_header_for_ever(unpacked, monkeypatch):
    header = bytearray(tarfile.TarInfo("r/other").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    first = tarfile.TarInfo("r/first").tobuf(tarfile.GNU_FORMAT)
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 20)
    told = refused(unpacked, gzip.compress(first + bytes(header) + bytes(1024)))
    # The latter where tarfile refuses the size itself.
    assert "in 20 files, got more" in told or "neither a file nor the end at byte 512" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (sparse_tar(), "to be a file, got something else"),
        (long_header_tar(), "a whole archive: a header of 17825792 bytes"),
    ],
    ids=["sparse", "long header"],
)
def test_hostile_tar_takes_neither_disk_nor_memory(unpacked, content, told):
    assert told in refused(unpacked, content)


@pytest.mark.parametrize("cut", [1, 512, 1000, 1536], ids=str)
def test_damage_before_the_compression_is_refused(unpacked, cut):
    # The checksum of gzip is right: only tar itself can tell.
    whole = make_tar(IN_TAR)
    end = 2048  # both files; zeros follow
    assert "whole archive" in refused(unpacked, gzip.compress(whole[: end - cut]))
    damaged = bytearray(whole)
    damaged[1024 + 148] ^= 1  # the second header's checksum
    assert "at byte 1,024" in refused(unpacked, gzip.compress(bytes(damaged)))


def test_tar_without_an_end_is_refused(unpacked):
    told = refused(unpacked, gzip.compress(make_tar(IN_TAR)[:2048]))
    assert told == "a whole archive: neither a file nor the end at byte 2,048"


def flag_encrypted(content):
    at = content.index(b"PK\x01\x02") + 8
    return content[:at] + b"\x01" + content[at + 1 :]


def replace_method(content):
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.index(signature) + offset
        content = content[:at] + struct.pack("<H", 97) + content[at + 2 :]
    return content


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flag_encrypted, "encrypted"),
        (replace_method, "compression method is not supported"),
        (lambda content: content.replace(b"p53", b"p54"), "Bad CRC-32"),
        (lambda content: content[:-9], "not a zip file"),
        (lambda content: content[: len(content) // 2], "not a zip file"),
        (lambda content: content.replace(b"PK\x01\x02", b"PK\x01\x03"), "Bad magic number"),
        (lambda content: content.replace(b"PK\x03\x04", b"PK\x03\x05"), "Bad magic number"),
        (lambda content: b"", "not a zip file"),
    ],
    ids=[
        "encrypted",
        "unknown compression",
        "wrong content",
        "cut end",
        "half",
        "central directory",
        "local header",
        "empty",
    ],
)
def test_odd_zip_is_refused(unpacked, damage, told):
    content = make_zip({"data/test.tsv": TEST})
    assert damage(content) != content
    assert told in refused(unpacked, damage(content), ".zip")


def test_what_is_not_wanted_may_be_encrypted(unpacked):
    content = flag_encrypted(make_zip({"other": b"", "data/test.tsv": TEST}))
    assert unpacked(content, ".zip") == {"test.tsv": TEST}


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b", gzip.compress(b"")], ids=repr)
def test_what_is_no_archive_is_refused(unpacked, content):
    assert "a whole archive: " in refused(unpacked, content)


@given(position=st.integers(0, 8 * 2560 - 1), other=st.integers(0, 8 * 2560 - 1))
@settings(max_examples=60, deadline=None)
def test_flipped_bits_within_a_tar_are_one_line_or_do_no_harm(tmp_path_factory, position, other):
    directory = tmp_path_factory.mktemp("flipped")
    damaged = bytearray(make_tar(IN_TAR))
    for bit in (position, other):
        damaged[bit // 8] ^= 1 << bit % 8
    archive = directory / "archive.tar.gz"
    archive.write_bytes(gzip.compress(bytes(damaged)))
    target = directory / "train.tsv"
    try:
        unpack(archive, {"data/train.tsv": target}, in_directory=True)
    except BionerError as error:
        assert "\n" not in str(error)  # noqa: PT017 - not every flip is seen
    if target.exists():
        assert target.stat().st_size <= len(damaged)


def test_full_disk_is_not_taken_for_a_damaged_archive(tmp_path):
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(make_tar_gz(IN_TAR))
    (tmp_path / "train.tsv").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        unpack(archive, {"data/train.tsv": tmp_path / "train.tsv"}, in_directory=True)
    assert error.value.errno == errno.ENOSPC
