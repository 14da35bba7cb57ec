"""Reliability diagrams: how many of the entities with a score are correct."""

from __future__ import annotations

import io

from bioner_tf.files import PathLike, write_bytes_atomically
from bioner_tf.scoring.calibration import Calibration

_DPI = 120


def draw_reliability(path: PathLike, calibration: Calibration, title: str) -> None:
    """Draws a reliability diagram above a histogram of the scores; needs matplotlib.

    Args:
        path: The PNG file to write.
        calibration: The bins.
        title: The title of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5.5), layout="constrained")
    axes, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [each for each in calibration.bins if each.entities]
    axes.plot([0, 1], [0, 1], color="#888888", linestyle="--", label="score = share correct")
    axes.bar(
        [each.low for each in filled],
        [each.correct for each in filled],
        [each.high - each.low for each in filled],
        align="edge",
        color="#0072B2",
        edgecolor="white",
    )
    # Points show where in its bin the mean score lies.
    points = [each.score for each in filled], [each.correct for each in filled]
    axes.plot(*points, "o", color="#E69F00", label="mean score of the bin")
    axes.set(
        title=f"{title}: calibration error {calibration.error:.3f}",
        ylabel="share of correct entities",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(frameon=False, loc="upper left")
    axes.grid(alpha=0.3)
    histogram.bar(
        [each.low for each in calibration.bins],
        [each.entities for each in calibration.bins],
        [each.high - each.low for each in calibration.bins],
        align="edge",
        color="#888888",
        edgecolor="white",
    )
    histogram.set(xlabel="score", ylabel="entities")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    write_bytes_atomically(path, picture.getvalue())
