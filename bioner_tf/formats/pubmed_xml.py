"""PubMed XML, as the National Library of Medicine distributes it: titles and abstracts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from bioner_tf.formats.document import Document, Item, Passage, Reject, join_passages
from bioner_tf.formats.xml import read_records, root_name, text_of

_ARTICLE, _BOOK = "PubmedArticle", "PubmedBookArticle"
_ROOTS = ("PubmedArticleSet", "PubmedBookArticleSet", _ARTICLE, _BOOK)


def looks_like_pubmed_xml(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    return root_name(head) in _ROOTS


def read_pubmed_xml(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a set of articles.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        A document for each article: its id is the PMID, its passages are the title and the
        sections of the abstract, whose labels are infons.
    """
    for record in read_records(stream, name, [_ARTICLE, _BOOK]):
        if isinstance(record, Reject):
            yield record
            continue
        document = _to_document(record.element)
        if document.id:
            yield document
        else:
            yield Reject(f"{name}:{record.line}", "expected an article with a PMID, got none")


def _to_document(record: Element) -> Document:
    main = record.find("MedlineCitation")
    article = main.find("Article") if main is not None else None
    if main is None:
        main = article = record.find("BookDocument")
    if main is None:
        return Document("", ())
    pieces: list[Passage] = []
    if article is not None:
        pieces.append(Passage(0, text_of(article.find("ArticleTitle")), "title"))
        for section in article.iterfind("Abstract/AbstractText"):
            label = section.get("Label", "")
            infons = {"label": label} if label else {}
            pieces.append(Passage(0, text_of(section), "abstract", infons))
    skipped = Counter(
        {
            "abstracts in other languages or by others": len(main.findall("OtherAbstract")),
            "titles in other languages": len(main.findall("Article/VernacularTitle")),
        }
    )
    return Document(text_of(main.find("PMID")), join_passages(pieces), skipped=+skipped)
