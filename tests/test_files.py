"""Files and directories appear complete or not at all, even if a writer is interrupted."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.files import (
    hash_file,
    lock_directory,
    publish_directory,
    publish_file,
    remove_directory,
    remove_leftovers,
    stage_files,
    write_json_atomically,
    write_text_atomically,
)


def tree(root):
    """Everything below ``root``, hidden files included, with the content of the files."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def crash(monkeypatch):
    """Returns a function that makes ``os.<name>`` fail the given time it is called."""

    def crash_at(name, call=1):
        real, calls = getattr(os, name), []

        def fail(*args, **kwargs):
            calls.append(args)
            if len(calls) == call:
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, fail)

    return crash_at


@pytest.mark.parametrize("text", ["", "a\n", "a\r\nb\rc\n", "β😀\ufeff\u2028"])
def test_text_is_written_as_it_is(tmp_path, text):
    write_text_atomically(tmp_path / "new" / "deep" / "file.txt", text)
    assert (tmp_path / "new" / "deep" / "file.txt").read_bytes() == text.encode("utf-8")
    assert len(tree(tmp_path)) == 1


def test_text_replaces(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("a longer text that was there before")
    write_text_atomically(str(path), "new")
    assert tree(tmp_path) == {"file.txt": "new"}


@pytest.mark.parametrize("name", ["fsync", "replace", "fchmod"])
def test_a_failed_write_leaves_the_old_file_alone(tmp_path, crash, name):
    path = tmp_path / "file.txt"
    path.write_text("old")
    crash(name)
    with pytest.raises(OSError, match="No space left") as error:
        write_text_atomically(path, "new")
    assert error.value.filename == str(path)
    assert tree(tmp_path) == {"file.txt": "old"}


def test_text_that_utf8_cannot_hold_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "new \ud800")
    assert tree(tmp_path) == {"file.txt": "old"}


def test_text_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (events.append(n), r(*a))[1])
    write_text_atomically(tmp_path / "file.txt", "text")
    assert events[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_gets_the_permissions_of_any_other_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text_atomically(tmp_path / "file.txt", "text")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == 0o666 & ~umask


def test_json(tmp_path):
    value = {"z": 1.5, "a": ["β", None, True], "nested": {}}
    write_json_atomically(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert list(json.loads(text)) == ["z", "a", "nested"]
    assert "β" in text
    assert text.startswith('{\n  "z": 1.5,\n')
    assert text.endswith("}\n")


def test_json_that_cannot_be_written_leaves_the_old_file_alone(tmp_path):
    write_json_atomically(tmp_path / "value.json", 1)
    with pytest.raises(TypeError):
        write_json_atomically(tmp_path / "value.json", object())
    assert tree(tmp_path) == {"value.json": "1\n"}


def publish(path, content="new"):
    with publish_directory(path) as directory:
        (directory / "sub").mkdir()
        (directory / "sub" / "file.txt").write_text(content)


def test_a_directory_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "export"
    with publish_directory(path) as directory:
        assert directory.is_dir()
        assert directory.parent == path.parent  # the same file system, or renaming fails
        assert list(directory.iterdir()) == []
        (directory / "file.txt").write_text("text")
        assert not path.exists()
    assert tree(tmp_path) == {"deep/export/file.txt": "text"}
    assert [entry.name for entry in path.parent.iterdir()] == ["export"]


def test_a_directory_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "export"
    path.mkdir()
    (path / "stale.txt").write_text("old")
    publish(str(path))
    assert tree(tmp_path) == {"export/sub/file.txt": "new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_directory_alone(tmp_path, error):
    path = tmp_path / "export"
    publish(path, "old")

    def fail():
        with publish_directory(path) as directory:
            (directory / "half.txt").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert tree(tmp_path) == {"export/sub/file.txt": "old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["export"]


def test_a_failed_block_publishes_nothing(tmp_path):
    def fail():
        with publish_directory(tmp_path / "export"):
            raise KeyError("a mistake")

    with pytest.raises(KeyError, match="a mistake"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_left_overs_of_killed_writers_are_removed(tmp_path):
    path = tmp_path / "export"
    for name in (".partial-export", ".partial-old-export"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "junk.txt").write_text("junk")
    (tmp_path / ".partial-other").mkdir()  # another writer's, perhaps at work
    publish(path)
    assert tree(tmp_path) == {"export/sub/file.txt": "new"}
    assert {entry.name for entry in tmp_path.iterdir()} == {"export", ".partial-other"}


def test_a_directory_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    synced, renamed = [], []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        real_sync(descriptor)

    def replace(source, target):
        renamed.append(set(synced))
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "export"
    publish(path)
    (before_renaming,) = renamed
    inodes = {entry.stat().st_ino for entry in (path, path / "sub", path / "sub" / "file.txt")}
    assert inodes <= before_renaming
    # The name itself lives in the directory above.
    assert synced[-1] == tmp_path.stat().st_ino


def test_a_failed_exchange_loses_no_content(tmp_path, crash):
    path = tmp_path / "export"
    publish(path, "old")
    crash("replace", call=2)  # the old directory is out of the way, the new one not yet in place
    with pytest.raises(OSError, match="No space left"):
        publish(path, "new")
    assert list(tree(tmp_path).values()) == ["old"]


def test_what_a_killed_writer_had_moved_away_comes_back(tmp_path):
    path = tmp_path / "export"
    publish(path)
    # Killed between the two renames: the old content has lost its name, the new has none yet.
    path.rename(tmp_path / ".partial-old-export")
    with pytest.raises(RuntimeError), publish_directory(path):
        raise RuntimeError
    assert tree(tmp_path) == {"export/sub/file.txt": "new"}


HOLDER = """
import sys, time
from bioner_tf.files import lock_directory
with lock_directory(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path):
    place = str(tmp_path / "run")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, place], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"locked\n"
        told = rf"process {holder.pid} on {re.escape(socket.gethostname())}, since 2"
        with pytest.raises(BionerError, match=told) as error, lock_directory(place):
            pass
        assert "\n" not in str(error.value)
    finally:
        holder.kill()
        holder.communicate()
    with lock_directory(place):
        pass


def test_leftovers_of_killed_writers_go_and_what_was_moved_out_comes_back(tmp_path):
    (tmp_path / ".partial-x1").write_text("half a file")
    for name in (".partial-new", ".partial-old-here", ".partial-old-gone", "here"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "kept").write_text("kept")
    remove_leftovers(tmp_path)
    assert tree(tmp_path) == {"kept": "kept", "here/file": "here", "gone/file": ".partial-old-gone"}


def test_a_file_s_directory_is_synced_after_its_name_has_changed(tmp_path, monkeypatch):
    calls = []
    real_replace, real_fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "replace", lambda *a: (calls.append("replace"), real_replace(*a)))

    def fsync(descriptor):
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append(kind)
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text_atomically(tmp_path / "file", "text")
    assert calls == ["file", "replace", "directory"]


def test_a_killed_removal_is_finished_by_the_next_one(tmp_path):
    for name in (".partial-removed-1", "2", "3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    remove_directory(tmp_path / "2")
    assert tree(tmp_path) == {"3/file": "3"}


def test_a_file_has_the_checksum_that_sha256sum_tells(tmp_path):
    (tmp_path / "three").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_file(tmp_path / "three") == digest
    (tmp_path / "million").write_bytes(b"a" * 1_000_000)  # appendix B.3
    digest = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    assert hash_file(tmp_path / "million") == digest


def test_staged_files_are_published_and_the_rest_goes(tmp_path):
    (tmp_path / "words.bin").write_text("old")
    with stage_files(tmp_path / "words.bin") as staging:
        (staging / "words.bin").write_text("new")
        (staging / "rest").mkdir()
        publish_file(staging / "words.bin", tmp_path / "words.bin")
    assert tree(tmp_path) == {"words.bin": "new"}
    assert os.listdir(tmp_path) == ["words.bin"]


def test_staging_begins_empty_and_belongs_to_one_process(tmp_path):
    leftover = tmp_path / ".partial-words.bin"
    (leftover / "deep").mkdir(parents=True)
    (leftover / "deep/half").write_text("half")
    (leftover / "half").write_text("half")
    with stage_files(tmp_path / "words.bin") as staging:
        assert staging == leftover
        assert tree(staging).keys() == {"writer.lock"}
        (staging / "mine").write_text("mine")
        with pytest.raises(BionerError, match="wait until"), stage_files(tmp_path / "words.bin"):
            pass
        assert (staging / "mine").read_text() == "mine"
    with pytest.raises(ZeroDivisionError), stage_files(tmp_path / "words.bin"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
