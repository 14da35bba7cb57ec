"""The tables of docs/reliability.md, and what all parts of the chaos suite tell."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


class Result(NamedTuple):
    """What a part found.

    Attributes:
        header: Names of the columns.
        rows: Their values.
        failures: What went wrong, a line each.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    failures: Sequence[str]


def to_markdown(result: Result, seed: int, seconds: float) -> str:
    """Lays a result out as a table with its origin below."""
    lines = [result.header, ["---", *["---:"] * (len(result.header) - 1)]]
    lines += [[f"{x:,}" if isinstance(x, int) else str(x) for x in row] for row in result.rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    date = datetime.date.today().isoformat()
    origin = f"Seed {seed}, {date}, {seconds / 60:.0f} minutes on {os.cpu_count()} cores"
    return f"\n{table}\n{origin} ({_processor()}).\n\n"


def write_table(name: str, markdown: str, document: Path = DOCUMENT) -> None:
    """Replaces what stands between ``<!-- table NAME -->`` and ``<!-- end -->``."""
    text = document.read_text(encoding="utf-8")
    marked = re.compile(rf"(?<=<!-- table {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    if not marked.search(text):
        raise SystemExit(f"{document}: expected a line <!-- table {name} -->, got none")
    document.write_text(marked.sub(lambda _: markdown, text, count=1), encoding="utf-8")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
