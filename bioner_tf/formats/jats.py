"""JATS, the XML of PubMed Central's full texts: titles, abstracts, sections, captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from bioner_tf.formats.document import Document, Item, Passage, Reject, join_passages
from bioner_tf.formats.xml import read_records, root_name

# What is left out, and how it is called in the report.
_SKIPPED = {
    "table": "tables",
    "ref-list": "lists of references",
    "sub-article": "sub-articles",
    "response": "responses",
    "disp-formula": "formulas",
    "tex-math": "formulas",
    "inline-formula": "formulas",
    "mml:math": "formulas",
    "supplementary-material": "supplementary materials",
}
# The elements whose text is a passage, and what it is.
_KINDS = {"p": "paragraph", "title": "heading", "article-title": "title"}
# The elements that hold other passages, and the kind of the paragraphs in them.
_CONTEXTS = {"abstract": "abstract", "trans-abstract": "abstract", "caption": "caption"}
# White space between the parts of a passage.
_BREAKS = ("break", "list-item", "p", "title", "disp-quote")
_ID_TYPES = ("pmc", "pmcid", "pmid", "doi", "publisher-id")


def looks_like_jats(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    return root_name(head) in ("article", "pmc-articleset")


def read_jats(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads articles.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        A document for each article. Tables, references and formulas are left out and counted.
    """
    for record in read_records(stream, name, ["article"]):
        yield record if isinstance(record, Reject) else _to_document(record.element)


def _to_document(article: Element) -> Document:
    skipped: Counter[str] = Counter()
    pieces: list[Passage] = []
    meta = article.find("front/article-meta")
    ids: dict[str, str] = {}
    if meta is not None:
        for article_id in meta.iterfind("article-id"):
            ids.setdefault(article_id.get("pub-id-type", ""), (article_id.text or "").strip())
        for path in ("title-group/article-title", "abstract", "trans-abstract"):
            for element in meta.iterfind(path):
                pieces += _passages(element, "", skipped)
    for path in ("body", "back", "floats-group", "sub-article", "response"):
        for element in article.iterfind(path):
            pieces += _passages(element, "", skipped)
    name = next((ids[kind] for kind in _ID_TYPES if ids.get(kind)), "")
    if name.isdigit() and ids.get("pmc") == name:
        name = f"PMC{name}"
    infons = {kind: value for kind, value in ids.items() if value and value != name}
    return Document(name, join_passages(pieces), infons=infons, skipped=skipped)


def _passages(element: Element, context: str, skipped: Counter[str]) -> Iterator[Passage]:
    """The passages in an element, in order."""
    if element.tag in _SKIPPED:
        skipped[_SKIPPED[element.tag]] += 1
        return
    if element.tag in _KINDS:
        parts: list[str] = []
        nested: list[Element] = []
        _collect(element, parts, nested, skipped)
        kind = _KINDS[element.tag]
        kind = context if context and kind == "paragraph" else kind
        text = " ".join("".join(parts).split())
        if text:
            yield Passage(0, text, kind)
        for inner in nested:
            yield from _passages(inner, context, skipped)
        return
    context = _CONTEXTS.get(element.tag, context)
    for child in element:
        yield from _passages(child, context, skipped)


def _collect(
    element: Element, parts: list[str], nested: list[Element], skipped: Counter[str]
) -> None:
    """Collects the text of a passage; figures and tables in it become passages of their own."""
    parts.append(element.text or "")
    for child in element:
        if child.tag in _SKIPPED:
            skipped[_SKIPPED[child.tag]] += 1
        elif child.tag in ("fig", "table-wrap", "fig-group", "boxed-text"):
            nested.append(child)
        else:
            if child.tag in _BREAKS:
                parts.append(" ")
            _collect(child, parts, nested, skipped)
            if child.tag in _BREAKS:
                parts.append(" ")
        parts.append(child.tail or "")
