"""The checksums of a directory's files, ``SHA256SUMS``, as ``sha256sum --check`` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, hash_file, read_text, write_text_atomically

CHECKSUMS_FILE = "SHA256SUMS"


def read_checksums(path: PathLike) -> dict[str, str]:
    """Reads the SHA-256 of each file by its name; none where there is no such file.

    Raises:
        BionerError: The file is damaged.
    """
    path = Path(path)
    if not path.exists():
        return {}
    sums = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        match = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if match is None:
            raise BionerError(
                f"{path}:{number}: expected a SHA-256, two spaces and a file; got {line[:80]!r}"
            )
        sums[match[2]] = match[1]
    return sums


def write_checksums(path: PathLike, sums: Mapping[str, str]) -> None:
    """Writes the SHA-256 of each file, by its name relative to the directory of ``path``."""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    write_text_atomically(path, "".join(lines))


def hash_files(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Returns the SHA-256 of each of the named files that exists."""
    return {name: hash_file(root / name) for name in names if (root / name).exists()}


def require_same_files(
    root: Path, expected: Mapping[str, str], found: Mapping[str, str], advice: str
) -> None:
    """Compares checksums.

    Args:
        root: The directory of the files.
        expected: The SHA-256 of each file that was written.
        found: The SHA-256 of each file that is there.
        advice: What to do where they differ.

    Raises:
        BionerError: A file is missing, or is not the one that was written, or there is one more.
    """
    for name in sorted({*expected, *found}):
        before, now = expected.get(name), found.get(name)
        if before != now:
            if before is None:
                problem = f"not in {CHECKSUMS_FILE}, expected no such file"
            elif now is None:
                problem = f"missing, expected the file of SHA-256 {before}"
            else:
                problem = f"expected SHA-256 {before}, got {now}: damaged or changed"
            raise BionerError(f"{root / name}: {problem}; {advice}")
