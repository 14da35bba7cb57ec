"""CoNLL: a token and its tag a line, an empty line between sentences, -DOCSTART- before documents.

Reading joins the tokens of a sentence by spaces. Writing cuts text into tokens as the corpora are
cut, and into sentences at line breaks and at full stops that a capital follows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from bioner_tf.corpora import tags as tag_schemes
from bioner_tf.corpora.corpus import DOCUMENT_MARK, TOKEN
from bioner_tf.formats.document import (
    Annotation,
    Document,
    Item,
    Passage,
    Reject,
    check_document,
    join_passages,
)
from bioner_tf.formats.losses import count_details, count_notes

SENTENCE = "sentence"

_COLUMN_GAP = re.compile("[ \t]+")
_SENTENCE_GAP = re.compile(r"\s*[\n\r]\s*|(?<=[.!?])\s+(?=[A-Z0-9])")
# What other programs write in further columns of the line that starts a document.
_NO_ID = ("", "O", "-X-")


def looks_like_conll(head: bytes) -> bool:
    """Tells whether a file that starts with these bytes is in this format."""
    if head.startswith(DOCUMENT_MARK.encode()):
        return True
    # The last line may be cut.
    lines = head.decode("utf-8", "replace").split("\n")[:20]
    lines = [line.rstrip("\r") for line in (lines[:-1] or lines) if line.strip()]
    return bool(lines) and all("\t" in line and _is_tagged(line) for line in lines)


def _is_tagged(line: str) -> bool:
    try:
        tag_schemes.split_tag(line.rpartition("\t")[2])
    except ValueError:
        return False
    return True


def read_conll(stream: BinaryIO, name: str) -> Iterator[Item]:
    """Reads a file.

    Args:
        stream: The file.
        name: Its name, for messages.

    Yields:
        A document for each -DOCSTART-; without one, a document for each sentence. Each sentence
        is a passage.
    """
    reader = _Reader(name)
    for number, raw in enumerate(stream, start=1):
        yield from reader.take(number, raw)
    yield from reader.finish()


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._marked = False
        self._id = ""
        self._sentences: list[tuple[list[str], list[str]]] = []
        self._tokens: list[str] = []
        self._tags: list[str] = []
        self._reject: Reject | None = None

    def take(self, number: int, raw: bytes) -> Iterator[Item]:
        """Takes a line."""
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n").strip(" \t")
            columns = _COLUMN_GAP.split(line)
            if columns[0] == DOCUMENT_MARK:
                yield from self.finish()
                self._marked = True
                self._id = columns[1] if len(columns) > 1 and columns[1] not in _NO_ID else ""
            elif not columns[0]:
                self._end_sentence()
                if not self._marked:
                    yield from self.finish()
            else:
                if len(columns) == 1:
                    raise ValueError('expected "token<TAB>tag", got 1 column')
                tag_schemes.split_tag(columns[-1])
                self._tokens.append(columns[0])
                self._tags.append(columns[-1])
        except ValueError as error:  # also malformed UTF-8
            self._reject = self._reject or Reject(f"{self._name}:{number}", str(error))

    def finish(self) -> Iterator[Item]:
        """Ends a document, if there is one."""
        self._end_sentence()
        if self._reject:
            yield self._reject
        elif self._marked or self._sentences:
            yield _to_document(self._id, self._sentences)
        self._sentences, self._reject, self._marked = [], None, False

    def _end_sentence(self) -> None:
        if self._tokens:
            self._sentences.append((self._tokens, self._tags))
        self._tokens, self._tags = [], []


def _to_document(name: str, sentences: list[tuple[list[str], list[str]]]) -> Document:
    passages = join_passages(Passage(0, " ".join(tokens), SENTENCE) for tokens, _ in sentences)
    annotations = []
    for passage, (tokens, tags) in zip(passages, sentences):
        starts = [passage.offset]
        for token in tokens:
            starts.append(starts[-1] + len(token) + 1)
        for span in tag_schemes.to_spans(tags):
            start, end = starts[span.start], starts[span.end] - 1
            text = passage.text[start - passage.offset : end - passage.offset]
            annotations.append(Annotation(((start, end),), span.type, text))
    return Document(name, passages, tuple(annotations))


def write_conll(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes documents, tagged by IOB2.

    Args:
        documents: The id of each follows its -DOCSTART-.
        losses: Counts what the format cannot hold.

    Yields:
        The lines of each document.
    """
    for document in documents:
        text = check_document(document)
        name = "_".join(document.id.split())
        if name in _NO_ID:
            name = ""
        losses["document ids"] += name != document.id
        lines = [f"{DOCUMENT_MARK}\t{name}" if name else DOCUMENT_MARK, ""]
        annotations = _without_overlap(document.annotations, losses)
        found = 0
        for start, end in _sentences(document, text, annotations):
            tokens = [match.span() for match in TOKEN.finditer(text, start, end)]
            spans = _to_token_spans(tokens, annotations)
            found += len(spans)
            tags = tag_schemes.from_spans(spans, len(tokens), "IOB2")
            lines += [f"{text[a:b]}\t{tag}" for (a, b), tag in zip(tokens, tags)]
            lines.append("")
        losses["annotations that cut tokens or sentences"] += len(annotations) - found
        losses["passages"] += sum(p.kind not in ("", SENTENCE) for p in document.passages)
        losses["relations"] += len(document.relations)
        losses["infons"] += len(document.infons) + sum(len(p.infons) for p in document.passages)
        count_notes(document, losses)
        yield ("\n".join(lines) + "\n").encode()


def _without_overlap(annotations: Iterable[Annotation], losses: Counter[str]) -> list[Annotation]:
    kept: list[Annotation] = []
    for annotation in sorted(annotations, key=lambda a: (a.start, -a.end)):
        if len(annotation.spans) > 1:
            losses["discontinuous annotations"] += 1
        elif kept and annotation.start < kept[-1].end:
            losses["overlapping annotations"] += 1
        else:
            kept.append(annotation)
            count_details(annotation, losses)
            losses["exact names of types"] += len(annotation.type.split()) != 1
    return kept


def _sentences(
    document: Document, text: str, annotations: list[Annotation]
) -> Iterator[tuple[int, int]]:
    """The sentences of the passages that have tokens; no sentence ends inside an annotation."""
    inside = ((a.start, a.end) for a in annotations)
    span = next(inside, None)
    for passage in document.passages:
        start = passage.offset
        gaps = () if passage.kind == SENTENCE else _SENTENCE_GAP.finditer(passage.text)
        for gap in gaps:
            gap_start, gap_end = passage.offset + gap.start(), passage.offset + gap.end()
            while span and span[1] <= gap_start:
                span = next(inside, None)
            if span and span[0] < gap_end:
                continue
            if TOKEN.search(text, start, gap_start):
                yield start, gap_start
            start = gap_end
        if TOKEN.search(text, start, passage.end):
            yield start, passage.end


def _to_token_spans(
    tokens: list[tuple[int, int]], annotations: list[Annotation]
) -> list[tag_schemes.Span]:
    starts = {start: place for place, (start, _) in enumerate(tokens)}
    ends = {end: place + 1 for place, (_, end) in enumerate(tokens)}
    first, last = tokens[0][0], tokens[-1][1]
    spans = []
    for annotation in annotations:
        if annotation.start < first or annotation.end > last:
            continue
        if annotation.start in starts and annotation.end in ends:
            name = "_".join(annotation.type.split())
            spans.append(tag_schemes.Span(starts[annotation.start], ends[annotation.end], name))
    return spans
