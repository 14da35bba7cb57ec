"""The tutorial as a notebook: ``python -m tests.helpers.notebook`` writes it again.

``docs/tutorial.md`` is the source: its prose becomes Markdown cells, its blocks become code cells.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
TUTORIAL = REPOSITORY / "docs" / "tutorial.md"
NOTEBOOK = REPOSITORY / "examples" / "tutorial.ipynb"


class Part(NamedTuple):
    """A part of a document.

    Attributes:
        language: ``sh`` or ``python``; "" for prose.
        text: Its text, without the marks of a block.
    """

    language: str
    text: str


def split_document(markdown: str) -> list[Part]:
    """Splits a document into its prose and its ``sh`` and ``python`` blocks, in order."""
    pieces = re.split(r"^```(sh|python)\n(.*?)^```$", markdown, flags=re.DOTALL | re.MULTILINE)
    parts = [Part("", pieces[0])]
    for language, block, prose in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
        parts += [Part(language, block), Part("", prose)]
    return [Part(part.language, part.text.strip("\n")) for part in parts if part.text.strip()]


def to_notebook(markdown: str) -> str:
    """Converts a document of ``docs/`` to a Jupyter notebook without outputs, as JSON."""
    cells = [_to_cell(number, part) for number, part in enumerate(split_document(markdown))]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _to_cell(number: int, part: Part) -> dict[str, object]:
    cell: dict[str, object] = {"id": f"cell-{number}", "metadata": {}}
    if part.language:
        cell.update(cell_type="code", execution_count=None, outputs=[])
    else:
        cell.update(cell_type="markdown")
    text = f"%%bash\n{part.text}" if part.language == "sh" else _point_to_docs(part)
    return {**cell, "source": text.splitlines(keepends=True)}


def _point_to_docs(part: Part) -> str:
    """Makes the links of a document in ``docs/`` right for a file in ``examples/``."""
    if part.language:
        return part.text
    return re.sub(r"\]\((?!\.\./|#|https?:)", "](../docs/", part.text)


if __name__ == "__main__":
    NOTEBOOK.parent.mkdir(exist_ok=True)
    NOTEBOOK.write_text(to_notebook(TUTORIAL.read_text(encoding="utf-8")), encoding="utf-8")
