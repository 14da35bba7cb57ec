"""Word vectors in memory: how a word finds its vector."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("the", ("exact", 0)),
        ("THE", ("exact", 1)),
        ("The", ("lower", 0)),
        ("p53", ("exact", 2)),
        ("p99", ("exact", 2)),
        ("P21", ("lower", 2)),
        ("IL-7", ("lower", 4)),
        ("il-77", (None, None)),
        ("Äh", ("exact", 6)),
        ("ÄH", ("lower", 6)),
        ("äh", (None, None)),
        ("", (None, None)),
    ],
)
def test_find(vectors, word, expected):
    assert vectors.find(word) == expected


def test_words_are_normalised(vectors):
    assert vectors.words == ("the", "THE", "p00", "p00", "il-0", "p00", "Äh")
    assert vectors.index == {"the": 0, "THE": 1, "p00": 2, "il-0": 4, "Äh": 6}
