"""Estimates how long a cell will take, from the speed of existing runs."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike, read_text
from bioner_tf.runs.collection import Run

# Seconds per 1,000 training tokens if there is no measured run: two cores of an AMD EPYC 9004,
# 256 units per direction.
DEFAULT_SECONDS = {
    "single_task": 0.16,
    "fully_shared": 0.16,
    "shared_private": 0.27,
    "adversarial": 0.27,
    "cross_sharing": 0.40,
}
_BATCH_SIZE = 16


@dataclasses.dataclass(frozen=True)
class CorpusSize:
    """The size of a corpus.

    Attributes:
        sentences: The number of sentences by split, ``train`` and ``devel``.
        tokens_per_sentence: The average over both splits.
    """

    sentences: Mapping[str, int]
    tokens_per_sentence: float


def measure_corpus(data_dir: PathLike, corpus: str) -> CorpusSize | None:
    """Counts a corpus's training sentences and tokens; None if the corpus is missing."""
    sentences, tokens = {}, 0
    for split in ("train", "devel"):
        path = Path(data_dir) / corpus / f"{split}.tsv"
        if not path.is_file():
            return None
        text = read_text(path).replace("\r\n", "\n")
        blocks = [block for block in text.split("\n\n") if block.strip()]
        sentences[split] = len(blocks)
        tokens += sum(block.strip("\n").count("\n") + 1 for block in blocks)
    return CorpusSize(sentences, tokens / max(1, sum(sentences.values())))


class Estimator:
    """Estimates the hours that cells need.

    Args:
        data_dir: Where the corpora are; there is no estimate for a missing one.
        runs: Existing runs, finished or not, whose speed is used.
    """

    def __init__(self, data_dir: PathLike, runs: Iterable[Run]):
        self._data_dir = data_dir
        self._sizes: dict[str, CorpusSize | None] = {}
        self._measured = _measured_seconds(runs)

    def basis(self, structures: Iterable[str]) -> str:
        """Returns what the estimates for some structures are based on, in words."""
        known = [name for name in dict.fromkeys(structures) if name in self._measured]
        if not known:
            return (
                "hours by the speed of two cores of an AMD EPYC 9004; nothing is measured here yet"
            )
        return f"hours by the speed of the runs here ({', '.join(known)})"

    def hours(self, cell: Cell, epochs_done: int = 0) -> float | None:
        """Estimates the hours left for a cell; None if a corpus is missing.

        Args:
            cell: The cell.
            epochs_done: Epochs that are already trained.
        """
        tokens = self._tokens_per_epoch(cell)
        if tokens is None:
            return None
        seconds = tokens / 1000 * self._seconds(cell.structure)
        return max(0, cell.epochs - epochs_done) * seconds / 3600

    def _seconds(self, structure: str) -> float:
        """Seconds per 1,000 tokens: measured, else scaled from other structures, else default."""
        if structure in self._measured:
            return self._measured[structure]
        ratios = [seconds / DEFAULT_SECONDS[name] for name, seconds in self._measured.items()]
        return DEFAULT_SECONDS[structure] * (statistics.fmean(ratios) if ratios else 1)

    def _tokens_per_epoch(self, cell: Cell) -> float | None:
        sizes = [self._size(corpus) for corpus in cell.corpora]
        if any(size is None for size in sizes):
            return None
        known = [size for size in sizes if size is not None]
        main = known[0].sentences
        sentences = round(main["train"] * float(cell.flag("keep_fraction") or 1))
        if cell.flag("train_on") == "train,devel":
            sentences += main["devel"]
        # Each turn takes one batch of every corpus; the main corpus sets the number of turns.
        batch = int(cell.flag("batch_size") or _BATCH_SIZE)
        others = math.ceil(sentences / batch) * batch
        return sentences * known[0].tokens_per_sentence + others * sum(
            size.tokens_per_sentence for size in known[1:]
        )

    def _size(self, corpus: str) -> CorpusSize | None:
        if corpus not in self._sizes:
            self._sizes[corpus] = measure_corpus(self._data_dir, corpus)
        return self._sizes[corpus]


def _measured_seconds(runs: Iterable[Run]) -> dict[str, float]:
    """Returns seconds per 1,000 tokens by structure: the median over the epochs of its runs."""
    found: dict[str, list[float]] = {}
    for run in runs:
        # Skip the first epoch, which also builds the graph.
        for record in run.history[1:]:
            if record.get("tokens") and record.get("seconds"):
                rate = 1000 * record["seconds"] / record["tokens"]
                found.setdefault(run.config.model.structure, []).append(rate)
    return {structure: statistics.median(rates) for structure, rates in found.items()}
