"""A directory of exported versions: lists them, removes old ones, finds the newest."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, lock_directory, remove_directory, remove_leftovers
from bioner_tf.serving.metadata import METADATA_PATH

_SAVED_MODEL = "saved_model.pb"


@contextlib.contextmanager
def lock_exports(export_dir: PathLike) -> Iterator[None]:
    """Lets only one process export into a directory of versions, for as long as the block runs.

    What killed exports left is removed first.

    Raises:
        BionerError: Another process exports into it.
    """
    with lock_directory(export_dir, "export.lock"):
        remove_leftovers(export_dir)
        yield


def list_versions(export_dir: PathLike) -> list[int]:
    """Lists the versions in a directory in ascending order; none if the directory is missing."""
    directory = Path(export_dir)
    if not directory.is_dir():
        return []
    # Like TensorFlow Serving, ignore names that are not plain numbers.
    names = (entry.name for entry in directory.iterdir() if entry.is_dir())
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]+", name))


def prune_versions(export_dir: PathLike, keep: int) -> list[int]:
    """Removes the older exports from a directory of versions.

    Each version is removed in one step, so that no server loads half of it. Directories that
    bioner_tf did not export are neither counted nor removed.

    Args:
        export_dir: The directory of versions.
        keep: How many of the newest to keep, at least 1.

    Returns:
        The versions that were removed, in ascending order.
    """
    directory = Path(export_dir)
    exports = [v for v in list_versions(directory) if (directory / str(v) / METADATA_PATH).exists()]
    for version in exports[:-keep]:
        remove_directory(directory / str(version))
    return exports[:-keep]


def find_saved_model(path: PathLike) -> Path:
    """Finds the SavedModel at a path; the newest one if there are several versions.

    Args:
        path: A SavedModel, a directory of versions, or a run directory.

    Raises:
        BionerError: If there is none.
    """
    path = Path(path)
    if not path.exists():
        raise BionerError(f"{path}: expected an exported tagger, but there is no such directory")
    if not path.is_dir():
        raise BionerError(f"{path}: expected the directory of an exported tagger, got a file")
    if (path / _SAVED_MODEL).is_file():
        return path
    for parent in (path, path / "export"):
        versions = [found.parent for found in parent.glob(f"*/{_SAVED_MODEL}")]
        versions = [v for v in versions if v.name.isascii() and v.name.isdigit()]
        if versions:
            return max(versions, key=lambda version: int(version.name))
    raise BionerError(
        f"{path}: expected an exported tagger ({_SAVED_MODEL}), a directory of its versions or a "
        "run directory, found none of them; export a run with bioner-export"
    )
