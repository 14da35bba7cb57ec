"""The metadata of an export, ``tagger.metadata``, and its checksums; needs no TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioner_tf.errors import BionerError
from bioner_tf.files import hash_file

# A JSON object; the path is relative to the SavedModel's directory.
METADATA_PATH = Path("assets.extra") / "tagger.metadata"
# The value of the metadata's key "format".
METADATA_FORMAT = 1
# The SHA-256 of each file that affects the outputs, in the format of ``sha256sum``.
CHECKSUMS_PATH = Path("assets.extra") / "SHA256SUMS"
_CHECKED = ("saved_model.pb", "variables/*", "assets/*", METADATA_PATH.as_posix())


def read_metadata(saved_model: Path) -> dict[str, Any]:
    """Reads the metadata of an export.

    Args:
        saved_model: The directory of the SavedModel.

    Raises:
        BionerError: If it is missing, damaged or of another format.
    """
    path = saved_model / METADATA_PATH
    try:
        metadata = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BionerError(
            f"{path}: missing; this SavedModel was not exported by bioner_tf, or is incomplete"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BionerError(f"{path}: expected JSON: {error}") from error
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if found != METADATA_FORMAT:
        raise BionerError(
            f"{path}: expected an export of format {METADATA_FORMAT}, got {found!r}; export the "
            "run again with this version of bioner_tf, or use the version that made it"
        )
    return metadata


def write_checksums(saved_model: Path) -> None:
    """Writes the checksums of an export's files next to its metadata."""
    sums = _checksums(saved_model)
    lines = (f"{digest}  {name}\n" for name, digest in sums.items())
    (saved_model / CHECKSUMS_PATH).write_text("".join(lines), encoding="utf-8")


def check_files(saved_model: Path) -> None:
    """Checks the files of an export against its checksums; older exports have no checksums.

    Raises:
        BionerError: If a file is missing, was changed or was added.
    """
    path = saved_model / CHECKSUMS_PATH
    if not path.exists():
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        found = _checksums(saved_model)
    except (OSError, ValueError) as error:
        raise BionerError(f"{path}: cannot check the export's checksums: {error}") from error
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            raise BionerError(
                f"{saved_model / name}: expected SHA-256 {expected.get(name)}, got "
                f"{found.get(name)}: the file is damaged or was changed; export the run again"
            )


def _checksums(saved_model: Path) -> dict[str, str]:
    paths = sorted(path for pattern in _CHECKED for path in saved_model.glob(pattern))
    return {path.relative_to(saved_model).as_posix(): hash_file(path) for path in paths}
