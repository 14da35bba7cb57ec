"""The description of an export, ``tagger.metadata``; readable without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioner_tf.errors import BionerError

# Within the SavedModel's directory: a JSON object.
METADATA_PATH = Path("assets.extra") / "tagger.metadata"
# The form of that object, its key "format".
METADATA_FORMAT = 1


def read_metadata(saved_model: Path) -> dict[str, Any]:
    """Reads the metadata of an export.

    Args:
        saved_model: The directory of the SavedModel.

    Raises:
        BionerError: It is missing, damaged or of another format.
    """
    path = saved_model / METADATA_PATH
    try:
        metadata = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BionerError(
            f"{path}: missing, so this SavedModel is no export of bioner_tf, or not all of it"
        ) from error
    except (OSError, ValueError) as error:
        raise BionerError(f"{path}: expected JSON: {error}") from error
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if found != METADATA_FORMAT:
        raise BionerError(
            f"{path}: expected an export of format {METADATA_FORMAT}, got {found!r}; export the "
            "run again with this version of bioner_tf, or use the version that made it"
        )
    return metadata
