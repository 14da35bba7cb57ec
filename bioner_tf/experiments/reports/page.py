"""The page of results, as Markdown and as HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bioner_tf.experiments.paper.experiments import Results, arrange
from bioner_tf.experiments.paper.layouts import paper_tables
from bioner_tf.experiments.reports import figures
from bioner_tf.experiments.reports.origin import Origin
from bioner_tf.experiments.reports.tables import corpus_tables, groups_csv, left_out
from bioner_tf.files import write_bytes_atomically, write_text_atomically
from bioner_tf.pages.blocks import Block, Heading, Paragraph, Picture, to_markdown
from bioner_tf.pages.html import to_html
from bioner_tf.runs.collection import Collection
from bioner_tf.runs.groups import Group, default_settings, format_setting, group_runs

_READING = (
    "↑ and ↓: better or worse than STM; –: not run; the best F1 of a row is bold. The paper's "
    "statements are held against the means, whether or not a difference is significant. Where "
    "there are several seeds, Welch's t-test (two-sided) tells whether a difference is more than "
    "their luck: the seeds of two structures are independent and few, and need not vary alike. "
    "Holm's correction is for the comparisons of a table. The test says nothing about another test "
    "set; `bioner-evaluate --against` does."
)
TITLE = "Test scores of the trained taggers"


def build_page(collection: Collection, origin: Origin, pictures: bool = True) -> list[Block]:
    """Builds the page.

    Args:
        collection: The runs.
        origin: The command, machine and date to show.
        pictures: Whether to draw pictures; needs matplotlib.
    """
    groups, repeated = group_runs(collection.runs)
    draw = pictures and figures.can_draw()
    blocks: list[Block] = [Heading(1, TITLE), Paragraph(origin.sentence())]
    if pictures and not draw:
        blocks.append(Paragraph("No pictures: matplotlib (the extra `plot`) is not installed."))
    return [
        *blocks,
        *corpus_tables(groups),
        *_paper_section(groups, draw),
        *left_out(collection, repeated),
    ]


def _paper_section(groups: Sequence[Group], draw: bool) -> list[Block]:
    blocks: list[Block] = []
    for number, results in enumerate(arrange(groups, default_settings()), start=1):
        tables = paper_tables(results)
        if not tables:
            continue
        drawn = figures.draw_pictures(results, f"figure-{number}") if draw else {}
        again = f", other settings ({number})" if blocks else ""
        blocks += [Heading(2, f"The paper's tables{again}"), Paragraph(_protocol(results))]
        if not again:
            blocks.append(Paragraph(_READING))
        blocks += [Paragraph(line) for line in results.left_out]
        for table in tables:
            blocks += [*tables[table], *drawn.get(table, [])]
    return blocks


def _protocol(results: Results) -> str:
    settings = {"vectors": results.vectors, **results.settings}
    told = ", ".join(f"`{format_setting(*setting)}`" for setting in settings.items())
    return f"Runs with {told}, all else as by default."


def print_page(blocks: Sequence[Block]) -> str:
    """Returns the page as Markdown, without pictures."""
    return to_markdown(block for block in blocks if not isinstance(block, Picture))


def write_page(path: Path, blocks: Sequence[Block], collection: Collection) -> list[Path]:
    """Writes the page.

    Args:
        path: The Markdown file. Three more are written beside it, with the same name: a
            self-contained HTML page, the numbers as CSV, and a directory of pictures.
        blocks: The page.
        collection: The runs.

    Returns:
        The paths of all written files.
    """
    pictures = [block for block in blocks if isinstance(block, Picture)]
    outdated = _pictures_of(path)
    files = {path.with_suffix("") / f"{picture.name}.png": picture.png for picture in pictures}
    for file, content in files.items():
        write_bytes_atomically(file, content)
    for file in outdated - set(files):
        file.unlink(missing_ok=True)
    groups, _ = group_runs(collection.runs)
    write_text_atomically(path.with_suffix(".csv"), groups_csv(groups))
    write_text_atomically(path.with_suffix(".html"), to_html(blocks, TITLE))
    write_text_atomically(path, to_markdown(blocks, path.stem))
    return [path, path.with_suffix(".html"), path.with_suffix(".csv"), *files]


def _pictures_of(page: Path) -> set[Path]:
    """Returns the pictures of an earlier report: those that the Markdown file ``page`` shows."""
    if not page.is_file():
        return set()
    shown = re.escape(page.stem) + r"/(figure-[^/()]+\.png)"
    text = page.read_text(encoding="utf-8", errors="replace")
    return {page.with_suffix("") / name for name in re.findall(rf"!\[[^\]]*\]\({shown}\)", text)}
