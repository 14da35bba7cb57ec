"""One HTML page with the entities marked: self-contained, no network, everything escaped.

The page is written piece by piece: what needs all documents (the colours of the types) comes last.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bioner_tf.formats.document import Annotation, Document, check_document
from bioner_tf.formats.losses import count_notes

# The colours of Okabe and Ito, which colour-blind people tell apart. Then other kinds of lines.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("solid", "double", "dashed", "dotted")

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

_START = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Entities</title>
<style>
body { font: 1rem/2 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 0 1rem 4rem;
  color: #111; background: #fff; }
#controls { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #888;
  padding: .5rem 0; line-height: 1.6; z-index: 1; }
#controls label { margin-right: 1rem; white-space: nowrap; }
#index { max-height: 12rem; overflow: auto; }
#index a { margin-right: 1rem; }
article { border-bottom: 1px solid #ccc; padding: .5rem 0; scroll-margin-top: 8rem; }
h2 { font-size: 1rem; margin: .5rem 0; }
section { white-space: pre-wrap; overflow-wrap: anywhere; }
h3 { font-size: .75rem; font-weight: normal; color: #555; margin: 0; line-height: 1.5; }
.e { border-bottom: 3px solid; background: #f2f2f2; }
.e i { font-size: .65rem; font-style: normal; color: #444; padding: 0 .2em; user-select: none; }
.e.off { border-bottom: 0; background: none; padding-bottom: 0 !important; }
.e.off > i { display: none; }
@media print { #controls { display: none; } article { break-inside: avoid-page; } }
</style>
</head>
<body>
<div id="controls"><div id="types"></div>
<label>Minimum score <input id="score" type="range" min="0" max="1" step="0.01" value="0">
<output id="least">0.00</output></label> <span id="count"></span>
<details><summary>Documents</summary><div id="index"></div></details></div>
<main>
"""

_SCRIPT = """\
"use strict";
const marks = [...document.querySelectorAll(".e")];
const types = [...document.querySelectorAll("#names > li")].map((li) => li.textContent);
const off = new Set();
const score = document.getElementById("score");
const boxes = types.map((name, type) => {
  const label = document.createElement("label"), box = document.createElement("input");
  const mark = document.createElement("span"), count = document.createElement("span");
  box.type = "checkbox";
  box.checked = true;
  box.onchange = () => { box.checked ? off.delete(type) : off.add(type); show(); };
  mark.className = "e t" + type;
  mark.textContent = name;
  label.append(box, " ", mark, " ", count);
  document.getElementById("types").append(label);
  return count;
});
function show() {
  const least = Number(score.value), counts = types.map(() => new Set());
  document.getElementById("least").textContent = least.toFixed(2);
  for (const mark of marks) {
    const type = Number(mark.dataset.t);
    // What people annotated has no score and always stays.
    const hidden = off.has(type) || (mark.dataset.s && Number(mark.dataset.s) < least);
    mark.classList.toggle("off", hidden);
    if (!hidden) counts[type].add(mark.dataset.n);
  }
  boxes.forEach((count, type) => { count.textContent = "(" + counts[type].size + ")"; });
  const total = counts.reduce((sum, names) => sum + names.size, 0);
  document.getElementById("count").textContent = total + " entities shown";
}
score.oninput = show;
for (const article of document.querySelectorAll("article")) {
  const link = document.createElement("a");
  link.href = "#" + article.id;
  link.textContent = article.querySelector("h2").textContent;
  document.getElementById("index").append(link, " ");
}
show();
"""


def write_html(documents: Iterable[Document], losses: Counter[str]) -> Iterator[bytes]:
    """Writes a page.

    Args:
        documents: Those without an id get their number.
        losses: Counts what the page does not show.

    Yields:
        The start, each document, the end.
    """
    yield _START.encode()
    types: dict[str, int] = {}
    marks = 0
    for number, document in enumerate(documents, start=1):
        text = check_document(document)
        losses["relations"] += len(document.relations)
        count_notes(document, losses)
        losses["infons"] += len(document.infons) + sum(len(p.infons) for p in document.passages)
        parts = [f'<article id="d{number}"><h2>{_escape(document.id or str(number))}</h2>']
        marked = [
            _Mark(annotation, types.setdefault(annotation.type, len(types)), marks + place)
            for place, annotation in enumerate(document.annotations)
        ]
        marks += len(marked)
        _stack(marked, len(text))
        for passage in document.passages:
            heading = f"<h3>{_escape(passage.kind)}</h3>" if passage.kind else ""
            body = "".join(_segments(text, passage.offset, passage.end, marked))
            parts.append(f"{heading}<section>{body}</section>")
        yield ("".join(parts) + "</article>\n").encode()
    names = "".join(f"<li>{_escape(name)}</li>" for name in types)
    styles = "".join(f".t{i} {{ border-bottom: {_line(i)}; }}\n" for i in range(len(types)))
    yield f'</main>\n<ul id="names" hidden>{names}</ul>\n<style>\n{styles}</style>\n'.encode()
    yield f"<script>\n{_SCRIPT}</script>\n</body>\n</html>\n".encode()


class _Mark:
    """An annotation on the page; marks that overlap are on different levels."""

    def __init__(self, annotation: Annotation, type_number: int, number: int) -> None:
        self.annotation = annotation
        self.level = 0
        score = "" if annotation.score is None else f"{annotation.score:.4f}"
        described = [annotation.type, score, annotation.source]
        described += [f"{key}: {value}" for key, value in annotation.infons.items()]
        title = _escape(" \u00b7 ".join(filter(None, described)))
        self._start = f'<span class="e t{type_number}" data-t="{type_number}" data-n="{number}"'
        self._start += f' data-s="{score}" title="{title}"'

    def covers(self, offset: int) -> bool:
        return any(start <= offset < end for start, end in self.annotation.spans)

    def show(self, inside: str, end: int) -> str:
        """Marks a piece of text that ends at an offset; the last one has the type behind it."""
        label = f"<i>{_escape(self.annotation.type)}</i>" if end == self.annotation.end else ""
        return f'{self._start} style="padding-bottom:{4 * self.level}px">{inside}{label}</span>'


def _stack(marks: Sequence[_Mark], length: int) -> None:
    """Gives each mark the lowest level that is free there; longer ones are further out."""
    levels: list[bytearray] = []
    for mark in sorted(marks, key=lambda m: m.annotation.end - m.annotation.start):
        place = slice(mark.annotation.start, mark.annotation.end)
        mark.level = next((i for i, taken in enumerate(levels) if not any(taken[place])), -1)
        if mark.level < 0:
            mark.level = len(levels)
            levels.append(bytearray(length))
        levels[mark.level][place] = b"\1" * (place.stop - place.start)


def _segments(text: str, start: int, end: int, marks: Sequence[_Mark]) -> Iterator[str]:
    """The text from start to end, cut wherever a mark starts or ends."""
    cuts = {start, end}
    starting: dict[int, list[_Mark]] = {}
    for mark in marks:
        for span in mark.annotation.spans:
            if span[0] < end and start < span[1]:
                cuts.update(max(start, min(end, cut)) for cut in span)
                starting.setdefault(max(start, span[0]), []).append(mark)
    ordered = sorted(cuts)
    active: list[_Mark] = []
    for first, last in zip(ordered, ordered[1:]):
        active = [mark for mark in active if mark.covers(first)] + starting.get(first, [])
        piece = _escape(text[first:last])
        # A discontinuous mark whose parts touch would start here twice.
        active = list(dict.fromkeys(active))
        for mark in sorted(active, key=lambda m: m.level):
            piece = mark.show(piece, last)
        yield piece


def _line(number: int) -> str:
    line = _LINES[number // len(_COLOURS) % len(_LINES)]
    return f"3px {line} {_COLOURS[number % len(_COLOURS)]}"


def _escape(text: str) -> str:
    return html.escape(_CONTROLS.sub("\ufffd", text))
