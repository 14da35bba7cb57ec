"""Pictures of results, by matplotlib (the extra ``plot``): as SVG for HTML, as PNG for Markdown."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bioner_tf.config import ABBREVIATIONS, STRUCTURES
from bioner_tf.experiments.paper import experiments as paper
from bioner_tf.experiments.paper.experiments import MAINS, Results
from bioner_tf.pages.blocks import Picture
from bioner_tf.runs.groups import Group
from bioner_tf.runs.history import devel_f1_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STM, _CS = "single_task", "cross_sharing"
# A colour and a marker each. Colour-blind people can tell these colours (Okabe and Ito) apart.
STYLES = {
    "single_task": ("#000000", "o"),
    "fully_shared": ("#E69F00", "s"),
    "shared_private": ("#0072B2", "^"),
    "adversarial": ("#CC79A7", "D"),
    "cross_sharing": ("#009E73", "v"),
}
_DPI = 120
# Enough for the longest entry of a legend.
_LEGEND_ENTRY_INCHES = 1.2


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_pictures(results: Results, prefix: str) -> dict[int, list[Picture]]:
    """Draws all pictures for which there are enough runs.

    Args:
        results: Comparable runs.
        prefix: The start of the pictures' names.

    Returns:
        The pictures, by the number of the paper's table that they belong to.
    """
    drawn: dict[int, list[Picture]] = {}
    for table, name, text, draw in _PICTURES:
        figure = draw(results)
        if figure is not None:
            drawn.setdefault(table, []).append(_render(figure, f"{prefix}-{name}", text))
    return drawn


def _render(figure: Figure, name: str, text: str) -> Picture:
    import matplotlib

    svg, png = io.StringIO(), io.BytesIO()
    # Fixed ids and no date: the same results give the same file. The salt differs between
    # pictures, because ids must be unique within a page.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    figure.savefig(png, format="png", dpi=_DPI)
    return Picture(name, text, svg.getvalue(), png.getvalue())


def _new_figure(columns: int, width: float = 4.2, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width * columns, 5.0), height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _draw_heat_map(results: Results) -> Figure | None:
    """Table 4: F1, coloured by the difference from the single task."""
    groups = [[results.find(_CS, m, auxiliary=a) for a in paper.AUXILIARIES] for m in MAINS]
    bases = [results.find(_STM, main) for main in MAINS]
    gains = np.full((len(MAINS), len(paper.AUXILIARIES)), np.nan)
    for row, base in enumerate(bases):
        for column, group in enumerate(groups[row]):
            if group and base:
                gains[row, column] = 100 * (_mean(group) - _mean(base))
    if np.count_nonzero(~np.isnan(gains)) < 2:
        return None
    figure, (axes,) = _new_figure(1, width=7.0, height=3.8)
    limit = max(1.0, float(np.nanmax(np.abs(gains))))
    image = axes.imshow(gains, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_facecolor("#eeeeee")  # cells that were not run
    for row, column in np.ndindex(gains.shape):
        group, gain = groups[row][column], gains[row, column]
        text = f"{100 * _mean(group):.1f}" if group else "not run"
        text += f"\n{gain:+.1f}" if not np.isnan(gain) else ""
        # White on the dark ends of the scale.
        colour = "white" if abs(gain) > 0.6 * limit else "#222222" if group else "#888888"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(paper.AUXILIARIES)), paper.AUXILIARIES)
    axes.set_yticks(range(len(MAINS)), MAINS)
    axes.set(xlabel="auxiliary corpus", ylabel="main corpus")
    figure.colorbar(image, label="F1 of CS-MTM minus STM")
    return figure


def _draw_learning_curves(results: Results) -> Figure | None:
    """Devel F1 (if devel was held out) or loss over the epochs: one panel per main corpus."""
    mains = _mains_with(lambda main: _structures(results, main))
    if not mains:
        return None
    figure, panels = _new_figure(len(mains))
    for axes, main in zip(panels, mains):
        groups = _structures(results, main)
        scored = all(_curve_key(group).endswith("f1") for _, group in groups)
        for structure, group in groups:
            curves = _curves(group, _curve_key(group))
            mean = curves.mean(axis=0) * (100 if scored else 1)
            colour = STYLES[structure][0]
            epochs = np.arange(1, len(mean) + 1)
            axes.plot(epochs, mean, color=colour, label=ABBREVIATIONS[structure])
        what = "devel F1 (%)" if scored else "training loss (nats a sentence)"
        axes.set(title=paper.with_partner(main), xlabel="epoch", ylabel=what)
        if not scored:
            # The losses fall over two orders of magnitude.
            axes.set_yscale("log")
        axes.grid(alpha=0.25)
    return _with_legend(figure, panels)


def _curve_key(group: Group) -> str:
    main = group.config.data.corpora[0]
    scored = devel_f1_key(main)
    if all(scored in record for run in group.runs for record in run.history):
        return scored
    return f"{main}/loss"


def _curves(group: Group, key: str) -> np.ndarray:
    """float64 (seeds, epochs)."""
    epochs = min(len(run.history) for run in group.runs)
    return np.array([[r[key] for r in run.history[:epochs]] for run in group.runs], np.float64)


def _draw_sizes(results: Results) -> Figure | None:
    """F1 against the share of the training sentences: one panel per main corpus."""
    sizes = sorted((1.0, *paper.FRACTIONS))

    def points(main: str, structure: str) -> list[tuple[float, Group]]:
        found = ((size, results.find(structure, main, fraction=size)) for size in sizes)
        return [(size, group) for size, group in found if group]

    mains = _mains_with(lambda main: [1 for each in (_STM, _CS) if len(points(main, each)) > 1])
    if not mains:
        return None
    figure, panels = _new_figure(len(mains))
    for axes, main in zip(panels, mains):
        for structure in (_STM, _CS):
            there = points(main, structure)
            colour, marker = STYLES[structure]
            axes.errorbar(
                [100 * size for size, _ in there],
                [100 * _mean(group) for _, group in there],
                [100 * (group.summary("f1").deviation or 0) for _, group in there],
                color=colour,
                marker=marker,
                capsize=3,
                label=ABBREVIATIONS[structure],
            )
        axes.set_xscale("log")
        axes.set_xticks([100 * size for size in sizes], [f"{size:.0%}" for size in sizes])
        axes.set_xticks([], minor=True)
        axes.set(
            title=paper.with_partner(main),
            xlabel="share of the training sentences",
            ylabel="F1 (%)",
        )
        axes.grid(alpha=0.25)
    return _with_legend(figure, panels)


def _draw_precision_recall(results: Results) -> Figure | None:
    """Precision against recall, with lines of equal F1: one panel per main corpus."""
    mains = _mains_with(lambda main: _structures(results, main))
    if not mains:
        return None
    figure, panels = _new_figure(len(mains))
    for axes, main in zip(panels, mains):
        for structure, group in _structures(results, main):
            colour, marker = STYLES[structure]
            precision, recall = group.summary("precision"), group.summary("recall")
            axes.errorbar(
                100 * recall.mean,
                100 * precision.mean,
                xerr=100 * (recall.deviation or 0),
                yerr=100 * (precision.deviation or 0),
                color=colour,
                marker=marker,
                markersize=8,
                linestyle="none",
                capsize=3,
                label=ABBREVIATIONS[structure],
            )
        axes.margins(0.25)
        _draw_equal_f1(axes)
        axes.set(title=paper.with_partner(main), xlabel="recall (%)", ylabel="precision (%)")
        axes.grid(alpha=0.25)
    return _with_legend(figure, panels)


def _draw_equal_f1(axes: Axes) -> None:
    """Draws grey lines of equal F1; keeps the limits of the axes."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    lowest, highest = _f1(left, bottom), _f1(right, top)
    step = next(s for s in (0.2, 0.5, 1, 2, 5, 10, 20) if (highest - lowest) / s <= 6 or s == 20)
    recall = np.linspace(max(left, 0.1), right, 200)
    for f1 in np.arange(np.ceil(lowest / step) * step, highest, step):
        with np.errstate(divide="ignore"):
            precision = f1 * recall / (2 * recall - f1)
        inside = (precision > bottom) & (precision < top) & (2 * recall > f1)
        if np.count_nonzero(inside) < len(recall) // 8:
            continue  # only a corner
        axes.plot(recall[inside], precision[inside], color="#bbbbbb", linewidth=0.8, zorder=0)
        # Put the label inside the panel, near the end of the line.
        places = np.flatnonzero(inside)
        at = places[int(0.9 * (len(places) - 1))]
        axes.text(recall[at], precision[at], f"F1 {f1:g}", color="#888888", fontsize=7, ha="right")
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _f1(recall: float, precision: float) -> float:
    total = recall + precision
    return 2 * recall * precision / total if total > 0 else 0.0


def _with_legend(figure: Figure, panels: Sequence[Axes]) -> Figure:
    """Adds one legend for all panels, below them."""
    entries: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            entries.setdefault(label, handle)
    lines = math.ceil(len(entries) * _LEGEND_ENTRY_INCHES / figure.get_figwidth())
    figure.legend(
        handles=list(entries.values()),
        labels=list(entries),
        loc="outside lower center",
        ncols=math.ceil(len(entries) / lines),
        columnspacing=1.5,
        frameon=False,
    )
    return figure


def _structures(results: Results, main: str) -> list[tuple[str, Group]]:
    found = ((structure, results.find(structure, main)) for structure in STRUCTURES)
    return [(structure, group) for structure, group in found if group]


def _mains_with(there: Callable[[str], Sequence[Any]]) -> list[str]:
    """Returns the main corpora for which ``there`` returns something to draw."""
    return [main for main in MAINS if there(main)]


def _mean(group: Group) -> float:
    return group.summary("f1").mean


_PICTURES: tuple[tuple[int, str, str, Callable[[Results], Any]], ...] = (
    (
        2,
        "precision-recall",
        "Precision against recall of the structures on test",
        _draw_precision_recall,
    ),
    (2, "learning-curves", "Learning curves of the structures", _draw_learning_curves),
    (4, "heat-map", "F1 of CS-MTM for pairs of corpora, and the gain over STM", _draw_heat_map),
    (6, "sizes", "F1 against the size of the training set", _draw_sizes),
)
