"""Word vectors in memory, and how a word finds its vector."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bioner_tf.corpora.vocabulary import lower_word, normalise_word

FloatArray = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors, looked up by digit-normalised form.

    Files are sorted by frequency, so where words become equal ("1990" and "2000" both become
    "0000") the first one's vector is found.

    Attributes:
        words: The word of each row, digit-normalised; may repeat.
        matrix: float32 (n, dim).
        index: The first row of each distinct word.
    """

    words: tuple[str, ...]
    matrix: FloatArray
    index: Mapping[str, int] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = tuple(map(normalise_word, self.words))
        index: dict[str, int] = {}
        for row, word in enumerate(words):
            index.setdefault(word, row)
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "index", index)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return int(self.matrix.shape[1])

    def find(self, word: str) -> tuple[str | None, int | None]:
        """Looks a word up.

        Args:
            word: A token or its normalised form.

        Returns:
            ``("exact", row)`` if its normalised form has a vector, else ``("lower", row)`` if that
            form in lower case has one, else ``(None, None)``.

        Source:
            What the paper's authors' program does.
        """
        form = normalise_word(word)
        row = self.index.get(form)
        if row is not None:
            return "exact", row
        row = self.index.get(lower_word(form))
        return (None, None) if row is None else ("lower", row)
