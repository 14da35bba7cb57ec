"""The checksums of a run's files: a changed letter is found before it gives other answers.

A file that is being written has no checksum meanwhile, so a kill leaves no wrong one. Runs of
earlier versions have none at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from bioner_tf.checksums import (
    CHECKSUMS_FILE,
    hash_files,
    read_checksums,
    require_same_files,
    write_checksums,
)

_ADVICE = f"put it back, or, if the change is meant, remove its line from {CHECKSUMS_FILE}"


@contextlib.contextmanager
def rewrite_files(run_dir: Path, *paths: Path) -> Iterator[None]:
    """Leaves files without checksums while the block writes them; records them afterwards.

    Args:
        run_dir: The run directory; the caller must be its only writer.
        paths: Files, and directories of files, in it.
    """
    record = run_dir / CHECKSUMS_FILE
    others = {
        name: digest
        for name, digest in read_checksums(record).items()
        if not any(path == run_dir / name or path in (run_dir / name).parents for path in paths)
    }
    write_checksums(record, others)
    yield
    files = [
        file
        for path in paths
        for file in (path.iterdir() if path.is_dir() else [path])
        if not file.name.startswith(".")
    ]
    names = [file.relative_to(run_dir).as_posix() for file in files]
    write_checksums(record, {**others, **hash_files(run_dir, names)})


def check_files(run_dir: Path, paths: Iterable[Path] | None = None) -> None:
    """Checks files of a run against their checksums, as far as it has any.

    Args:
        run_dir: The run directory; a training may be writing there.
        paths: The files; by default all.

    Raises:
        BionerError: A file is missing, or is not the one that was written.
    """
    names = None if paths is None else {path.relative_to(run_dir).as_posix() for path in paths}
    before = read_checksums(run_dir / CHECKSUMS_FILE)
    while True:
        expected = {n: digest for n, digest in before.items() if names is None or n in names}
        found = hash_files(run_dir, expected)
        now = read_checksums(run_dir / CHECKSUMS_FILE)
        # Otherwise a training has written meanwhile.
        if found == expected or now == before:
            break
        before = now
    require_same_files(run_dir, expected, found, _ADVICE)
