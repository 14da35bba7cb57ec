"""The scores of all runs: one table per main corpus, and the same numbers as CSV."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bioner_tf.config import ABBREVIATIONS
from bioner_tf.pages.blocks import (
    LEFT,
    RIGHT,
    Block,
    Heading,
    Paragraph,
    Table,
    csv_table,
)
from bioner_tf.runs.collection import Collection, Run
from bioner_tf.runs.groups import (
    Group,
    default_settings,
    format_setting,
    settings_of,
)

METRICS = ("precision", "recall", "f1")
# Settings with a column of their own.
_COLUMNS = ("structure", "corpora", "crf", "epochs", "train_on")
# Settings that only the adversarial structure uses.
_ONLY_ADVERSARIAL = ("alpha", "beta")


def corpus_tables(groups: Sequence[Group]) -> list[Block]:
    """Lays out all groups of runs, one table per main corpus.

    Args:
        groups: Sorted by main corpus, as ``group_runs`` returns them.
    """
    common, varying = _split_settings(groups)
    text = (
        "Entities count when span and type are exact. Scores are of the main corpus's test split, "
        "micro-averaged, in per cent: the mean over the seeds ± the sample standard deviation (a "
        "single seed has none). Within a main corpus, the best mean F1 is bold. Parameters are the "
        "trainable ones without the word table."
    )
    blocks: list[Block] = [Paragraph(text)]
    if common:
        shared = ", ".join(f"`{setting}`" for setting in common)
        blocks.append(Paragraph(f"All runs below use {shared}."))
    if changed := _changed_corpora(groups):
        names = ", ".join(f"`{name}`" for name in changed)
        blocks.append(
            Paragraph(
                f"These runs read different versions of {names}. Runs on different versions are "
                "different rows, and their scores cannot be compared."
            )
        )
    for main, members in itertools.groupby(groups, key=lambda group: group.main):
        blocks += [Heading(2, main), _corpus_table(list(members), varying)]
    return blocks


def _changed_corpora(groups: Iterable[Group]) -> list[str]:
    """Returns the corpora that the runs read in more than one version."""
    versions: dict[tuple[str, Any, str], set[str]] = {}
    for run in (run for group in groups for run in group.runs):
        for corpus, splits in run.fingerprints.items():
            for split, fingerprint in splits.items():
                key = corpus, run.config.data.types.get(corpus), split
                versions.setdefault(key, set()).add(fingerprint)
    return sorted({corpus for (corpus, *_), found in versions.items() if len(found) > 1})


def groups_csv(groups: Sequence[Group]) -> str:
    """Writes all groups as CSV, one per line; scores are fractions in [0, 1]."""
    header = ["main", "structure", "auxiliary", "crf", "epochs", "train_on", "settings", "seeds"]
    header += [f"{metric}_{part}" for metric in METRICS for part in ("mean", "sd")]
    rows = []
    for group in groups:
        config = group.config
        summaries = [group.summary(metric) for metric in METRICS]
        rows.append(
            [
                group.main,
                config.model.structure,
                " ".join(config.data.corpora[1:]),
                config.model.crf,
                config.training.epochs,
                config.data.train_on,
                " ".join(format_setting(*setting) for setting in unusual_settings(group).items()),
                " ".join(map(str, group.seeds)),
                *itertools.chain.from_iterable((s.mean, s.deviation) for s in summaries),
                group.parameters,
            ]
        )
    return csv_table([*header, "parameters"], rows)


def unusual_settings(group: Group) -> dict[str, Any]:
    """Returns the settings, by flag, that differ from the default and have no own column."""
    defaults = default_settings()
    return {
        name: value
        for name, value in settings_of(group.config).items()
        if name not in _COLUMNS
        and value != defaults[name]
        and not (name in _ONLY_ADVERSARIAL and group.config.model.structure != "adversarial")
        # Pretrained vectors determine word_dim.
        and not (name == "word_dim" and group.config.data.vectors)
    }


def _split_settings(groups: Sequence[Group]) -> tuple[list[str], dict[int, str]]:
    """Returns the unusual settings of all groups, and the other ones by ``id`` of the group."""
    written = {
        id(group): [format_setting(*setting) for setting in unusual_settings(group).items()]
        for group in groups
    }
    everywhere = [
        setting
        for setting in next(iter(written.values()), [])
        if all(setting in settings for settings in written.values())
    ]
    return everywhere, {
        key: ", ".join(f"`{setting}`" for setting in settings if setting not in everywhere)
        for key, settings in written.items()
    }


def _corpus_table(groups: Sequence[Group], varying: Mapping[int, str]) -> Table:
    best = max(group.summary("f1").mean for group in groups)
    # The scores stand on the left, where a narrow window shows them; long settings stand last.
    header = ["structure", "F1", "precision", "recall", "seeds", "with", "CRF", "epochs"]
    header += ["trained on", "parameters", "settings"]
    rows = []
    for group in groups:
        config = group.config
        precision, recall, f1 = (group.summary(metric).percent() for metric in METRICS)
        is_best = group.summary("f1").mean == best
        rows.append(
            [
                f"{ABBREVIATIONS[config.model.structure]} (`{config.model.structure}`)",
                f"**{f1}**" if is_best else f1,
                precision,
                recall,
                str(len(group.seeds)),
                ", ".join(config.data.corpora[1:]) or "–",
                config.model.crf,
                str(config.training.epochs),
                config.data.train_on.replace(",", " + "),
                f"{group.parameters:,}",
                varying[id(group)],
            ]
        )
    alignment = [LEFT] + [RIGHT] * 4 + [LEFT, LEFT, RIGHT, LEFT, RIGHT, LEFT]
    # Without the column of settings where there are none.
    shown = len(header) - (not any(row[-1] for row in rows))
    return Table(header[:shown], [row[:shown] for row in rows], alignment[:shown])


def left_out(collection: Collection, repeated: Mapping[str, str]) -> list[Block]:
    """Lists the runs that are in no table, with the reason.

    Args:
        collection: All runs.
        repeated: Those that repeat another, as ``group_runs`` returns them.
    """
    reasons = {run.name: _progress(run) for run in collection.runs if not run.finished}
    reasons.update((name, f"repeats {used}") for name, used in repeated.items())
    reasons.update((name, f"unreadable: {what}") for name, what in collection.unreadable.items())
    reasons.update(_unscored(collection.runs))
    reasons.update((name, f"failed: {error}") for name, error in collection.failed.items())
    if not reasons:
        return []
    rows = [list(row) for row in sorted(reasons.items())]
    return [Heading(2, "Not in the tables"), Table(["run", "why"], rows, [LEFT, LEFT])]


def _progress(run: Run) -> str:
    return f"unfinished: {len(run.history)} of {run.config.training.epochs} epochs"


def _unscored(runs: Iterable[Run]) -> dict[str, str]:
    return {
        run.name: f"no test scores; {run.parameters:,} parameters"
        for run in runs
        if run.finished and run.scores() is None
    }
