"""The learning curve: the picture that is drawn, or none."""

from __future__ import annotations

import sys

import pytest

from bioner_tf.training.learning_curve import draw_learning_curve

RECORDS = [{"epoch": epoch, "a/loss": 3.0 / epoch, "a/devel_f1": 0.1 * epoch} for epoch in (1, 2)]


@pytest.fixture(scope="module", autouse=True)
def matplotlib():
    return pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")


def test_draws_a_png_wider_where_devel_is_scored(tmp_path) -> None:
    path = tmp_path / "curve.png"
    sizes = []
    for keys in (("epoch", "a/loss"), ("epoch", "a/loss", "a/devel_f1")):
        records = [{key: record[key] for key in keys} for record in RECORDS]
        assert draw_learning_curve(path, records, ["a"])
        content = path.read_bytes()
        # The PNG signature, and the width in the header that follows it.
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        sizes.append(int.from_bytes(content[16:20], "big"))
    assert sizes[1] > 1.5 * sizes[0]


def test_draws_nothing_of_no_epoch(tmp_path) -> None:
    assert not draw_learning_curve(tmp_path / "curve.png", [], ["a"])
    assert list(tmp_path.iterdir()) == []


def test_says_when_there_is_nothing_to_draw_with(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not draw_learning_curve(tmp_path / "curve.png", RECORDS, ["a"])
