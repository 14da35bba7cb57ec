"""Checks that a finished run is the run that a cell asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bioner_tf.corpora.corpus import fingerprint, read_corpus
from bioner_tf.errors import BionerError
from bioner_tf.experiments.sweeps.plan import Cell
from bioner_tf.files import PathLike
from bioner_tf.runs.collection import Run, read_run


class CellCheck:
    """Compares finished runs with what a sweep would train now.

    The name of a cell shows neither the folder of its vectors nor the content of its corpora.
    Each corpus is read once, so that a change during the sweep is noticed, too.

    Args:
        sweep_dir: The directory of the run directories.
        data_dir: Where the corpora are; missing ones are not compared.
        vectors_dir: Where the files of word vectors are.
    """

    def __init__(self, sweep_dir: PathLike, data_dir: PathLike, vectors_dir: PathLike = "."):
        self._sweep_dir = Path(sweep_dir)
        self._data_dir = Path(data_dir)
        self._vectors_dir = vectors_dir
        self._known: dict[tuple[str, tuple[str, ...] | None], dict[str, str]] = {}

    def remember_corpora(self, cells: Iterable[Cell]) -> None:
        """Reads the corpora of some cells now, to compare them with the runs later."""
        for cell in cells:
            for corpus in cell.corpora:
                self._fingerprints(corpus, cell.types.get(corpus))

    def difference(self, cell: Cell) -> str | None:
        """Returns how a cell's finished run differs from it and what to do; None if it does not."""
        run = read_run(self._sweep_dir / cell.name, cell.name)
        found = self._other_vectors(cell, run) or self._other_corpora(run)
        return found and f"{run.path}: {found}; put it back, or give another --sweep_dir"

    def _other_vectors(self, cell: Cell, run: Run) -> str | None:
        asked, used = cell.vectors_path(str(self._vectors_dir)), run.config.data.vectors
        if os.path.normpath(asked) == os.path.normpath(used):
            return None
        there = [path for path in (asked, used) if path and os.path.exists(path)]
        if len(there) == 2 and os.path.samefile(*there):
            return None
        # The sweep was moved from another machine, where the vectors had another folder.
        if asked and used not in there and Path(used).parts[-2:] == Path(asked).parts[-2:]:
            return None
        return f"this run was trained with --vectors={used}, this sweep has {asked or 'none'}"

    def _other_corpora(self, run: Run) -> str | None:
        for corpus, splits in run.fingerprints.items():
            now = self._fingerprints(corpus, run.config.data.types.get(corpus))
            for split, then in splits.items():
                if split in now and now[split] != then:
                    path = self._data_dir / corpus / f"{split}.tsv"
                    return f"this run was trained when {path} held other sentences or tags"
        return None

    def _fingerprints(self, corpus: str, types: tuple[str, ...] | None) -> dict[str, str]:
        key = corpus, types
        if key not in self._known:
            try:
                read = read_corpus(self._data_dir, corpus, types=types)
                splits = {name: fingerprint(s.sentences) for name, s in read.splits.items()}
            except (BionerError, OSError):
                # If the corpus is needed, bioner-train reports that it is missing or damaged.
                splits = {}
            self._known[key] = splits
        return self._known[key]
