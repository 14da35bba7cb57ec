"""Reads what ``bioner-train`` has left in the run directories below a directory."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bioner_tf.config import RunConfig
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike
from bioner_tf.runs.directory import CONFIG_FILE, RunDirectory

# bioner-sweep leaves it where a run failed.
FAILURE_FILE = "failure.json"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as its directory records it.

    Attributes:
        name: Its directory below the one that was searched, with slashes.
        path: Its directory.
        config: Its settings.
        report: Its outcome; empty while there is none.
        history: One record an epoch.
        fingerprints: Of each corpus and split that it read; empty where that was not recorded.
    """

    name: str
    path: Path
    config: RunConfig
    report: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    fingerprints: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    @property
    def main(self) -> str:
        """The main corpus."""
        return self.config.data.corpora[0]

    @property
    def finished(self) -> bool:
        """Whether it has an outcome, of as many epochs as its settings ask for."""
        # A run that goes on with more epochs has an old report for as long as it lasts.
        epochs = self.report.get("epochs", len(self.history))
        return bool(self.report) and epochs == self.config.training.epochs

    @property
    def parameters(self) -> int:
        """Trainable parameters without the word table."""
        return int(self.report["parameters"]["rest"])

    def scores(self, split: str = "test") -> Mapping[str, Any] | None:
        """The main corpus's scores on a split, fractions in [0, 1]; None where there are none."""
        scores: Mapping[str, Any] = self.report.get("scores", {})
        return scores.get(self.main, {}).get(split)


@dataclasses.dataclass(frozen=True)
class Collection:
    """The runs below a directory.

    Attributes:
        runs: By name.
        unreadable: What is wrong with the directories that look like runs and are none, by name.
        failed: The errors of those whose last start failed, by name.
    """

    runs: tuple[Run, ...]
    unreadable: Mapping[str, str]
    failed: Mapping[str, str]


def collect_runs(sweep_dir: PathLike) -> Collection:
    """Reads all runs below a directory, which may be a run itself.

    Raises:
        BionerError: There is no such directory, or no run in it.
    """
    root = Path(sweep_dir)
    if not root.is_dir():
        raise BionerError(f"{root}: expected a directory of runs, got none; see --sweep_dir")
    runs, unreadable, failed = [], {}, {}
    for directory in _run_directories(root):
        name = directory.relative_to(root).as_posix() if directory != root else root.name
        try:
            if (failure := read_failure(directory)) is not None:
                failed[name] = failure
            if (directory / CONFIG_FILE).exists():
                runs.append(read_run(directory, name))
        except (BionerError, OSError) as error:
            # A message names the file, whose place on this machine is of no use to a reader.
            unreadable[name] = str(error).replace(f"{directory}{os.sep}", "")
    if not runs and not unreadable and not failed:
        raise BionerError(
            f"{root}: expected run directories of bioner-train somewhere below, got none"
        )
    return Collection(tuple(runs), unreadable, failed)


def read_run(directory: PathLike, name: str) -> Run:
    """Reads one run.

    Raises:
        BionerError: It is not a run, or one of its files is damaged.
    """
    files = RunDirectory(Path(directory))
    config = RunConfig.load(files.config)
    report, fingerprints = (
        _read(path) if path.exists() else {} for path in (files.report, files.corpora)
    )
    main = config.data.corpora[0]
    _require(not report or _is_report(report), files.report, "the report of a run")
    _require(_is_nested(fingerprints, str, depth=2), files.corpora, "fingerprints of corpora")
    history = read_history(files.metrics)
    for number, record in enumerate(history, start=1):
        place = f"{files.metrics}:{number}"
        _require({"epoch", f"{main}/loss"} <= set(record), place, f"the epoch and loss of {main}")
    return Run(name, files.root, config, report, history, fingerprints)


def read_history(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Reads one record an epoch from a run's ``metrics.jsonl``; none where there is no such file.

    Raises:
        BionerError: A line of it is damaged.
    """
    if not path.exists():
        return ()
    lines = _read_text(path).splitlines()
    records = tuple(_parse(f"{path}:{number}", line) for number, line in enumerate(lines, start=1))
    for number, record in enumerate(records, start=1):
        _require(_is_nested(record, float, depth=1), f"{path}:{number}", "numbers by name")
    return records


def read_failure(directory: PathLike) -> str | None:
    """Why the last start of a run failed, where bioner-sweep has recorded that it did."""
    path = Path(directory) / FAILURE_FILE
    if not path.exists():
        return None
    failure = _read(path)
    _require("error" in failure, path, "an error")
    return str(failure["error"])


def _run_directories(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        if CONFIG_FILE in files or FAILURE_FILE in files:
            yield Path(directory)
            names.clear()  # what is within a run is part of it
        names[:] = sorted(name for name in names if not name.startswith("."))


def _is_report(report: Mapping[str, Any]) -> bool:
    """Whether all that is used of a report is there and has the right type."""
    parameters, scores = report.get("parameters"), report.get("scores", {})
    data = report.get("data", {})
    return (
        isinstance(report.get("epochs", 0), int)
        and isinstance(parameters, dict)
        and _is_number(parameters.get("rest"))
        and _is_nested(data, object, depth=2)
        and all(_is_number(each.get("training_sentences", 0)) for each in data.values())
        and _is_nested(scores, object, depth=3)
        and all(
            _is_number(score.get(metric))
            for splits in scores.values()
            for score in splits.values()
            for metric in ("precision", "recall", "f1")
        )
    )


def _is_nested(value: Any, leaf: type, depth: int) -> bool:
    """Whether a value is a dict of dicts, so many levels deep, of leaves of a type."""
    if depth:
        return isinstance(value, dict) and all(
            _is_nested(each, leaf, depth - 1) for each in value.values()
        )
    return _is_number(value) if leaf is float else isinstance(value, leaf)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def _require(holds: bool, place: PathLike, expected: str) -> None:
    if not holds:
        raise BionerError(f"{place}: expected {expected}, got something else; is the file damaged?")


def _read(path: Path) -> Mapping[str, Any]:
    return _parse(path, _read_text(path))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BionerError(f"{path}: expected UTF-8 text: {error}") from None


def _parse(place: PathLike, text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BionerError(f"{place}: expected JSON: {error}") from None
    if not isinstance(value, dict):
        raise BionerError(f"{place}: expected a JSON object, got {type(value).__name__}")
    return value
