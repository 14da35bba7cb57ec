"""Self-contained HTML pages, made with the Jinja2 templates of this folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import jinja2
import markupsafe

from bioner_tf.pages.blocks import Block


def to_html(blocks: Iterable[Block], title: str) -> str:
    """Writes a page as HTML; ``title`` is shown by the browser."""
    return render("page.html", title=title, blocks=list(blocks))


def render(template: str, **values: Any) -> str:
    """Fills a template; values are escaped."""
    return _ENVIRONMENT.get_template(template).render(values)


def _inline(text: str) -> markupsafe.Markup:
    """Converts ``**bold**`` and `` `code` `` from Markdown to HTML."""
    escaped = re.sub(r"`([^`]*)`", r"<code>\1</code>", str(markupsafe.escape(text)))
    return markupsafe.Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["inline"] = _inline
