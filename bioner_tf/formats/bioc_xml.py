"""BioC XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from bioner_tf.formats.bioc import SOURCE, from_documents, to_document
from bioner_tf.formats.document import Document, DocumentError, Item, Reject
from bioner_tf.formats.xml import read_records, replace_forbidden, root_name

_START = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
    f"<collection><source>{SOURCE}</source><date></date><key></key>\n"
)
_END = "</collection>\n"


def looks_like_bioc_xml(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    return root_name(head) == "collection"


def read_bioc_xml(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a collection.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        Its documents.
    """
    for record in read_records(stream, name, ["document"]):
        if isinstance(record, Reject):
            yield record
            continue
        try:
            yield to_document(_to_json(record.element))
        except DocumentError as error:
            yield Reject(f"{name}:{record.line}", str(error))


def _to_json(document: Element) -> dict[str, Any]:
    return {
        "id": (document.findtext("id") or "").strip(),
        "passages": [
            {
                **_stretch(passage),
                "sentences": [_stretch(sentence) for sentence in passage.iterfind("sentence")],
            }
            for passage in document.iterfind("passage")
        ],
        **_marks(document),
    }


def _stretch(element: Element) -> dict[str, Any]:
    return {
        "offset": (element.findtext("offset") or "").strip(),
        "text": element.findtext("text"),
        **_marks(element),
    }


def _marks(element: Element) -> dict[str, Any]:
    return {
        "infons": _infons(element),
        "annotations": [
            {
                "id": annotation.get("id", ""),
                "infons": _infons(annotation),
                "text": annotation.findtext("text"),
                "locations": [location.attrib for location in annotation.iterfind("location")],
            }
            for annotation in element.iterfind("annotation")
        ],
        "relations": [
            {
                "id": relation.get("id", ""),
                "infons": _infons(relation),
                "nodes": [node.attrib for node in relation.iterfind("node")],
            }
            for relation in element.iterfind("relation")
        ],
    }


def _infons(element: Element) -> dict[str, str]:
    return {infon.get("key", ""): infon.text or "" for infon in element.iterfind("infon")}


def write_bioc_xml(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes a collection.

    Args:
        documents: Those without an id get their number.
        losses: Counts what the format cannot hold.

    Yields:
        The start, each document, the end.
    """
    yield _START.encode()
    for value in from_documents(documents, losses):
        xml, replaced = replace_forbidden("".join(_document(value)) + "\n")
        losses["control characters"] += replaced
        yield xml.encode()
    yield _END.encode()


def _document(value: Mapping[str, Any]) -> Iterator[str]:
    yield f"<document>{_element('id', value['id'])}{_infon_elements(value)}"
    for passage in value["passages"]:
        yield f"<passage>{_infon_elements(passage)}<offset>{passage['offset']}</offset>"
        yield _element("text", passage["text"])
        yield from map(_annotation, passage["annotations"])
        yield "</passage>"
    yield from map(_annotation, value["annotations"])
    yield from map(_relation, value["relations"])
    yield "</document>"


def _annotation(value: Mapping[str, Any]) -> str:
    locations = "".join(
        f'<location offset="{place["offset"]}" length="{place["length"]}"/>'
        for place in value["locations"]
    )
    text = _element("text", value["text"])
    return (
        f"<annotation id={quoteattr(value['id'])}>{_infon_elements(value)}{locations}{text}"
        "</annotation>"
    )


def _relation(value: Mapping[str, Any]) -> str:
    nodes = "".join(
        f"<node refid={quoteattr(node['refid'])} role={quoteattr(node['role'])}/>"
        for node in value["nodes"]
    )
    return f"<relation id={quoteattr(value['id'])}>{_infon_elements(value)}{nodes}</relation>"


def _infon_elements(value: Mapping[str, Any]) -> str:
    return "".join(
        f"<infon key={quoteattr(key)}>{_escape(infon)}</infon>"
        for key, infon in value["infons"].items()
    )


def _element(tag: str, text: str) -> str:
    return f"<{tag}>{_escape(text)}</{tag}>"


def _escape(text: str) -> str:
    # A parser reads an unescaped carriage return as a line feed.
    return escape(text, {"\r": "&#13;"})
