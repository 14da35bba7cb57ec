"""The progress of long work: a bar on a terminal, and the numbers for lines elsewhere."""

from __future__ import annotations

import sys
import time

_BAR_WIDTH = 30
_CLEAR_LINE = "\r\033[K"


class Progress:
    """Shows how much is done, the speed and the time left; the clock starts at once.

    Args:
        unit: What is counted, in the plural.
        total: How many there are; 0: unknown.
        title: The text before the bar.
        start: How many were done before.
    """

    def __init__(self, unit: str, total: int = 0, title: str = "", start: float = 0):
        self._unit = unit
        self._total = total
        self._title = title
        self._start = start
        self._began = time.monotonic()

    def restart(self, done: float) -> None:
        """Starts the clock again: what is done so far counts for the speed no longer."""
        self._start = done
        self._began = time.monotonic()

    def rate(self, done: float) -> float:
        """Units per second, on average since the clock started."""
        return (done - self._start) / max(time.monotonic() - self._began, 1e-9)

    def time_left(self, done: float) -> str:
        """The time for the rest at this rate, as ``1:02:03``; something must be done already."""
        return format_clock((self._total - done) / self.rate(done))

    def draw(self, done: int) -> None:
        """Draws the progress on stderr, over the drawing before it; only on a terminal."""
        if not sys.stderr.isatty():
            return
        parts = [f"{done:,} {self._unit}", f"{self.rate(done):,.1f} {self._unit}/s"]
        if self._total:
            filled = "=" * (_BAR_WIDTH * done // self._total)
            parts[0] = f"{self._title} [{filled:<{_BAR_WIDTH}}] {done}/{self._total} {self._unit}"
            if done > self._start:
                parts.append(f"{self.time_left(done)} left")
        print(_CLEAR_LINE + "  ".join(parts), end=" ", file=sys.stderr, flush=True)


def clear_line() -> None:
    """Clears what ``draw`` drew on the terminal, so that a message can take its place."""
    if sys.stderr.isatty():
        print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)


def format_clock(seconds: float) -> str:
    """Writes seconds as hours, minutes and seconds: ``1:02:03``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
