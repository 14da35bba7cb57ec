"""What ``bioner-train`` shows while it trains, scores and exports."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from tests.helpers.synthetic_corpora import flags_of, make_config, write_corpus

pytestmark = pytest.mark.slow

EPOCHS = 4


def read_terminal(descriptor):
    """Returns what is written to a terminal until all of its writers have ended."""
    content = b""
    # Linux tells the end by an error.
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 1 << 16):
            content += piece
    return content.decode()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The lines of stdout, each with the seconds since the start, and what a terminal gets."""
    root = tmp_path_factory.mktemp("output")
    write_corpus(root / "data", "genes", sentences=32)
    config = make_config(root / "data", ["genes"], "single_task", epochs=EPOCHS)
    command = [sys.executable, "-m", "bioner_tf.cli.train", *flags_of(config, root / "run")]
    ours, terminal = pty.openpty()
    begun = time.monotonic()
    lines = []
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        reading = reader.submit(read_terminal, ours)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, text=True) as run:
            os.close(terminal)
            for line in run.stdout:
                lines.append((line.rstrip("\n"), time.monotonic() - begun))
        bars = reading.result()
    os.close(ours)
    assert run.returncode == 0, bars
    return lines, bars


def test_every_phase_is_named_when_it_begins(shown):
    lines = [line for line, _ in shown[0]]
    begun = lines.index("building the graphs")
    told = [re.sub(r" .*", "", line) for line in lines[begun + 1 : begun + 1 + EPOCHS]]
    assert told == ["epoch"] * EPOCHS
    *phases, exported = lines[begun + 1 + EPOCHS : begun + 5 + EPOCHS]
    assert phases == [
        "scoring devel and test",
        "fitting the temperatures of the scores on devel",
        "exporting the tagger",
    ]
    assert exported.startswith("exported to ")
    assert exported.endswith("/export/1")


def test_the_first_epochs_remaining_time_leaves_building_the_graphs_out(shown):
    times = dict(shown[0])
    first = next(line for line in times if line.startswith(f"epoch 1/{EPOCHS} "))
    minutes, seconds = re.search(r"  0:(\d\d):(\d\d) left$", first).groups()
    building = times[first] - times["building the graphs"]
    assert 60 * int(minutes) + int(seconds) < (EPOCHS - 1) * building / 3
    assert re.search(r"  [\d,]+ tokens/s  ", first)


def test_a_terminal_gets_bars_of_training_and_scoring(shown):
    bars = shown[1]
    assert f"epoch 1/{EPOCHS} [" in bars
    for split in ("devel", "test"):
        assert f"scoring genes, {split} [{'=' * 30}] 16/16 sentences" in bars
    assert "\n" not in bars
