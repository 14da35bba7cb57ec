"""Where an export describes itself; no TensorFlow, so that readers need none."""

from __future__ import annotations

from pathlib import Path

# Within the SavedModel's directory: a JSON object.
METADATA_PATH = Path("assets.extra") / "tagger.metadata"
# The form of that object, its key "format".
METADATA_FORMAT = 1
