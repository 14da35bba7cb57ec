"""Pages of text, tables and pictures, written as Markdown and as HTML; tables as CSV, too.

Text may hold ``**bold**`` and `` `code` ``, as in Markdown.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Union

LEFT, RIGHT = "left", "right"


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 6."""

    level: int
    text: str


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; ``alignment`` is ``LEFT`` or ``RIGHT`` of each column."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    alignment: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: The name of its file, without the ending.
        text: What it shows, for those who cannot see it.
        svg: As SVG, for the HTML page.
        png: As PNG, which Markdown refers to.
    """

    name: str
    text: str
    svg: str
    png: bytes


Block = Union[Heading, Paragraph, Table, Picture]


def to_markdown(blocks: Iterable[Block], pictures: str = "") -> str:
    """Writes a page as Markdown.

    Args:
        blocks: The page.
        pictures: The directory of the pictures' files, as the page sees it.

    Returns:
        The page, with a newline at its end.
    """
    return "\n\n".join(_block_to_markdown(block, pictures) for block in blocks) + "\n"


def _block_to_markdown(block: Block, pictures: str) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return block.text
    if isinstance(block, Picture):
        return f"![{block.text}]({pictures}/{block.name}.png)"
    return markdown_table(block.header, block.rows, block.alignment)


def to_html(blocks: Iterable[Block], title: str) -> str:
    """Writes a page as one HTML file that refers to nothing outside.

    Args:
        blocks: The page.
        title: What the browser shows above it.
    """
    return html_page("\n".join(_block_to_html(block) for block in blocks), title)


def html_page(body: str, title: str, style: str = "") -> str:
    """Puts a page around HTML.

    Args:
        body: The page's content.
        title: What the browser shows above it.
        style: CSS beside that of all pages.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { border-bottom: 2px solid #888; }
.left { text-align: left; }
.right { text-align: right; }
code { background: #f3f3f3; padding: 0 .2rem; }
svg { max-width: 100%; height: auto; }
.holds { color: #146c2e; }
.fails { color: #a11; }
.unknown { color: #777; }
"""
# Words that are easier to find in colour.
_CLASSES = {"holds": "holds", "does not hold": "fails", "not run": "unknown", "–": "unknown"}


def _block_to_html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_inline(block.text)}</p>"
    if isinstance(block, Picture):
        # What stands before the element is for files of their own.
        svg = block.svg[block.svg.index("<svg") :]
        return f'<figure role="img" aria-label="{html.escape(block.text)}">{svg}</figure>'
    return table_to_html(block)


def table_to_html(table: Table) -> str:
    """Writes a table as HTML."""
    rows = "\n".join(_row("td", row, table.alignment) for row in table.rows)
    header = _row("th", table.header, table.alignment)
    return f'<div class="wide"><table>\n{header}\n{rows}\n</table></div>'


def _row(element: str, cells: Sequence[str], alignment: Sequence[str]) -> str:
    written = []
    for cell, side in zip(cells, alignment):
        classes = " ".join(filter(None, (side, _CLASSES.get(cell))))
        written.append(f'<{element} class="{classes}">{_inline(cell)}</{element}>')
    return f"<tr>{''.join(written)}</tr>"


def _inline(text: str) -> str:
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"`([^`]*)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)


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
    laid_out = [_pad(line, widths, alignment) for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in (laid_out[0], rule, *laid_out[1:]))


def plain_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], alignment: Sequence[str]
) -> str:
    """Lays a table out for a terminal; the arguments are those of ``markdown_table``."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(_pad(line, widths, alignment)).rstrip() for line in lines)


def _pad(line: Sequence[str], widths: Sequence[int], alignment: Sequence[str]) -> list[str]:
    return [
        cell.rjust(width) if side == RIGHT else cell.ljust(width)
        for cell, width, side in zip(line, widths, alignment)
    ]


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Writes a table as CSV, one line a row; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
