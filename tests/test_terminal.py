"""Progress: what it shows on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import io
import time

import pytest

from bioner_tf.terminal import Progress, clear_line, format_clock


@pytest.fixture
def clock(monkeypatch):
    """The time, in seconds, as a list of one number."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def on_terminal(function, *args):
    """Calls a function with a terminal behind stderr; returns what it writes there."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    with contextlib.redirect_stderr(terminal):
        function(*args)
    return terminal.getvalue()


def test_a_bar_with_rate_and_time_left(clock):
    progress = Progress("turns", 60, title="epoch 1/3")
    clock[0] += 4.0
    shown = f"\r\033[Kepoch 1/3 [={' ' * 29}] 2/60 turns  0.5 turns/s  0:01:56 left "
    assert on_terminal(progress.draw, 2) == shown
    shown = f"\r\033[Kepoch 1/3 [{'=' * 15}{' ' * 15}] 30/60 turns  7.5 turns/s  0:00:04 left "
    assert on_terminal(progress.draw, 30) == shown


def test_no_time_left_before_the_first_step(clock):
    progress = Progress("MB", 60, title="download", start=30)
    clock[0] += 4.0
    shown = f"\r\033[Kdownload [{'=' * 15}{' ' * 15}] 30/60 MB  0.0 MB/s "
    assert on_terminal(progress.draw, 30) == shown


def test_a_restart_forgets_the_time_until_then(clock):
    progress = Progress("turns", 60, title="epoch 1/3")
    clock[0] += 100.0
    progress.restart(1)
    clock[0] += 4.0
    assert progress.rate(3) == pytest.approx(0.5)
    assert progress.time_left(3) == "0:01:54"


def test_a_count_where_the_total_is_unknown(clock):
    progress = Progress("texts")
    clock[0] += 2.0
    assert on_terminal(progress.draw, 3000) == "\r\033[K3,000 texts  1,500.0 texts/s "


def test_a_message_replaces_the_bar():
    assert on_terminal(clear_line) == "\r\033[K"


def test_draws_nothing_where_there_is_no_terminal(clock, capsys):
    Progress("turns", 60).draw(2)
    clear_line()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00:00"), (59.6, "0:01:00"), (3723, "1:02:03")]
)
def test_a_clock(seconds, shown):
    assert format_clock(seconds) == shown
