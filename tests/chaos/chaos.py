"""Disturbs the commands in every way that the suite knows, and writes what came of it.

    python -m tests.chaos.chaos --kills=200 --seconds=1200 --seed=1

Each part has a limit in time; what it did not get to is missing from its counts. ``--report``
writes the tables of docs/reliability.md; a part that does not run keeps its table.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import corpora, damage, kills, texts
from tests.chaos.table import to_markdown, write_table

PARTS = {
    "kills": (kills.run, 200),
    "damage": (damage.run, 200),
    "texts": (texts.run, 1_000_000),
    "corpora": (corpora.run, 100_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, (_, count) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, default=count, help=f"{count} by default")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part (repeatable)")
    parser.add_argument("--seconds", type=float, default=1200, help="the most for each part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"seed {options.seed}", flush=True)
    failures = 0
    for name in options.only or PARTS:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            try:
                run, _ = PARTS[name]
                result = run(Path(work), getattr(options, name), options.seconds, options.seed)
            except kills.NoCompilerError as error:
                print(f"{name}: skipped: {error}", flush=True)
                continue
        markdown = to_markdown(result, options.seed, time.monotonic() - begun)
        print(f"{name}:\n{markdown}", *result.failures[:20], sep="\n", flush=True)
        failures += len(result.failures)
        if options.report:
            write_table(name, markdown)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
