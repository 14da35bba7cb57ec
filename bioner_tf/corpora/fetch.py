"""Gets the paper's corpora and word vectors: resumable, checked, complete or not at all.

``data/corpora.sha256`` pins what is known of the corpora. ``SHA256SUMS`` in the target directory
records what was fetched: where nothing is pinned, the first fetch decides, and later fetches must
give the same content.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from bioner_tf.checksums import CHECKSUMS_FILE, read_checksums, write_checksums
from bioner_tf.corpora.archives import unpack
from bioner_tf.corpora.download import Report, download, forget
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import PathLike, hash_file, publish_file, stage_files

# The repository's commit; GitHub completes it. The SHA-256 of its files are pinned.
COMMIT = "df0df02"
_PINS = Path(__file__).parents[1] / "data" / "corpora.sha256"
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


@dataclasses.dataclass(frozen=True)
class Source:
    """Something to fetch.

    Attributes:
        url: The file that is downloaded.
        files: The files that come of it, below the target directory, each with where it stands in
            the archive, without the archive's first directory; None: it is the download itself.
        licence: What the user must know about its use.
        in_directory: Whether everything in the archive stands below one directory.
        pins: The SHA-256 of files, by their names below the target directory, where it is known.
    """

    url: str
    files: Mapping[str, str | None]
    licence: str
    in_directory: bool = False
    pins: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the downloaded file, by which a mirror has it, too."""
        return self.url.rpartition("/")[2]


def _word2vec(name: str) -> Source:
    return Source(
        f"https://evexdb.org/pmresources/vec-space-models/{name}.bin",
        {f"{name}.bin": None},
        "word2vec vectors by Pyysalo et al. (2013); their terms are at bio.nlplab.org",
    )


def sources(commit: str = COMMIT, pinned: bool = True) -> dict[str, Source]:
    """What there is to fetch, by name.

    Args:
        commit: The commit of the repository that has the corpora.
        pinned: Whether the corpora must be those of the paper. Another commit may have others.
    """
    pins = read_checksums(_PINS) if pinned and commit.startswith(COMMIT) else {}
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
            pins=pins,
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


def select_sources(
    names: list[str], commit: str = COMMIT, pinned: bool = True
) -> dict[str, Source]:
    """Picks from ``sources`` by name; ``vectors`` stands for all vectors.

    Raises:
        UsageError: A name is not known.
    """
    known = sources(commit, pinned)
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
        BionerError: It cannot be had, is not what it was the first time, or is not what is pinned.
        UsageError: The mirror is an address that is neither http nor https.
    """
    target = Path(target)
    sums = read_checksums(target / CHECKSUMS_FILE)
    if all(_is_whole(target, name, sums, source.pins) for name in source.files):
        _remove_leftovers(target, source)
        report(f"{source.name}: everything is there and as recorded")
        return []
    with stage_files(target / "fetch") as staging:
        report(f"{source.name}: {source.licence}")
        sums = read_checksums(target / CHECKSUMS_FILE)
        found = _stage(source, target, staging, mirror, report, sums)
        for name, digest in found.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            _keep_changed_file(target / name, digest, report)
            publish_file(staging / name, target / name)
        # By way of the staging directory, so that a kill leaves nothing elsewhere.
        write_checksums(staging / CHECKSUMS_FILE, {**sums, **found})
        publish_file(staging / CHECKSUMS_FILE, target / CHECKSUMS_FILE)
        forget(_download_file(target, source))
    for name in found:
        if name not in {**source.pins, **sums}:
            report(f"  {name}: accepted as it came, its SHA-256 is not known")
    report(f"{source.name}: {len(found)} files in {target}")
    return [name for name in source.files if name not in found]


def _remove_leftovers(target: Path, source: Source) -> None:
    """Removes what is left when a process is killed after the last file came into place."""
    patterns = (".partial-fetch", f"{_download_file(target, source).name}*")
    if any(path for pattern in patterns for path in target.glob(pattern)):
        # Refused if another fetch is running, whose files they are then.
        with contextlib.suppress(BionerError), stage_files(target / "fetch"):
            forget(_download_file(target, source))


def _is_whole(target: Path, name: str, sums: Mapping[str, str], pins: Mapping[str, str]) -> bool:
    recorded = sums.get(name)
    if recorded is None or pins.get(name, recorded) != recorded:
        return False
    return (target / name).is_file() and hash_file(target / name) == recorded


def _keep_changed_file(path: Path, digest: str, report: Report) -> None:
    """Moves a file that is not the fetched one aside: somebody may have edited it."""
    if path.is_file() and hash_file(path) != digest:
        kept = path.with_name(f"{path.name}.changed")
        number = 1
        while kept.exists():
            number += 1
            kept = path.with_name(f"{path.name}.changed-{number}")
        os.replace(path, kept)
        report(f"  {path} was not as fetched: it is now {kept.name}")


def _stage(
    source: Source,
    target: Path,
    staging: Path,
    mirror: str | None,
    report: Report,
    sums: Mapping[str, str],
) -> dict[str, str]:
    """Puts the source's files into a new directory; returns the SHA-256 of each."""
    url = None
    if mirror is None:
        url = source.url
    elif _is_url(mirror):
        url = f"{mirror.rstrip('/')}/{source.name}"
    origin = Path(mirror or "")
    if url:
        origin = _download_file(target, source)
        download(url, origin, report)
    elif (origin / source.name).exists():
        origin /= source.name
    try:
        _copy_files(source, origin, staging)
        return _check_files(source, origin, staging, sums)
    except BionerError as error:
        if url is None:
            raise
        # It came whole, and yet it is wrong: continuing it would end here again.
        forget(origin)
        raise BionerError(f"{error} (this download of {url} is now removed)") from None


def _is_url(place: str) -> bool:
    """Tells an address from a directory.

    Raises:
        UsageError: It is an address of another kind.
    """
    if "://" not in place:
        return False
    if not re.match("https?://[^/]", place, re.IGNORECASE):
        raise UsageError(f"--from: expected a directory, or http:// or https://; got {place!r}")
    return True


def _copy_files(source: Source, origin: Path, staging: Path) -> None:
    """Copies the source's files from a directory, an archive, or the file that they are."""
    for name in source.files:
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
    targets = {inside: staging / name for name, inside in source.files.items() if inside}
    if origin.is_dir():
        for name in source.files:
            if (origin / name).is_file():
                shutil.copyfile(origin / name, staging / name)
    elif targets:
        unpack(origin, targets, source.in_directory)
    else:
        (name,) = source.files
        shutil.copyfile(origin, staging / name)


def _check_files(
    source: Source, origin: Path, staging: Path, sums: Mapping[str, str]
) -> dict[str, str]:
    """Returns the SHA-256 of each file that is there.

    Raises:
        BionerError: None is there, or one is not the pinned or the recorded one.
    """
    found = {name: hash_file(staging / name) for name in source.files if (staging / name).exists()}
    if not found:
        raise BionerError(
            f"{origin}: expected {source.name}, or the files of it such as "
            f"{next(iter(source.files))}, got none of them"
        )
    for name, digest in found.items():
        pinned, recorded = source.pins.get(name), sums.get(name)
        if pinned not in (None, digest):
            raise BionerError(
                f"{origin}: expected {name} of the paper's corpora, of SHA-256 {pinned}, got "
                f"{digest}: a damaged file, or another version, which --nopinned accepts"
            )
        if pinned is None and recorded not in (None, digest):
            raise BionerError(
                f"{origin}: expected {name} of SHA-256 {recorded}, as {CHECKSUMS_FILE} records, "
                f"got {digest}; if the change is meant, remove its line there and fetch again"
            )
    return found


def _download_file(target: Path, source: Source) -> Path:
    return target / f".download-{source.name}"
