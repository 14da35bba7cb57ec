from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
import subprocess
import sys

import pytest

from bioner_tf.checksums import read_checksums
from bioner_tf.corpora import fetch
from bioner_tf.corpora.fetch import Source, select_sources
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import hash_file, stage_files
from tests.helpers.archives import make_tar_gz, make_zip

CONTENT = bytes(range(256)) * 2000


def get(source, target, mirror):
    told: list[str] = []
    missing = fetch.fetch(source, target, mirror, told.append)
    return missing, told


def single(url="https://origin/words.bin"):
    return Source(url, {"words.bin": None}, "free for all")


def corpora():
    names = ["a/train.tsv", "a/test.tsv"]
    files = {name: f"data/{name}" for name in names}
    return Source("https://origin/abc.tar.gz", files, "terms", in_directory=True)


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
    (tmp_path / "words.bin").write_bytes(b"edited again")
    _, told = get(single(), tmp_path, server.url)
    assert (tmp_path / "words.bin.changed").read_bytes() == b"cut"
    assert (tmp_path / "words.bin.changed-2").read_bytes() == b"edited again"
    assert f"  {tmp_path}/words.bin was not as fetched: it is now words.bin.changed-2" in told


def test_other_content_than_recorded_is_refused(tmp_path, server):
    server.files["words.bin"] = CONTENT
    get(single(), tmp_path, server.url)
    server.files["words.bin"] = b"something else"
    (tmp_path / "words.bin").unlink()
    with pytest.raises(BionerError, match=r"expected words\.bin of SHA-256 .* got"):
        get(single(), tmp_path, server.url)
    # The download goes, too: continuing it would never give another file.
    assert names_in(tmp_path) == ["SHA256SUMS"]
    server.files["words.bin"] = CONTENT
    get(single(), tmp_path, server.url)
    assert (tmp_path / "words.bin").read_bytes() == CONTENT


def test_server_that_has_it_not_is_told_at_once(tmp_path, server):
    with pytest.raises(BionerError, match=r"/words\.bin: the server says 404"):
        get(single(), tmp_path, server.url)
    assert len(server.asked) == 1


def test_torn_archive_leaves_nothing_behind(tmp_path):
    (tmp_path / "mirror").mkdir()
    whole = make_tar_gz({"r/data/a/train.tsv": CONTENT * 4, "r/data/a/test.tsv": b"test"})
    (tmp_path / "mirror/abc.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BionerError, match=r"abc\.tar\.gz: expected a whole archive"):
        get(corpora(), tmp_path / "target", str(tmp_path / "mirror"))
    assert names_in(tmp_path / "target") == []


def glove():
    return Source("https://origin/glove.zip", {"glove.txt": "glove.txt"}, "free")


def test_zip_of_vectors(tmp_path):
    (tmp_path / "mirror").mkdir()
    content = make_zip({"glove.txt": b"the 0.1", "other.txt": b"not wanted"})
    (tmp_path / "mirror/glove.zip").write_bytes(content)
    get(glove(), tmp_path / "target", str(tmp_path / "mirror"))
    assert (tmp_path / "target/glove.txt").read_text() == "the 0.1"
    assert names_in(tmp_path / "target") == ["SHA256SUMS", "glove.txt"]
    assert (tmp_path / "mirror/glove.zip").exists()


def test_directory_of_unpacked_files_is_a_mirror(tmp_path):
    (tmp_path / "mirror/a").mkdir(parents=True)
    (tmp_path / "mirror/a/train.tsv").write_text("train")
    missing, _ = get(corpora(), tmp_path / "target", str(tmp_path / "mirror"))
    assert missing == ["a/test.tsv"]
    assert (tmp_path / "target/a/train.tsv").read_text() == "train"
    with pytest.raises(BionerError, match="got none of them"):
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


def papers_members():
    members = {
        f"repository/data/{corpus}/{split}.tsv": f"{corpus}\tO\n".encode()
        for corpus in fetch.CORPORA
        for split in ("train", "devel", "test")
    }
    del members["repository/data/JNLPBA/train.tsv"]
    return members


def run_command(*arguments):
    command = "from bioner_tf.cli import fetch; fetch.entry()"
    return subprocess.run(
        [sys.executable, "-c", command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_fetches_the_papers_corpora_from_a_mirror(tmp_path):
    (tmp_path / f"{fetch.COMMIT}.tar.gz").write_bytes(make_tar_gz(papers_members()))
    done = run_command("--nopinned", f"--from={tmp_path}", f"--data_dir={tmp_path}/corpora")
    assert done.returncode == 1
    assert done.stderr.endswith("not JNLPBA/train.tsv, which the source does not have\n")
    assert "CC BY 4.0" in done.stdout
    assert len(read_checksums(tmp_path / "corpora" / "SHA256SUMS")) == 35


def test_command_refuses_other_corpora_than_the_papers(tmp_path):
    (tmp_path / f"{fetch.COMMIT}.tar.gz").write_bytes(make_tar_gz(papers_members()))
    done = run_command(f"--from={tmp_path}", f"--data_dir={tmp_path}/corpora")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"error: {tmp_path}/df0df02.tar.gz: expected BC2GM-IOB/train.tsv of the paper's corpora, "
    )
    assert done.stderr.endswith("or another version, which --nopinned accepts\n")
    assert done.stderr.count("\n") == 1
    assert names_in(tmp_path / "corpora") == []
    # The files of another commit are others.
    (tmp_path / f"{fetch.COMMIT}.tar.gz").rename(tmp_path / "0123abc.tar.gz")
    done = run_command("--commit=0123abc", f"--from={tmp_path}", f"--data_dir={tmp_path}/corpora")
    assert done.stderr.endswith("not JNLPBA/train.tsv, which the source does not have\n")


def test_papers_corpora_are_pinned():
    pins = select_sources(["corpora"])["corpora"].pins
    expected = {f"{c}/{s}.tsv" for c in fetch.CORPORA for s in ("train", "devel", "test")}
    assert pins.keys() == expected - {"JNLPBA/train.tsv"}
    assert len(set(pins.values())) == len(pins)
    assert select_sources(["corpora"], f"{fetch.COMMIT}abc")["corpora"].pins == pins
    assert select_sources(["corpora"], "0123abc")["corpora"].pins == {}
    assert select_sources(["corpora"], pinned=False)["corpora"].pins == {}


def test_pins_are_those_of_the_real_corpora(corpora_dir, tmp_path):
    source = select_sources(["corpora"])["corpora"]
    missing, told = get(source, tmp_path, str(corpora_dir))
    assert missing == []
    assert "  JNLPBA/train.tsv: accepted as it came, its SHA-256 is not known" in told
    assert len(names_in(tmp_path)) == 37
    for name, digest in source.pins.items():
        assert hash_file(tmp_path / name) == digest


@pytest.fixture
def pinned():
    digest = hashlib.sha256(b"train").hexdigest()
    return dataclasses.replace(corpora(), pins={"a/train.tsv": digest})


def test_pinned_file_that_differs_is_refused_before_anything_is_published(tmp_path, server, pinned):
    members = {"r/data/a/train.tsv": b"trainX", "r/data/a/test.tsv": b"test"}
    server.files["abc.tar.gz"] = make_tar_gz(members)
    with pytest.raises(
        BionerError, match=r"expected a/train\.tsv of the paper's .* SHA-256"
    ) as error:
        get(pinned, tmp_path, server.url)
    assert str(error.value).endswith(f"(this download of {server.url}/abc.tar.gz is now removed)")
    assert names_in(tmp_path) == []
    server.files["abc.tar.gz"] = make_tar_gz({**members, "r/data/a/train.tsv": b"train"})
    _, told = get(pinned, tmp_path, server.url)
    assert told[1:-1] == ["  a/test.tsv: accepted as it came, its SHA-256 is not known"]
    assert names_in(tmp_path) == ["SHA256SUMS", "a/test.tsv", "a/train.tsv"]


def test_pin_overrules_what_an_earlier_fetch_recorded(tmp_path, pinned):
    # Versions before the pins recorded what a damaged archive gave.
    (tmp_path / "mirror/a").mkdir(parents=True)
    (tmp_path / "mirror/a/train.tsv").write_text("damaged")
    (tmp_path / "mirror/a/test.tsv").write_text("test")
    target = tmp_path / "target"
    get(corpora(), target, str(tmp_path / "mirror"))
    (tmp_path / "mirror/a/train.tsv").write_text("train")
    get(pinned, target, str(tmp_path / "mirror"))
    assert (target / "a/train.tsv").read_text() == "train"
    assert (target / "a/train.tsv.changed").read_text() == "damaged"
    assert read_checksums(target / "SHA256SUMS")["a/train.tsv"] == pinned.pins["a/train.tsv"]
    _, told = get(pinned, target, str(tmp_path / "mirror"))
    assert told == ["abc.tar.gz: everything is there and as recorded"]


def test_every_source_is_fetched_over_https():
    assert {source.url.split(":")[0] for source in fetch.sources().values()} == {"https"}


@pytest.mark.parametrize("place", ["ftp://mirror", "file:///corpora", "http:///x", "https://"])
def test_mirror_of_another_kind_is_refused(tmp_path, place):
    with pytest.raises(UsageError, match="--from: expected a directory, or http:// or https://"):
        get(single(), tmp_path, place)
    assert names_in(tmp_path) == []


def test_second_fetch_into_one_directory_is_refused(tmp_path, server):
    server.files["words.bin"] = CONTENT
    with stage_files(tmp_path / "fetch"), pytest.raises(BionerError, match="wait until"):
        get(single(), tmp_path, server.url)
    get(single(), tmp_path, server.url)
    # What is complete needs no lock, and so no right to write.
    with stage_files(tmp_path / "fetch"):
        get(single(), tmp_path, server.url)


def test_what_a_killed_fetch_left_is_removed(tmp_path, server):
    (tmp_path / ".partial-fetch/a").mkdir(parents=True)
    (tmp_path / ".partial-fetch/a/test.tsv").write_text("old")
    server.files["abc.tar.gz"] = make_tar_gz({"r/data/a/train.tsv": b"train"})
    assert get(corpora(), tmp_path, server.url)[0] == ["a/test.tsv"]
    assert names_in(tmp_path) == ["SHA256SUMS", "a/train.tsv"]


@pytest.mark.parametrize(
    "left", [".partial-fetch/a", ".download-words.bin", ".download-words.bin.json"]
)
def test_what_a_fetch_left_that_was_killed_at_its_end_is_removed(tmp_path, server, left):
    server.files["words.bin"] = CONTENT
    get(single(), tmp_path, server.url)
    (tmp_path / left).parent.mkdir(exist_ok=True)
    (tmp_path / left).write_text("left")
    get(single(), tmp_path, server.url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "words.bin"]


@pytest.mark.parametrize(
    "step", [37, pytest.param(1, marks=pytest.mark.slow)], ids=["sample", "every bit"]
)
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_no_flipped_bit_in_an_archive_is_published(tmp_path, kind, step):
    contents = {"a/train.tsv": b"the\tO\n" * 9, "a/test.tsv": b"p53\tB-Gene\n"}
    make = make_tar_gz if kind == "tar.gz" else make_zip
    whole = make({f"r/data/{name}": content for name, content in contents.items()})
    source = dataclasses.replace(corpora(), url=f"https://origin/abc.{kind}")
    (tmp_path / "mirror").mkdir()
    refused = 0
    positions = range(0, 8 * len(whole), step)
    for position in positions:
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        (tmp_path / "mirror" / source.name).write_bytes(damaged)
        target = tmp_path / "target"
        try:
            missing, _ = get(source, target, str(tmp_path / "mirror"))
        except BionerError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - not every flip matters
            assert names_in(target) == []
        else:
            # gzip's time, its system and the padding behind the last block are not content. A
            # flip in a name of a zip, which has no checksum, hides the file.
            assert len(missing) <= (kind == "zip")
            there = {name: content for name, content in contents.items() if name not in missing}
            assert {name: (target / name).read_bytes() for name in there} == there
            assert read_checksums(target / "SHA256SUMS").keys() == there.keys()
        shutil.rmtree(target)
    assert refused > (0.8 if kind == "tar.gz" else 0.3) * len(positions)
