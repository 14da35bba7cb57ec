"""The outcome of a run of bioner-train, to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def bits(prefix: Path) -> dict[str, tuple]:
    """Every tensor of a TensorFlow checkpoint, to the bit."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    return {name: (np.shape(value), np.asarray(value).tobytes()) for name, value in tensors.items()}


def outcome(run_dir: Path) -> dict[str, object]:
    """Returns a run's outcome, without times and TensorBoard's events; of exports the newest."""
    records = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    for record in records:
        assert record.pop("seconds") > 0
    # A killed writer may leave a hidden file behind.
    texts = [*run_dir.glob("vocabulary/[!.]*"), *run_dir.glob("predictions/[!.]*")]
    texts.append(run_dir / "report.json")
    return {
        "metrics": records,
        "checkpoints": {
            path.name: bits(path / "state") for path in run_dir.glob("checkpoints/epoch-*")
        },
        "export": bits(max((run_dir / "export").glob("[0-9]")) / "variables" / "variables"),
        **{str(path.relative_to(run_dir)): path.read_text(encoding="utf-8") for path in texts},
    }


def assert_same_outcome(run_dir: Path, reference: dict[str, object]) -> None:
    actual = outcome(run_dir)
    assert actual["metrics"] == reference["metrics"]
    # Not compared as a whole: pytest would print all the bits.
    different = [name for name in {*actual, *reference} if actual.get(name) != reference.get(name)]
    assert not different
