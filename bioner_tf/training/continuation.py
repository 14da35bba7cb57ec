"""Checks, before a run continues, that its directory holds the same run."""

from __future__ import annotations

import json
import os
from typing import Any

from bioner_tf.config import RunConfig
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.report import read_fingerprints
from bioner_tf.training.checkpoints import list_epochs
from bioner_tf.training.inputs import TrainingInputs, Vocabularies


def require_same_run(directory: RunDirectory, config: RunConfig) -> None:
    """Raises UsageError if the directory holds a run with other settings or more epochs."""
    if not directory.config.exists():
        return
    # A run may continue for more epochs. Without --word_dim, it keeps its width.
    free = {"epochs"} if config.model.word_dim else {"epochs", "word_dim"}
    before = _flatten(RunConfig.load(directory.config))
    for setting, value in _flatten(config).items():
        if setting in ("data_dir", "vectors") and value:
            same = os.path.abspath(before[setting]) == os.path.abspath(value)
        else:
            same = before[setting] == value
        if setting not in free and not same:
            raise UsageError(
                f"{directory.root}: this run was begun with --{setting}={before[setting]}, got "
                f"{value}; give the same again, or another --run_dir"
            )
    trained = max(list_epochs(directory.checkpoints), default=0)
    if config.training.epochs < trained:
        raise UsageError(
            f"{directory.root}: this run has trained {trained} epochs already, got "
            f"--epochs={config.training.epochs}; give as many or more, or another --run_dir"
        )


def require_same_data(directory: RunDirectory, inputs: TrainingInputs) -> None:
    """Raises BionerError if the corpora or vectors have changed since the run began."""
    if not list_epochs(directory.checkpoints):
        return
    begun_with = read_fingerprints(directory.corpora)
    for corpus, splits in inputs.fingerprints().items():
        for split, found in splits.items():
            if corpus not in begun_with or split not in begun_with[corpus]:
                raise BionerError(
                    f"{directory.corpora}: expected the fingerprint of {corpus}, {split}: "
                    "put the file back, or give another --run_dir"
                )
            if found != begun_with[corpus][split]:
                raise BionerError(
                    f"{inputs.corpora[corpus].splits[split].path}: expected the sentences and "
                    f"tags that {directory.root} was begun with, got others; put the file back, or "
                    "give another --run_dir"
                )
    before = Vocabularies.load(directory.vocabulary, inputs.config)
    if not before.has_same_entries(inputs.vocabularies):
        raise BionerError(
            f"{directory.root}: expected the vectors that this run was begun with, got others: "
            "they give another vocabulary; put them back, or give another --run_dir"
        )


def _flatten(config: RunConfig) -> dict[str, Any]:
    """Returns the settings by flag, as JSON values."""
    parts = json.loads(json.dumps(config.to_json())).values()
    return {name: value for part in parts for name, value in part.items()}
