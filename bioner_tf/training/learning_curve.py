"""The picture of a learning curve; matplotlib draws it if it is installed (extra ``plot``)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from bioner_tf.files import PathLike, write_bytes_atomically
from bioner_tf.runs.history import devel_f1_key


def draw_learning_curve(
    path: PathLike, records: Sequence[Mapping[str, Any]], corpora: Sequence[str]
) -> bool:
    """Draws the loss and, if it is known, the devel F1 of each corpus over the epochs.

    Args:
        path: The PNG file.
        records: The history, one record per epoch.
        corpora: The corpora, the main one first.

    Returns:
        Whether a picture was drawn: this needs matplotlib and at least one epoch.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not records:
        return False
    epochs = [record["epoch"] for record in records]
    scored = devel_f1_key(corpora[0]) in records[0]
    figure = Figure(figsize=(10 if scored else 5.5, 4), layout="constrained")
    axes = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
    for corpus in corpora:
        axes[0].plot(epochs, [r[f"{corpus}/loss"] for r in records], label=corpus)
        if scored:
            axes[1].plot(epochs, [100 * r[devel_f1_key(corpus)] for r in records], label=corpus)
    axes[0].set(xlabel="epoch", ylabel="training loss (nats a sentence)", ylim=(0, None))
    if scored:
        axes[1].set(xlabel="epoch", ylabel="devel F1 (%)")
    for ax in axes:
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
        ax.xaxis.get_major_locator().set_params(integer=True)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_bytes_atomically(path, picture.getvalue())
    return True
