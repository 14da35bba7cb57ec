"""Pages of text, tables and pictures as Markdown; tables also as plain text and as CSV.

Text may contain ``**bold**`` and `` `code` ``, as in Markdown.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Union

LEFT, RIGHT = "left", "right"


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 6."""

    kind: ClassVar[str] = "heading"
    level: int
    text: str


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; ``alignment`` holds ``LEFT`` or ``RIGHT`` for each column."""

    kind: ClassVar[str] = "table"
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    alignment: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: The name of its file, without the extension.
        text: A description, for readers who cannot see the picture.
        svg: The picture as SVG, for the HTML page.
        png: The picture as PNG, for the file that Markdown links to.
    """

    kind: ClassVar[str] = "picture"
    name: str
    text: str
    svg: str
    png: bytes

    @property
    def svg_element(self) -> str:
        """The SVG element without the XML declarations before it."""
        return self.svg[self.svg.index("<svg") :]


Block = Union[Heading, Paragraph, Table, Picture]


def to_markdown(blocks: Iterable[Block], pictures: str = "") -> str:
    """Writes a page as Markdown.

    Args:
        blocks: The page.
        pictures: The directory of the picture files, relative to the page.

    Returns:
        The page, with a newline at the end.
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


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], alignment: Sequence[str]
) -> str:
    """Writes a Markdown table with aligned columns.

    Args:
        header: The names of the columns.
        rows: One cell per column; vertical bars are escaped.
        alignment: ``LEFT`` or ``RIGHT`` for each column.

    Returns:
        The table, without a newline at the end.
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
    """Writes a table for the terminal; arguments as for ``markdown_table``."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(_pad(line, widths, alignment)).rstrip() for line in lines)


def _pad(line: Sequence[str], widths: Sequence[int], alignment: Sequence[str]) -> list[str]:
    return [
        cell.rjust(width) if side == RIGHT else cell.ljust(width)
        for cell, width, side in zip(line, widths, alignment)
    ]


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Writes a table as CSV, one line per row; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
