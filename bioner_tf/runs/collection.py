"""Reads all run directories of ``bioner-train`` below a directory."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bioner_tf.config import RunConfig
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, read_json_object
from bioner_tf.runs.checks import require
from bioner_tf.runs.checksums import check_files
from bioner_tf.runs.directory import CONFIG_FILE, RunDirectory
from bioner_tf.runs.history import read_history
from bioner_tf.runs.report import read_fingerprints, read_report

# Written by bioner-sweep when a run failed.
FAILURE_FILE = "failure.json"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as its directory records it.

    Attributes:
        name: The path of its directory, relative to the searched one, with slashes.
        path: The run directory.
        config: The settings.
        report: The content of ``report.json``; empty if there is none yet.
        history: One record per epoch.
        fingerprints: The fingerprints by corpus and split; empty if they were not recorded.
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
        """Whether it has a report on as many epochs as its settings ask for."""
        # A run that is continued with more epochs keeps its old report until it has finished.
        epochs = self.report.get("epochs", len(self.history))
        return bool(self.report) and epochs == self.config.training.epochs

    @property
    def parameters(self) -> int:
        """Trainable parameters without the word table."""
        return int(self.report["parameters"]["rest"])

    def scores(self, split: str = "test") -> Mapping[str, Any] | None:
        """Returns the main corpus's scores on a split, in [0, 1]; None if there are none."""
        scores: Mapping[str, Any] = self.report.get("scores", {})
        return scores.get(self.main, {}).get(split)


@dataclasses.dataclass(frozen=True)
class Collection:
    """The runs below a directory.

    Attributes:
        runs: The runs, sorted by name.
        unreadable: The error of each run directory that cannot be read, by name.
        failed: The error of each run whose last start failed, by name.
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
            # Keep the file's name; its path on this machine does not help a reader of the report.
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
    check_files(files.root, (files.config, files.report, files.corpora, files.metrics))
    config = RunConfig.load(files.config)
    report, fingerprints = read_report(files.report), read_fingerprints(files.corpora)
    main = config.data.corpora[0]
    history = read_history(files.metrics)
    for number, record in enumerate(history, start=1):
        place = f"{files.metrics}:{number}"
        require({"epoch", f"{main}/loss"} <= set(record), place, f"the epoch and loss of {main}")
    return Run(name, files.root, config, report, history, fingerprints)


def read_failure(directory: PathLike) -> str | None:
    """Returns why the last start of a run failed, as bioner-sweep recorded it; else None."""
    path = Path(directory) / FAILURE_FILE
    if not path.exists():
        return None
    failure = read_json_object(path)
    require("error" in failure, path, "an error")
    return str(failure["error"])


def _run_directories(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        if CONFIG_FILE in files or FAILURE_FILE in files:
            yield Path(directory)
            names.clear()  # do not search inside a run
        names[:] = sorted(name for name in names if not name.startswith("."))
