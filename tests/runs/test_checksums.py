"""The checksums of a run's files: a change is found, and a kill leaves no wrong checksum."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.files import write_text_atomically
from bioner_tf.runs import checksums
from bioner_tf.runs.checksums import check_files, rewrite_files

FILES = {"a.json": "1", "b.json": "2", "folder/c.txt": "3"}


def write(run_dir, files=FILES, turn=""):
    paths = [run_dir / "a.json", run_dir / "b.json", run_dir / "folder"]
    with rewrite_files(run_dir, *paths):
        for name, content in files.items():
            write_text_atomically(run_dir / name, content + turn)


def test_sums_are_those_of_sha256sum(tmp_path):
    write(tmp_path)
    (tmp_path / "folder" / ".partial-1").touch()
    (tmp_path / "others.txt").touch()
    write(tmp_path, turn="again")
    listed = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in listed] == sorted(FILES)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
    check_files(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_the_one_written_is_named(tmp_path, name):
    write(tmp_path)
    for change, problem in (
        (lambda path: path.write_text("x"), "expected SHA-256"),
        (lambda path: path.unlink(), "missing"),
    ):
        change(tmp_path / name)
        with pytest.raises(BionerError, match=re.escape(f"{tmp_path / name}: {problem}")):
            check_files(tmp_path)
        check_files(tmp_path, [tmp_path / other for other in FILES if other != name])
        with pytest.raises(BionerError, match=re.escape(name)):
            check_files(tmp_path, [tmp_path / name])


def test_a_file_that_others_write_keeps_its_checksum(tmp_path):
    write(tmp_path)
    (tmp_path / "a.json").write_text("damaged")
    with rewrite_files(tmp_path, tmp_path / "b.json"):
        (tmp_path / "b.json").write_text("new")
    with pytest.raises(BionerError, match=r"a\.json: expected SHA-256"):
        check_files(tmp_path)
    check_files(tmp_path, [tmp_path / "b.json"])


def test_a_directory_without_checksums_is_not_checked(tmp_path):
    (tmp_path / "a.json").write_text("1")
    check_files(tmp_path)
    check_files(tmp_path / "missing")


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_kill_leaves_no_wrong_checksum(tmp_path, monkeypatch, before):
    """Files change when they are renamed: ends before, or after, each of the renames."""
    real, ends = os.replace, 0
    for number in range(20):
        calls = iter(range(20))

        def replace(*args, calls=calls, number=number):
            now = next(calls) == number
            if now and before:
                raise KeyboardInterrupt
            real(*args)
            if now:
                raise KeyboardInterrupt

        write(tmp_path)
        monkeypatch.setattr(os, "replace", replace)
        try:
            write(tmp_path, turn="again")
        except KeyboardInterrupt:
            ends += 1
        monkeypatch.setattr(os, "replace", real)
        check_files(tmp_path)
    assert ends == 5


def test_a_file_that_a_training_writes_meanwhile_is_not_damaged(tmp_path, monkeypatch):
    write(tmp_path)
    real, turns = checksums.hash_files, iter("12")

    def hash_after_a_write(root, names):
        monkeypatch.setattr(checksums, "hash_files", real)
        if (turn := next(turns, None)) is not None:
            write(tmp_path, turn=turn)
            monkeypatch.setattr(checksums, "hash_files", hash_after_a_write)
        return real(root, names)

    monkeypatch.setattr(checksums, "hash_files", hash_after_a_write)
    check_files(tmp_path)
    assert next(turns, None) is None
