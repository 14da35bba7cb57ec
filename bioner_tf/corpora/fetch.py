"""Gets the paper's corpora and word vectors: resumable, checked, complete or not at all.

``SHA256SUMS`` records what was fetched, in the form that ``sha256sum --check`` reads. Where no
checksum is published, the first fetch decides, and later fetches must give the same content.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import http.client
import json
import lzma
import os
import re
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from bioner_tf.checksums import CHECKSUMS_FILE, read_checksums, write_checksums
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import PathLike, hash_file, write_json_atomically
from bioner_tf.terminal import Progress, clear_line

# The repository's commit; GitHub completes it.
COMMIT = "df0df02"
CORPORA = (
    "BC2GM-IOB",
    "Ex-PTM-IOB",
    "NCBI-disease-IOB",
    "linnaeus-IOB",
    "JNLPBA",
    "BioNLP09-IOB",
    "BioNLP11ID-IOB",
    "BioNLP11ID-chem-IOB",
    "BioNLP11ID-ggp-IOB",
    "BioNLP11ID-species-IOB",
    "BioNLP13PC-IOB",
    "BC5CDR-IOB",
)
_SPLITS = ("train.tsv", "devel.tsv", "test.tsv")
_TRIES = 4
_TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20
_MEGABYTE = 1_000_000
# More than any source has; stops an archive that would fill the disk.
_MOST_UNPACKED_BYTES = 32 << 30
_MOST_MEMBERS = 100_000

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Source:
    """Something to fetch.

    Attributes:
        url: The file that is downloaded.
        files: The files that come of it, below the target directory, each with where it stands in
            the archive, without the archive's first directory; None: it is the download itself.
        licence: What the user must know about its use.
        in_directory: Whether everything in the archive stands below one directory.
    """

    url: str
    files: Mapping[str, str | None]
    licence: str
    in_directory: bool = False

    @property
    def name(self) -> str:
        """The name of the downloaded file, by which a mirror has it, too."""
        return self.url.rpartition("/")[2]


def _word2vec(name: str) -> Source:
    return Source(
        f"http://evexdb.org/pmresources/vec-space-models/{name}.bin",
        {f"{name}.bin": None},
        "word2vec vectors by Pyysalo et al. (2013); their terms are at bio.nlplab.org",
    )


def sources(commit: str = COMMIT) -> dict[str, Source]:
    """What there is to fetch, by name.

    Args:
        commit: The commit of the repository that has the corpora.
    """
    return {
        "corpora": Source(
            f"https://github.com/cambridgeltl/MTL-Bioinformatics-2016/archive/{commit}.tar.gz",
            {
                f"{corpus}/{split}": f"data/{corpus}/{split}"
                for corpus in CORPORA
                for split in _SPLITS
            },
            "collected by Crichton et al. (2017), CC BY 4.0; each corpus is under its makers' own "
            "terms, which the repository's data directory holds",
            in_directory=True,
        ),
        "glove": Source(
            "https://nlp.stanford.edu/data/glove.6B.zip",
            {"glove.6B.100d.txt": "glove.6B.100d.txt"},
            "GloVe vectors by Pennington et al. (2014), Public Domain Dedication and License 1.0",
        ),
        **{
            name: _word2vec(name)
            for name in (
                "PMC-w2v",
                "PubMed-w2v",
                "PubMed-and-PMC-w2v",
                "wikipedia-pubmed-and-PMC-w2v",
            )
        },
    }


def select_sources(names: list[str], commit: str = COMMIT) -> dict[str, Source]:
    """Picks sources by name; ``vectors`` stands for all vectors.

    Raises:
        UsageError: A name is not known.
    """
    known = sources(commit)
    picked: dict[str, Source] = {}
    for name in names:
        if name == "vectors":
            picked.update((each, source) for each, source in known.items() if each != "corpora")
        elif name in known:
            picked[name] = known[name]
        else:
            raise UsageError(
                f"--what: expected some of {', '.join([*known, 'vectors'])}; got {name!r}"
            )
    return picked


def fetch(
    source: Source, target: PathLike, mirror: str | None = None, report: Report = print
) -> list[str]:
    """Fetches what is not there yet.

    Args:
        source: What to fetch.
        target: The directory; files appear in it whole or not at all.
        mirror: A base URL or a directory that has the source's file by its name, or (a directory)
            the files themselves as they stand in the target.
        report: Is told about the progress, a line at a time.

    Returns:
        The files that the archive did not have, which should be none.

    Raises:
        BionerError: It cannot be had, or is not what it was the first time.
    """
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    sums_file = target / CHECKSUMS_FILE
    sums = read_checksums(sums_file)
    if all(_is_whole(target, name, sums) for name in source.files):
        report(f"{source.name}: everything is there and as recorded")
        return []
    report(f"{source.name}: {source.licence}")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=target) as directory:
        staging = Path(directory)
        _stage(source, target, staging, mirror, report)
        there = [name for name in source.files if (staging / name).exists()]
        found = {name: hash_file(staging / name) for name in there}
        for name, digest in found.items():
            _check_sum(target / name, digest, sums.get(name))
        for name in there:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _keep_changed_file(target / name, found[name], report)
            os.replace(staging / name, target / name)
        # Read again: another fetch into the same directory may have ended meanwhile.
        write_checksums(sums_file, {**read_checksums(sums_file), **found})
    _forget_download(target, source)
    report(f"{source.name}: {len(there)} files in {target}")
    return [name for name in source.files if name not in there]


def _is_whole(target: Path, name: str, sums: Mapping[str, str]) -> bool:
    return name in sums and (target / name).is_file() and hash_file(target / name) == sums[name]


def _check_sum(path: Path, digest: str, recorded: str | None) -> None:
    if recorded is not None and digest != recorded:
        raise BionerError(
            f"{path}: expected the SHA-256 {recorded} that {CHECKSUMS_FILE} records, got {digest}; "
            "if the change is meant, remove its line there and fetch again"
        )


def _keep_changed_file(path: Path, digest: str, report: Report) -> None:
    """Moves a file that is not the fetched one aside: somebody may have edited it."""
    if path.is_file() and hash_file(path) != digest:
        kept = path.with_name(f"{path.name}.changed")
        os.replace(path, kept)
        report(f"  {path} was not as fetched: it is now {kept.name}")


def _stage(source: Source, target: Path, staging: Path, mirror: str | None, report: Report) -> None:
    """Puts the source's files into ``staging``."""
    if mirror is None or _is_url(mirror):
        url = source.url if mirror is None else f"{mirror.rstrip('/')}/{source.name}"
        download = _download(url, _partial(target, source), report)
    else:
        download = Path(mirror) / source.name
        if not download.exists():
            _copy_files(source, Path(mirror), staging)
            return
    _unpack(source, download, staging)


def _is_url(place: str) -> bool:
    return urllib.parse.urlsplit(place).scheme in ("http", "https")


def _copy_files(source: Source, mirror: Path, staging: Path) -> None:
    there = [name for name in source.files if (mirror / name).is_file()]
    if not there:
        raise BionerError(
            f"{mirror}: expected {source.name}, or the files of it such as "
            f"{next(iter(source.files))}, got neither"
        )
    for name in there:
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mirror / name, staging / name)


def _partial(target: Path, source: Source) -> Path:
    return target / f".download-{source.name}"


def _forget_download(target: Path, source: Source) -> None:
    partial = _partial(target, source)
    for path in (partial, _tag_file(partial)):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _tag_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _download(url: str, partial: Path, report: Report) -> Path:
    """Downloads into ``partial``, going on from what is there; returns it when it is complete."""
    for attempt in range(1, _TRIES + 1):
        try:
            _continue(url, partial)
            return partial
        except urllib.error.HTTPError as error:
            error.close()
            # The server has answered, and will answer the same again, unless it is in trouble.
            if error.code < 500 or attempt == _TRIES:
                raise BionerError(
                    f"{url}: the server says {error.code} {_one_line(error.reason)}; is there a "
                    "mirror, for --from?"
                ) from None
            reason = f"{error.code} {_one_line(error.reason)}"
        except (OSError, http.client.HTTPException) as error:
            reason = _one_line(getattr(error, "reason", None) or error) or type(error).__name__
            if attempt == _TRIES:
                raise BionerError(
                    f"{url}: {reason}; start again to go on with what is there"
                ) from None
        report(f"  {reason}; trying again ({attempt} of {_TRIES - 1})")
        time.sleep(2 ** (attempt - 1) / 2)
    raise AssertionError("unreachable")


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())


def _continue(url: str, partial: Path) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    tag = _read_tag(partial, url)
    request = urllib.request.Request(url, headers={"User-Agent": "bioner-fetch"})
    if have and tag:
        # The rest of the same file, or all of what stands there now.
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag)
    with _open(request) as response:
        if response is None:
            return  # nothing is missing
        resumed = response.status == http.client.PARTIAL_CONTENT
        start = have if resumed else 0
        if resumed:
            _check_range(url, response.headers.get("Content-Range", ""), have)
        else:
            _write_tag(partial, url, response)
        length = response.headers.get("Content-Length")
        if length and not re.fullmatch("[0-9]{1,18}", length):
            raise BionerError(
                f"{url}: expected a number as Content-Length, got {length[:40]!r}; is there a "
                "mirror, for --from?"
            )
        total = start + int(length) if length else None
        with partial.open("ab" if resumed else "wb") as output:
            _copy(response, output, start, total or 0)
    size = partial.stat().st_size
    if total is not None and size != total:
        raise OSError(f"the connection broke after {size:,} of {total:,} bytes")


@contextlib.contextmanager
def _open(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse | None]:
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # The range begins at the file's very end: the last attempt broke off behind the last byte.
        yield None
        return
    with response:
        yield response


def _check_range(url: str, content_range: str, have: int) -> None:
    if not content_range.startswith(f"bytes {have}-"):
        raise BionerError(
            f"{url}: asked for the bytes from {have} on, got {content_range or 'others'}; remove "
            "the .download- file and start again"
        )


def _read_tag(partial: Path, url: str) -> str | None:
    """By what the server tells whether the file is still the one that was begun."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        record = json.loads(_tag_file(partial).read_text(encoding="utf-8"))
        if record["url"] == url:
            return str(record["tag"]) if record["tag"] else None
    return None


def _write_tag(partial: Path, url: str, response: http.client.HTTPResponse) -> None:
    # A weak tag does not vouch for bytes.
    tags = (response.headers.get("ETag"), response.headers.get("Last-Modified"))
    tag = next((tag for tag in tags if tag and not tag.startswith("W/")), None)
    write_json_atomically(_tag_file(partial), {"url": url, "tag": tag})


def _copy(response: http.client.HTTPResponse, output: IO[bytes], done: int, total: int) -> None:
    """Copies the rest of a download and shows its progress; a total of 0 is unknown."""
    progress = Progress("MB", total // _MEGABYTE, "download", start=done // _MEGABYTE)
    try:
        for chunk in iter(lambda: response.read(_CHUNK), b""):
            output.write(chunk)
            done += len(chunk)
            progress.draw(done // _MEGABYTE)
    finally:
        clear_line()


def _unpack(source: Source, download: Path, staging: Path) -> None:
    """Puts the source's files into ``staging``, by our own names: an archive chooses none."""
    wanted = {inside: name for name, inside in source.files.items() if inside is not None}
    for name in source.files:
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
    if not wanted:
        (name,) = source.files
        # A mirror's own file must stay where it is.
        shutil.copyfile(download, staging / name)
        return
    members = _zip_members if source.name.endswith(".zip") else _tar_members
    seen = set()
    try:
        for path, stream in members(download):
            inside = PurePosixPath(path)
            if source.in_directory:
                inside = PurePosixPath(*inside.parts[1:])
            if (ours := wanted.get(str(inside))) is None:
                continue
            if ours in seen:
                raise BionerError(f"{download}: expected each file once, got {path!r} twice")
            seen.add(ours)
            with (staging / ours).open("wb") as output:
                shutil.copyfileobj(stream, output, _CHUNK)
    # zipfile raises RuntimeError for encryption and NotImplementedError for unknown methods.
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise BionerError(
            f"{download}: expected a whole archive: {error}; remove it and start again"
        ) from None


def _check_size(path: Path, size: int, members: int = 0) -> None:
    if size > _MOST_UNPACKED_BYTES or members > _MOST_MEMBERS:
        raise BionerError(
            f"{path}: expected at most {_MOST_UNPACKED_BYTES:,} bytes in {_MOST_MEMBERS:,} files, "
            "got more; is it the right archive?"
        )


def _check_gzip(path: Path) -> None:
    """Reads a gzip stream to its end, where its checksum is.

    tarfile stops before the end, and takes a damaged header within the archive for the end.
    """
    size = 0
    with gzip.open(path) as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            size += len(chunk)
            _check_size(path, size)


def _tar_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    _check_gzip(path)
    with tarfile.open(path, "r:gz") as archive:
        for number, member in enumerate(archive):
            _check_size(path, 0, number)
            # Neither links nor devices.
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream


def _zip_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_size(path, sum(member.file_size for member in members), len(members))
        for member in members:
            if not member.is_dir():
                with archive.open(member) as stream:
                    yield member.filename, stream
