"""The record of the epochs, ``metrics.jsonl``: one JSON object for each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioner_tf.files import PathLike, parse_json_object, read_text, write_text_atomically
from bioner_tf.runs.checks import is_nested, require
from bioner_tf.runs.checksums import rewrite_files


def devel_f1_key(corpus: str) -> str:
    """Returns the key of a corpus's F1 on devel in the record of an epoch."""
    return f"{corpus}/devel_f1"


def read_history(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Reads the record of each epoch; returns none if there is no such file.

    Raises:
        BionerError: A line is damaged.
    """
    if not path.exists():
        return ()
    lines = read_text(path).splitlines()
    records = tuple(
        parse_json_object(f"{path}:{number}", line) for number, line in enumerate(lines, start=1)
    )
    for number, record in enumerate(records, start=1):
        require(is_nested(record, float, depth=1), f"{path}:{number}", "numbers by name")
    return records


class History:
    """The record of the epochs of a run in progress.

    Args:
        path: The file.
        epochs: The number of records to keep; later ones belong to lost work.
    """

    def __init__(self, path: PathLike, epochs: int):
        self._path = Path(path)
        self.records: list[dict[str, Any]] = [
            dict(record) for record in read_history(self._path)[:epochs]
        ]

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds the record of the next epoch."""
        self.records.append(dict(record))

    def save(self) -> None:
        """Writes the file, and its checksum in the run directory."""
        with rewrite_files(self._path.parent, self._path):
            write_text_atomically(self._path, "".join(json.dumps(r) + "\n" for r in self.records))

    def has_stalled(self, key: str, patience: int) -> bool:
        """Whether the last ``patience`` epochs (1 or more) brought no higher ``key``."""
        best = self.best_epoch(key)
        return best is not None and len(self.records) - best >= patience

    def best_epoch(self, key: str) -> int | None:
        """Returns the first epoch (from 1) with the highest ``key``; None if none has it."""
        values = [(record[key], -record["epoch"]) for record in self.records if key in record]
        return -max(values)[1] if values else None
