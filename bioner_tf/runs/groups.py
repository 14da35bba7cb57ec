"""Groups of runs that differ only in the seed."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bioner_tf.config import STRUCTURES, DataConfig, RunConfig
from bioner_tf.runs.collection import Run


@dataclasses.dataclass(frozen=True)
class Summary:
    """The values of one metric, one per seed; at least one."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Their sample standard deviation; None for a single value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def percent(self) -> str:
        """Writes fractions in per cent: ``73.90 ± 0.41``, without deviation if there is none."""
        mean = f"{100 * self.mean:.2f}"
        return mean if self.deviation is None else f"{mean} ± {100 * self.deviation:.2f}"


@dataclasses.dataclass(frozen=True)
class Group:
    """Finished runs with scores that differ only in the seed; at least one, sorted by seed."""

    runs: tuple[Run, ...]

    @property
    def config(self) -> RunConfig:
        """The settings, with the seed of the first run."""
        return self.runs[0].config

    @property
    def main(self) -> str:
        """The main corpus."""
        return self.runs[0].main

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in ascending order."""
        return tuple(run.config.training.seed for run in self.runs)

    @property
    def parameters(self) -> int:
        """Trainable parameters without the word table."""
        return self.runs[0].parameters

    def has(self, split: str) -> bool:
        """Whether all runs have scores on a split; always true for ``test``."""
        return all(run.scores(split) is not None for run in self.runs)

    def summary(self, metric: str, split: str = "test") -> Summary:
        """Returns the main corpus's ``precision``, ``recall`` or ``f1`` on a split, in [0, 1]."""
        scores = (run.scores(split) for run in self.runs)
        return Summary(tuple(score[metric] for score in scores if score is not None))


def settings_of(config: RunConfig) -> dict[str, Any]:
    """Returns a run's settings by flag, without the seed and without folders."""
    parts = json.loads(json.dumps(config.to_json())).values()
    settings = {name: value for part in parts for name, value in part.items()}
    del settings["seed"], settings["data_dir"]
    settings["vectors"] = Path(settings["vectors"]).name
    return settings


def default_settings() -> dict[str, Any]:
    """Returns the default settings, in the form of ``settings_of``, without corpora."""
    data = DataConfig(data_dir="", corpora=("main", "auxiliary"))
    return {**settings_of(RunConfig(data)), "corpora": []}


def format_setting(name: str, value: Any) -> str:
    """Writes a setting as its command-line flag, without the dashes."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={corpus}:{'+'.join(types)}" for corpus, types in value.items())
    return f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"


def group_runs(runs: Iterable[Run]) -> tuple[list[Group], dict[str, str]]:
    """Groups finished runs that have scores.

    Args:
        runs: Any runs; unfinished ones and ones without scores are left out.

    Returns:
        The groups, sorted by main corpus, structure and the rest; and the runs that repeat the
        settings and seed of another, each with the name of the run used instead. The run with
        the fewest parent directories is used, then the first by name.
    """
    found: dict[str, dict[int, Run]] = {}
    repeated = {}
    for run in sorted(runs, key=lambda run: (run.name.count("/"), run.name)):
        if not run.finished or run.scores() is None:
            continue
        # Runs on different versions of a corpus are not seeds of one setting.
        key = json.dumps([settings_of(run.config), run.fingerprints], sort_keys=True)
        first = found.setdefault(key, {}).setdefault(run.config.training.seed, run)
        if first is not run:
            repeated[run.name] = first.name
    groups = [Group(tuple(seeds[seed] for seed in sorted(seeds))) for seeds in found.values()]
    return sorted(groups, key=_order), repeated


def _order(group: Group) -> tuple[Any, ...]:
    config = group.config
    return (
        config.data.corpora[0],
        STRUCTURES.index(config.model.structure),
        config.data.corpora,
        config.model.crf,
        config.data.train_on,
        config.training.epochs,
        json.dumps(settings_of(config), sort_keys=True),
    )
