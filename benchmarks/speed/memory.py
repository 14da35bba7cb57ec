"""Measures the memory of training, and whether tagging takes more for a longer file.

    python benchmarks/speed/memory.py --data_dir=corpora --corpora=BC2GM-IOB,JNLPBA
    python benchmarks/speed/memory.py --sizes=1,10,100 --data_dir=... --corpora=...

Each line shows a command and its peak resident memory. Training runs one epoch over a tenth of the
main corpus's sentences, with all corpora in memory. Tagging reads generated files of the given
sizes with a small tagger (--tagger_units), because the memory of the network does not depend on the
file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness

_SENTENCE = b"Mutations of BRCA1 and TP53 cause breast cancer in about 5 % of the patients. "
_LINE = _SENTENCE * 3 + b"\n"
_CHUNK_LINES = 4096


def run(command: Sequence[str]) -> dict[str, float]:
    """Runs one of our commands; returns its ``seconds`` and peak ``megabytes`` (10^6 bytes).

    Raises:
        SystemExit: If the command fails.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"bioner_tf.cli.{command[0]}", *command[1:]],
        stdout=subprocess.DEVNULL,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
    )
    _, status, used = os.wait4(process.pid, 0)
    # wait4 has already collected the exit status, so Popen must not wait for it.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bioner-{command[0]} failed: {' '.join(command)}")
    # Kilobytes on Linux, bytes on macOS.
    scale = 1 if sys.platform == "darwin" else 1024
    return {"seconds": time.perf_counter() - started, "megabytes": used.ru_maxrss * scale / 1e6}


def write_text(path: Path, megabytes: float) -> None:
    """Writes lines of text of this size in total."""
    lines = max(1, round(megabytes * 1e6 / len(_LINE)))
    with path.open("wb") as stream:
        while lines > 0:
            stream.write(_LINE * min(lines, _CHUNK_LINES))
            lines -= _CHUNK_LINES


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="where the corpora are")
    parser.add_argument("--corpora", required=True, help="comma-separated, the main one first")
    parser.add_argument("--sizes", default="1,10,100", help="megabytes to tag, comma-separated")
    parser.add_argument("--keep_fraction", default="0.1", help="share of the main corpus to use")
    parser.add_argument("--lstm_units", default="256", help="units of the trained tagger")
    parser.add_argument("--tagger_units", default="8", help="units of the small tagger")
    harness.add_output(parser, "memory")
    options = parser.parse_args(arguments)
    record: dict[str, Any] = {"machine": harness.machine(), "corpora": options.corpora.split(",")}
    print(json.dumps(record["machine"]))
    with tempfile.TemporaryDirectory() as directory:
        data = [f"--data_dir={options.data_dir}", f"--keep_fraction={options.keep_fraction}"]
        train = ["train", *data, "--epochs=1", f"--run_dir={directory}/trained"]
        train += [f"--corpora={options.corpora}", f"--lstm_units={options.lstm_units}"]
        record["training"] = run(train)
        print(
            f"bioner-train, {options.corpora}: {record['training']['megabytes']:,.0f} MB",
            flush=True,
        )
        main_corpus = record["corpora"][0]
        small = ["train", *data, "--epochs=1", f"--run_dir={directory}/small"]
        small += ["--structure=single_task", f"--corpora={main_corpus}"]
        run([*small, f"--lstm_units={options.tagger_units}"])
        record["tagging"] = {}
        text, found = Path(directory, "texts.txt"), Path(directory, "found.jsonl")
        for size in options.sizes.split(","):
            write_text(text, float(size))
            tag = ["tag", f"--model={directory}/small", f"--input={text}", f"--output={found}"]
            record["tagging"][size] = run(tag)
            took = record["tagging"][size]
            print(
                f"bioner-tag, {size} MB of text: {took['megabytes']:,.0f} MB, "
                f"{took['seconds']:.0f} s",
                flush=True,
            )
            text.unlink()
            found.unlink()
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
