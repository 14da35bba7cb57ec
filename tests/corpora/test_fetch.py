from __future__ import annotations

import hashlib
import http.server
import io
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest

from bioner_tf.checksums import read_checksums
from bioner_tf.corpora import fetch
from bioner_tf.corpora.fetch import Source, select_sources
from bioner_tf.errors import BionerError, UsageError
from tests.helpers.file_server import serve_files

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    with serve_files() as server:
        yield server


def get(source, target, mirror):
    told: list[str] = []
    missing = fetch.fetch(source, target, mirror, told.append)
    return missing, told


def single(url="http://origin/words.bin"):
    return Source(url, {"words.bin": None}, "free for all")


def tar(members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, what in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
            else:
                info.type, info.linkname = tarfile.SYMTYPE, what
                archive.addfile(info)
    return content.getvalue()


def corpora():
    names = ["a/train.tsv", "a/test.tsv"]
    files = {name: f"data/{name}" for name in names}
    return Source("http://origin/abc.tar.gz", files, "terms", in_directory=True)


def names_in(directory):
    return sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())


def test_file_is_fetched_with_its_licence_and_recorded(tmp_path, server):
    server.files["words.bin"] = CONTENT
    missing, told = get(single(), tmp_path, server.url + "/")
    assert missing == []
    assert told[0] == "words.bin: free for all"
    assert (tmp_path / "words.bin").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["SHA256SUMS", "words.bin"]
    assert read_checksums(tmp_path / "SHA256SUMS") == {
        "words.bin": hashlib.sha256(CONTENT).hexdigest()
    }


def test_a_download_draws_its_progress_on_a_terminal(tmp_path, server, monkeypatch):
    server.files["words.bin"] = bytes(3_000_000)
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    get(single(), tmp_path, server.url)
    bars = terminal.getvalue().split("\r\033[K")
    assert f"download [{'=' * 30}] 3/3 MB" in bars[-2]
    assert bars[-1] == ""


def test_what_is_there_is_not_fetched_again(tmp_path, server):
    server.files["words.bin"] = CONTENT
    get(single(), tmp_path, server.url)
    _, told = get(single(), tmp_path, server.url)
    assert told == ["words.bin: everything is there and as recorded"]
    assert len(server.asked) == 1


def test_damaged_file_is_fetched_again(tmp_path, server):
    server.files["words.bin"] = CONTENT
    get(single(), tmp_path, server.url)
    (tmp_path / "words.bin").write_bytes(b"cut")
    _, told = get(single(), tmp_path, server.url)
    assert (tmp_path / "words.bin").read_bytes() == CONTENT
    # It may have been edited by hand.
    assert (tmp_path / "words.bin.changed").read_bytes() == b"cut"
    assert f"  {tmp_path}/words.bin was not as fetched: it is now words.bin.changed" in told


def test_broken_connections_go_on_where_they_were(tmp_path, server):
    server.files["words.bin"] = CONTENT
    server.limits = [100_000, 200_000]
    get(single(), tmp_path, server.url)
    assert (tmp_path / "words.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=300000-"]


def test_killed_fetch_goes_on_the_next_time(tmp_path, server):
    server.files["words.bin"] = CONTENT
    server.limits = [1000] * 4
    with pytest.raises(BionerError, match="start again to go on"):
        get(single(), tmp_path, server.url)
    assert not (tmp_path / "words.bin").exists()
    get(single(), tmp_path, server.url)
    assert server.asked[4:] == ["bytes=4000-"]
    assert (tmp_path / "words.bin").read_bytes() == CONTENT


def test_complete_download_that_was_not_unpacked_is_used(tmp_path, server):
    server.files["words.bin"] = CONTENT
    server.limits = [len(CONTENT) - 1] + [0] * 3
    with pytest.raises(BionerError):
        get(single(), tmp_path, server.url)
    with (tmp_path / ".download-words.bin").open("ab") as partial:
        partial.write(CONTENT[-1:])
    get(single(), tmp_path, server.url)
    assert (tmp_path / "words.bin").read_bytes() == CONTENT


def test_file_that_has_changed_meanwhile_is_begun_anew(tmp_path, server):
    server.files["words.bin"] = CONTENT
    server.limits = [1000] * 4
    with pytest.raises(BionerError):
        get(single(), tmp_path, server.url)
    server.files["words.bin"] = CONTENT[::-1]
    get(single(), tmp_path, server.url)
    assert (tmp_path / "words.bin").read_bytes() == CONTENT[::-1]


def test_other_content_than_recorded_is_refused(tmp_path, server):
    server.files["words.bin"] = CONTENT
    get(single(), tmp_path, server.url)
    server.files["words.bin"] = b"something else"
    (tmp_path / "words.bin").unlink()
    with pytest.raises(BionerError, match=r"expected the SHA-256 .* got"):
        get(single(), tmp_path, server.url)
    assert not (tmp_path / "words.bin").exists()


def test_server_that_has_it_not_is_told_at_once(tmp_path, server):
    with pytest.raises(BionerError, match=r"/words\.bin: the server says 404"):
        get(single(), tmp_path, server.url)
    assert len(server.asked) == 1


def test_no_server_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    with pytest.raises(BionerError, match="start again"):
        get(single(), tmp_path, "http://127.0.0.1:9")


def test_archive_gives_its_files_and_no_others(tmp_path, server):
    server.files["abc.tar.gz"] = tar(
        {
            "repository-abc/data/a/train.tsv": b"train",
            "repository-abc/data/a/test.tsv": b"test",
            "repository-abc/data/b/train.tsv": b"not wanted",
            "../../outside": b"evil",
            "/tmp/outside": b"evil",
            "repository-abc/../data/a/train.tsv": b"evil",
        }
    )
    target = tmp_path / "deep/target"
    assert get(corpora(), target, server.url)[0] == []
    assert names_in(tmp_path) == [
        "deep/target/SHA256SUMS",
        "deep/target/a/test.tsv",
        "deep/target/a/train.tsv",
    ]
    assert (target / "a/train.tsv").read_bytes() == b"train"


def test_links_in_an_archive_are_not_followed(tmp_path, server):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    server.files["abc.tar.gz"] = tar(
        {"r/data/a/train.tsv": str(secret), "r/data/a/test.tsv": b"test"}
    )
    missing, _ = get(corpora(), tmp_path / "target", server.url)
    assert missing == ["a/train.tsv"]
    assert "secret" not in (tmp_path / "target/a/test.tsv").read_text()


def test_torn_archive_leaves_nothing_behind(tmp_path):
    (tmp_path / "mirror").mkdir()
    whole = tar({"r/data/a/train.tsv": CONTENT * 4, "r/data/a/test.tsv": b"test"})
    (tmp_path / "mirror/abc.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BionerError, match=r"abc\.tar\.gz: expected a whole archive"):
        get(corpora(), tmp_path / "target", str(tmp_path / "mirror"))
    assert names_in(tmp_path / "target") == []


def test_zip_of_vectors(tmp_path):
    source = Source("http://origin/glove.zip", {"glove.txt": "glove.txt"}, "free")
    (tmp_path / "mirror").mkdir()
    with zipfile.ZipFile(tmp_path / "mirror/glove.zip", "w") as archive:
        archive.writestr("glove.txt", "the 0.1")
        archive.writestr("../glove.txt", "evil")
    get(source, tmp_path / "target", str(tmp_path / "mirror"))
    assert (tmp_path / "target/glove.txt").read_text() == "the 0.1"
    assert (tmp_path / "mirror/glove.zip").exists()


def test_directory_of_unpacked_files_is_a_mirror(tmp_path):
    (tmp_path / "mirror/a").mkdir(parents=True)
    (tmp_path / "mirror/a/train.tsv").write_text("train")
    missing, _ = get(corpora(), tmp_path / "target", str(tmp_path / "mirror"))
    assert missing == ["a/test.tsv"]
    assert (tmp_path / "target/a/train.tsv").read_text() == "train"
    with pytest.raises(BionerError, match="got neither"):
        get(single(), tmp_path / "target", str(tmp_path / "mirror"))


def test_damaged_record_is_told_with_its_line(tmp_path):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a\nnonsense\n")
    with pytest.raises(BionerError, match=r"SHA256SUMS:2: expected a SHA-256"):
        read_checksums(tmp_path / "SHA256SUMS")


def test_sources_are_named():
    assert list(select_sources(["corpora"])) == ["corpora"]
    assert select_sources(["corpora"], "0123")["corpora"].url.endswith("/archive/0123.tar.gz")
    assert len(select_sources(["vectors", "glove"])) == 5
    with pytest.raises(UsageError, match=r"--what: .*got 'words'"):
        select_sources(["words"])


def test_command_fetches_the_papers_corpora_from_a_mirror(tmp_path):
    members = {
        f"repository/data/{corpus}/{split}.tsv": f"{corpus}\tO\n".encode()
        for corpus in fetch.CORPORA
        for split in ("train", "devel", "test")
    }
    del members["repository/data/JNLPBA/train.tsv"]
    (tmp_path / f"{fetch.COMMIT}.tar.gz").write_bytes(tar(members))
    command = "from bioner_tf.cli import fetch; fetch.entry()"
    done = subprocess.run(
        [sys.executable, "-c", command, f"--from={tmp_path}", f"--data_dir={tmp_path}/corpora"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("not JNLPBA/train.tsv, which the source does not have\n")
    assert "CC BY 4.0" in done.stdout
    assert len(read_checksums(tmp_path / "corpora" / "SHA256SUMS")) == 35


def test_no_flipped_bit_in_an_archive_is_published(tmp_path):
    contents = {"a/train.tsv": b"the\tO\n" * 9, "a/test.tsv": b"p53\tB-Gene\n"}
    whole = tar({f"r/data/{name}": content for name, content in contents.items()})
    (tmp_path / "mirror").mkdir()
    refused = 0
    positions = range(0, 8 * len(whole), 5)  # of every byte one bit or two
    for position in positions:
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        (tmp_path / "mirror/abc.tar.gz").write_bytes(damaged)
        target = tmp_path / f"target-{position}"
        try:
            missing, _ = get(corpora(), target, str(tmp_path / "mirror"))
        except BionerError as error:
            refused += 1
            assert "expected a whole archive" in str(error)  # noqa: PT017 - not every flip matters
            assert names_in(target) == []
        else:
            # gzip's time, its system and the padding behind the last block are not content.
            assert missing == []
            assert {name: (target / name).read_bytes() for name in contents} == contents
        shutil.rmtree(target)
    assert refused > 0.8 * len(positions)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        ),
        lambda content: content.replace(b"the 0.1", b"the 0.2"),
        lambda content: content[:-9],
    ],
    ids=["encrypted", "wrong content", "cut"],
)
def test_odd_zip_is_one_line_and_leaves_nothing(tmp_path, damage):
    source = Source("http://origin/glove.zip", {"glove.txt": "glove.txt"}, "free")
    (tmp_path / "mirror").mkdir()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("glove.txt", "the 0.1")
    damaged = damage(content.getvalue())
    assert damaged != content.getvalue()
    (tmp_path / "mirror/glove.zip").write_bytes(damaged)
    with pytest.raises(BionerError, match="expected a whole archive") as error:
        get(source, tmp_path / "target", str(tmp_path / "mirror"))
    assert "\n" not in str(error.value)
    assert names_in(tmp_path / "target") == []


def test_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "_MOST_UNPACKED_BYTES", 1000)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/abc.tar.gz").write_bytes(tar({"r/data/a/train.tsv": b"0" * 2000}))
    with pytest.raises(BionerError, match="expected at most 1,000 bytes"):
        get(corpora(), tmp_path / "target", str(tmp_path / "mirror"))
    assert names_in(tmp_path / "target") == []


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (302, {"Location": "/again"}, "infinite loop"),
        (302, {"Location": "file:///etc/passwd"}, "file:///etc/passwd"),
        (302, {}, "302"),
        (200, {"Content-Length": "many"}, "expected a number as Content-Length"),
        (200, {"Content-Length": "-5"}, "expected a number as Content-Length"),
    ],
    ids=["loop", "to a file", "to nowhere", "no number", "a negative number"],
)
def test_malformed_answer_is_one_line(tmp_path, status, headers, told):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            with pytest.raises(BionerError, match=told) as error:
                get(single(), tmp_path, f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
            thread.join()
    assert "\n" not in str(error.value)
    assert not (tmp_path / "words.bin").exists()
