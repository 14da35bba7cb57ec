"""A finished run that all tests of a session read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.synthetic_corpora import make_config, write_corpus

CORPORA = ("genes", "mixed")
_SHARED: list[Path] = []


def shared_run(factory: pytest.TempPathFactory) -> Path:
    """Returns the directory of a finished run that all tests of a session read.

    Cross-sharing of a corpus of one type, whose devel and test splits have another type that
    training never saw, and a corpus of two types in IOBES. Vectors bring words that training never
    saw.
    """
    if not _SHARED:
        from bioner_tf.training.run import train

        root = factory.mktemp("shared")
        write_corpus(root / "data", "genes", unseen=("Rare",))
        write_corpus(root / "data", "mixed", types=("Gene", "Drug"), scheme="IOBES")
        vectors = root / "vectors.txt"
        vectors.write_text("of .1 .2 .3\nGeneε .2 .3 .4\nDrugζ .5 -.1 -.2\n", encoding="utf-8")
        config = make_config(
            root / "data", CORPORA, epochs=3, word_dim=0, vectors=str(vectors), dropout_rate=0.2
        )
        train(config, root / "run", "--epochs=3\n")
        _SHARED.append(root / "run")
    return _SHARED[0]
