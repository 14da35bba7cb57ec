"""Tables as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

LEFT, RIGHT = "left", "right"


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], alignment: Sequence[str]
) -> str:
    """Lays a table out so that it can be read as plain text, too.

    Args:
        header: The columns' names.
        rows: As many cells each; a vertical bar in one is escaped.
        alignment: ``LEFT`` or ``RIGHT`` of each column.

    Returns:
        The table, without a newline at its end.
    """
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines)]
    rule = [
        "-" * (width - 1) + ":" if side == RIGHT else "-" * width
        for width, side in zip(widths, alignment)
    ]
    laid_out = [
        [
            cell.rjust(width) if side == RIGHT else cell.ljust(width)
            for cell, width, side in zip(line, widths, alignment)
        ]
        for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (laid_out[0], rule, *laid_out[1:]))


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Writes a table as CSV, one line a row; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def plain_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], alignment: Sequence[str]
) -> str:
    """Lays a table out for a terminal; the arguments are those of ``markdown_table``."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if side == RIGHT else cell.ljust(width)
            for cell, width, side in zip(line, widths, alignment)
        ).rstrip()
        for line in lines
    )
