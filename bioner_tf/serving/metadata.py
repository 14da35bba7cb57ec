"""The metadata of an export, ``tagger.metadata``, and its checksums; needs no TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bioner_tf.checksums import (
    CHECKSUMS_FILE,
    hash_files,
    read_checksums,
    require_same_files,
    write_checksums,
)
from bioner_tf.errors import BionerError

# A JSON object; the path is relative to the SavedModel's directory.
METADATA_PATH = Path("assets.extra") / "tagger.metadata"
# The value of the metadata's key "format". Exports of format 1 need no checksums.
METADATA_FORMAT = 2
_READABLE_FORMATS = (1, METADATA_FORMAT)
CHECKSUMS_PATH = Path("assets.extra") / CHECKSUMS_FILE
# The files that decide the answers: there must be no other one.
_DECIDING = ("saved_model.pb", "variables/*", "assets/*", METADATA_PATH.as_posix())


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
    if found not in _READABLE_FORMATS:
        raise BionerError(
            f"{path}: expected an export of format {METADATA_FORMAT}, got {found!r}; export the "
            "run again with this version of bioner_tf, or use the version that made it"
        )
    return metadata


def write_export_checksums(saved_model: Path) -> None:
    """Writes the checksums of all files of an export, which must be complete."""
    names = _names(saved_model, ["**/*"])
    write_checksums(saved_model / CHECKSUMS_PATH, hash_files(saved_model, names))


def check_files(saved_model: Path, metadata: Mapping[str, Any]) -> None:
    """Checks the files of an export against its checksums.

    Args:
        saved_model: The directory of the SavedModel.
        metadata: Its metadata.

    Raises:
        BionerError: A file is missing or not the one that was exported, or there is one more of
            those that decide the answers; or the checksums are missing.
    """
    path = saved_model / CHECKSUMS_PATH
    if not path.exists():
        if metadata["format"] == 1:
            return
        raise BionerError(f"{path}: missing, so the export cannot be checked; export the run again")
    expected = read_checksums(path)
    found = hash_files(saved_model, {*expected, *_names(saved_model, _DECIDING)})
    require_same_files(saved_model, expected, found, "export the run again")


def _names(saved_model: Path, patterns: Iterable[str]) -> list[str]:
    paths = (path for pattern in patterns for path in saved_model.glob(pattern))
    return [path.relative_to(saved_model).as_posix() for path in paths if path.is_file()]
