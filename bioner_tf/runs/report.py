"""The outcome of a run, ``report.json``, and the fingerprints of its corpora, ``corpora.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioner_tf.files import read_json_object
from bioner_tf.runs.checks import is_nested, is_number, require


def read_report(path: Path) -> dict[str, Any]:
    """Reads a report; returns an empty one where there is no such file.

    Raises:
        BionerError: The file is damaged.
    """
    if not path.exists():
        return {}
    report = read_json_object(path)
    require(_is_report(report), path, "the report of a run")
    return report


def read_fingerprints(path: Path) -> dict[str, dict[str, str]]:
    """Reads the fingerprints by corpus and split; returns none where there is no such file.

    Raises:
        BionerError: The file is damaged.
    """
    if not path.exists():
        return {}
    fingerprints = read_json_object(path)
    require(is_nested(fingerprints, str, depth=2), path, "fingerprints of corpora")
    return fingerprints


def _is_report(report: Mapping[str, Any]) -> bool:
    """Tells whether everything that is used of a report is there and has the right type."""
    parameters, scores = report.get("parameters"), report.get("scores", {})
    data, temperatures = report.get("data", {}), report.get("temperatures", {})
    return (
        isinstance(report.get("epochs", 0), int)
        and isinstance(parameters, dict)
        and {"parts", "total"} <= set(parameters)
        and is_number(parameters.get("rest"))
        and is_nested(data, object, depth=2)
        and all(is_number(each.get("training_sentences", 0)) for each in data.values())
        and is_nested(temperatures, float, depth=1)
        and all(temperature > 0 for temperature in temperatures.values())
        and is_nested(scores, object, depth=3)
        and all(
            is_number(score.get(metric))
            for splits in scores.values()
            for score in splits.values()
            for metric in ("precision", "recall", "f1")
        )
    )
