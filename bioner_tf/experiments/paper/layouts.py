"""The paper's tables in the paper's layout, filled with our runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bioner_tf.config import ABBREVIATIONS, STRUCTURES
from bioner_tf.experiments.paper import experiments as paper
from bioner_tf.experiments.paper.claims import CLAIMS, NOT_RUN
from bioner_tf.experiments.paper.experiments import MAINS, Results
from bioner_tf.pages.blocks import LEFT, RIGHT, Block, Heading, Paragraph, Table
from bioner_tf.runs.groups import Group
from bioner_tf.scoring.statistics import Difference, holm, welch_test

METRICS = {"precision": "P", "recall": "R", "f1": "F1"}

_MISSING = "–"
_LEVEL = 0.05
_STM, _CS = "single_task", "cross_sharing"
# Smaller tables are left out: the tables of all runs show the same.
_FEWEST_CELLS = 2


class _Grid:
    """Builds a table whose cells are groups of runs.

    Args:
        header: The names of the columns, label columns first.
        labels: The number of columns that are aligned left, because they hold words.
    """

    def __init__(self, header: list[str], labels: int):
        self._header = header
        self._labels = labels
        self._rows: list[list[str]] = []
        self._cells = 0
        self._pairs: dict[str, Difference] = {}

    def add(
        self,
        labels: list[str],
        groups: list[Group | None],
        metrics: Sequence[str] = (),
        base: Group | None = None,
        names: Sequence[str] = (),
        split: str = "test",
    ) -> None:
        """Adds a row.

        Args:
            labels: The labels of the row.
            groups: One group per column; None where nothing was run.
            metrics: The metric of each column; by default F1. The best F1 is bold.
            base: The single task; arrows show which groups are above and below it.
            names: The name of each column in the tests of F1 against ``base``; empty: no tests.
            split: The scored split.
        """
        columns = list(zip(groups, metrics or ["f1"] * len(groups)))
        # Precision, recall and F1 together count as one cell.
        f1s = [g.summary("f1", split).mean for g, metric in columns if g and metric == "f1"]
        self._cells += len(f1s)
        best = max(f1s) if len(f1s) > 1 else None
        cells = [_cell(group, metric, best, base, split) for group, metric in columns]
        self._rows.append([*labels, *cells])
        for (group, metric), name in zip(columns, names):
            if metric == "f1" and group and base and group is not base:
                found = welch_test(group.summary("f1").values, base.summary("f1").values)
                if found is not None:
                    self._pairs[name] = found

    def blocks(self) -> list[Block]:
        """Returns the table and its tests; nothing if it has fewer than ``_FEWEST_CELLS`` cells."""
        if self._cells < _FEWEST_CELLS:
            return []
        alignment = [LEFT] * self._labels + [RIGHT] * (len(self._header) - self._labels)
        return [Table(self._header, self._rows, alignment), *_tests(self._pairs)]


def _cell(
    group: Group | None,
    metric: str,
    best: float | None,
    base: Group | None,
    split: str,
) -> str:
    if group is None:
        return _MISSING
    summary = group.summary(metric, split)
    if metric != "f1":
        return summary.percent()
    text = f"**{summary.percent()}**" if summary.mean == best else summary.percent()
    if base is None or group is base:
        return text
    difference = summary.mean - base.summary(metric, split).mean
    return text + (" ↑" if difference > 0 else " ↓" if difference < 0 else "")


def _tests(pairs: Mapping[str, Difference]) -> list[Block]:
    if not pairs:
        return []
    adjusted = holm({name: found.p for name, found in pairs.items()})
    rows = [
        [
            name,
            f"{100 * found.difference:+.2f}",
            f"{found.p:.4f}",
            f"{adjusted[name]:.4f}",
            "yes" if adjusted[name] <= _LEVEL else "no",
        ]
        for name, found in pairs.items()
    ]
    header = ["against STM", "F1", "p", "p (Holm)", f"significant at {_LEVEL:.0%}"]
    return [Table(header, rows, [LEFT] + [RIGHT] * 3 + [LEFT])]


def _table_2(results: Results) -> list[Block]:
    grid = _Grid(["corpus", "", *ABBREVIATIONS.values()], labels=2)
    for main in MAINS:
        groups = [results.find(structure, main) for structure in STRUCTURES]
        names = [f"{ABBREVIATIONS[structure]} on {main}" for structure in STRUCTURES]
        for metric, short in METRICS.items():
            label = paper.with_partner(main) if metric == "precision" else ""
            grid.add([label, short], groups, [metric] * len(groups), groups[0], names)
    return grid.blocks()


def _table_3(results: Results) -> list[Block]:
    rows, found = [], 0
    for main in MAINS:
        groups = [results.find(structure, main) for structure in STRUCTURES]
        found += sum(group is not None for group in groups)
        counts = [f"{group.parameters:,}" if group else _MISSING for group in groups]
        rows.append([paper.with_partner(main), *counts])
    if found < _FEWEST_CELLS:
        return []
    header = ["corpora", *ABBREVIATIONS.values()]
    return [Table(header, rows, [LEFT] + [RIGHT] * len(STRUCTURES))]


def _by_auxiliary(results: Results, auxiliaries: tuple[str, ...]) -> list[Block]:
    grid = _Grid(["corpus", "STM", *auxiliaries], labels=1)
    for main in MAINS:
        base = results.find(_STM, main)
        groups = [results.find(_CS, main, auxiliary=each) for each in auxiliaries]
        names = ["", *(f"{main} + {each}" for each in auxiliaries)]
        grid.add([main], [base, *groups], base=base, names=names)
    # A table with the single task alone would repeat other tables.
    has_any = any(results.find(_CS, main, auxiliary=each) for main in MAINS for each in auxiliaries)
    return grid.blocks() if has_any else []


def _table_6(results: Results) -> list[Block]:
    columns = [f"{name} {short}" for name in ("STM", "CS-MTM") for short in METRICS.values()]
    grid = _Grid(["corpus", "size", *columns], labels=1)
    metrics = [*METRICS] * 2
    for main in MAINS:
        for fraction in paper.FRACTIONS:
            stm, cs = (results.find(each, main, fraction=fraction) for each in (_STM, _CS))
            groups = [stm] * len(METRICS) + [cs] * len(METRICS)
            names = [f"CS-MTM on {main}, {fraction:.0%}"] * len(metrics)
            grid.add([paper.with_partner(main), f"{fraction:.0%}"], groups, metrics, stm, names)
    return grid.blocks()


def _table_7(results: Results) -> list[Block]:
    names = [name for name in paper.VECTORS if any(p.vectors == name for p in results.groups)]
    if len(names) < _FEWEST_CELLS:
        return []
    grid = _Grid(["corpus", "structure", *paper.VECTORS], labels=2)
    for main in MAINS:
        for structure in (_STM, _CS):
            groups = [results.find(structure, main, vectors=name) for name in paper.VECTORS]
            grid.add([paper.with_partner(main), ABBREVIATIONS[structure]], groups)
    return grid.blocks()


def _alpha_beta(results: Results) -> list[Block]:
    pairs = [p.corpora for p in results.groups if p.weights and len(p.corpora) == 2]
    blocks: list[Block] = []
    # Weights must not be chosen on the test split, unless there are no devel scores.
    adversarial = [group for place, group in results.groups.items() if place.weights]
    split = "devel" if all(group.has("devel") for group in adversarial) else "test"
    for main, auxiliary in dict.fromkeys(pairs):
        corner = f"{main} + {auxiliary}, {split}"
        grid = _Grid([corner, *(f"β = {beta:g}" for beta in paper.BETAS)], labels=1)
        for alpha in paper.ALPHAS:
            groups = [
                results.find("adversarial", main, auxiliary, weights=(alpha, beta))
                for beta in paper.BETAS
            ]
            grid.add([f"α = {alpha:g}"], groups, split=split)
        blocks += grid.blocks()
    return blocks


_LAYOUTS: dict[int, tuple[str, Callable[[Results], list[Block]]]] = {
    2: ("Table 2: the structures", _table_2),
    3: ("Table 3: trainable parameters, without the word table", _table_3),
    4: (
        "Table 4: CS-MTM with different auxiliary corpora (F1)",
        lambda results: _by_auxiliary(results, paper.AUXILIARIES),
    ),
    5: (
        "Table 5: CS-MTM with one entity type of BioNLP11ID (F1)",
        lambda results: _by_auxiliary(results, paper.ONE_TYPE),
    ),
    6: ("Table 6: less training data", _table_6),
    7: ("Table 7: word vectors (F1)", _table_7),
}


def paper_tables(results: Results) -> dict[int, list[Block]]:
    """Lays out the tables for which there are runs.

    Args:
        results: Comparable runs.

    Returns:
        By the number of the table: heading, table and the paper's statements. Number 0 is the
        search for the adversarial model's weights, which has no table in the paper.
    """
    laid_out: dict[int, list[Block]] = {}
    for number, (title, layout) in _LAYOUTS.items():
        blocks = layout(results)
        if blocks:
            laid_out[number] = [Heading(3, title), *blocks, *_verdicts(number, results)]
    if grids := _alpha_beta(results):
        laid_out[0] = [Heading(3, "ADV-MTM: the weights of its losses (F1)"), *grids]
    return laid_out


def _verdicts(number: int, results: Results) -> list[Block]:
    rows = []
    untested = 0
    for claim in CLAIMS:
        if claim.table != number:
            continue
        verdicts = [claim.verdict(results, main) for main in MAINS]
        if set(verdicts) <= {"", NOT_RUN}:
            untested += 1
        else:
            rows.append([claim.text, *verdicts])
    if not rows:
        return [Paragraph(f"What the paper says about it: {untested} statements, not run yet.")]
    more = f"; {untested} more statements are not run" if untested else ""
    return [
        Paragraph(f"What the paper says about it{more}."),
        Table(["the paper", *MAINS], rows, [LEFT] * 5),
    ]
