"""Finds the entities in raw text: one text a line in, one line out.

A text may be a sentence or a whole article. With --output_format=jsonl a line out is an object
{"text": ..., "entities": [{"start", "end", "type", "text", "score"}, ...]}: offsets count Unicode
code points from the start of the text, half-open; the score is the probability that exactly this
span is an entity of this type. With --output_format=highlight it is the text with its entities
marked, in colour on a terminal and as [text|Type 0.98] elsewhere. Bytes that are no UTF-8 read as
U+FFFD.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Callable

from absl import flags

from bioner_tf.cli import app
from bioner_tf.errors import BionerError
from bioner_tf.files import open_atomically
from bioner_tf.terminal import Progress

if TYPE_CHECKING:
    from bioner_tf.tagging.tagger import Entity

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "An exported tagger, a directory of its versions (the newest is taken) or a run directory.",
    required=True,
)
_INPUT = flags.DEFINE_string("input", "-", "The file to read; - is standard input.")
_OUTPUT = flags.DEFINE_string(
    "output", "-", "The file to write, which appears when it is whole; - is standard output."
)
_CORPUS = flags.DEFINE_string(
    "corpus", None, "The corpus that decides what an entity is; by default the tagger's main one."
)
_INPUT_FORMAT = flags.DEFINE_enum("input_format", "text", ["text"], "text: one text a line.")
_OUTPUT_FORMAT = flags.DEFINE_enum(
    "output_format", "jsonl", ["jsonl", "highlight"], "JSON for programs, or marked for the eye."
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "Texts tagged at once.", lower_bound=1)
_CORES = flags.DEFINE_integer(
    "cores",
    None,
    "Threads for so many cores at most; by default for all that the process may use.",
    lower_bound=1,
)

_STANDARD_STREAM = "-"
# Kind, first bytes, command that writes the content to standard output.
_COMPRESSED = (
    ("gzip", b"\x1f\x8b", "gzip -cd FILE"),
    ("zip", b"PK\x03\x04", "unzip -p FILE"),
    ("bzip2", tuple(b"BZh%d1AY&SY" % level for level in range(1, 10)), "bzip2 -cd FILE"),
    ("xz", b"\xfd7zXZ\x00", "xz -cd FILE"),
    ("zstd", b"\x28\xb5\x2f\xfd", "zstd -cd FILE"),
)
_BOLD, _DIM, _PLAIN = "\x1b[1;{}m", "\x1b[2m", "\x1b[0m"
_COLOURS = (32, 33, 34, 35, 36, 31)

Formatter = Callable[[str, "Sequence[Entity]"], str]


def main(argv: list[str]) -> None:
    """Tags."""
    del argv  # only the program's name: every setting is a flag
    # The files first: what is wrong with them shows before TensorFlow is there.
    with open_input(_INPUT.value) as source, open_output(_OUTPUT.value) as sink:
        from bioner_tf.machine import use_threads
        from bioner_tf.tagging.tagger import Tagger

        use_threads(_CORES.value)
        tagger = Tagger(_MODEL.value)
        tagger.check_corpus(_CORPUS.value)
        formatter = _formatter(_OUTPUT_FORMAT.value, sink.isatty())
        # Interactive input: answer line by line.
        batch_size = 1 if source.isatty() else _BATCH_SIZE.value
        show_progress = sys.stderr.isatty() and not sink.isatty()
        for batch in _report(_batches(read_texts(source, _INPUT.value), batch_size), show_progress):
            for text, entities in zip(batch, tagger.tag_texts(batch, _CORPUS.value)):
                sink.write(formatter(text, entities).encode() + b"\n")
            sink.flush()


def entry() -> None:
    """The console script ``bioner-tag``."""
    app.run(main)


@contextlib.contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Opens a file to read, or standard input."""
    if path == _STANDARD_STREAM:
        yield sys.stdin.buffer
    else:
        with open(path, "rb") as stream:
            yield stream


@contextlib.contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Opens a file that takes its name when the block succeeds, or standard output."""
    place = Path(path)
    if path == _STANDARD_STREAM:
        yield sys.stdout.buffer
    elif place.exists() and not place.is_file():  # a device, a pipe
        with open(place, "wb") as stream:
            yield stream
    else:
        if not place.parent.is_dir():
            raise BionerError(f"{place.parent}: expected a folder for --output; make it first")
        with open_atomically(place) as stream:
            yield stream


def read_texts(stream: Iterable[bytes], name: str = _STANDARD_STREAM) -> Iterator[str]:
    """Yields the lines of a stream without their line ends; malformed UTF-8 becomes U+FFFD.

    Raises:
        BionerError: The stream is compressed or binary, or only CR ends its lines.
    """
    for number, line in enumerate(stream):
        if number == 0:
            _check_start(line, name)
        if line.endswith(b"\n"):
            line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        yield line.decode("utf-8", "replace")


def _check_start(line: bytes, name: str) -> None:
    """Refuses a stream whose first line shows that it is not text, one a line."""
    for kind, start, unpack in _COMPRESSED:
        if line.startswith(start):
            raise BionerError(
                f"{name}: expected text, got {kind} data; unpack it first: {unpack} | bioner-tag"
            )
    head = line[:1024]
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"%PDF-")) or 4 * head.count(0) > len(head):
        raise BionerError(
            f"{name}: expected UTF-8 text, got binary data; convert it to UTF-8 first"
        )
    if not line.endswith(b"\n") and b"\r" in line.rstrip(b"\r"):
        raise BionerError(
            f"{name}: expected lines that end in LF, got CR only; convert them: tr '\\r' '\\n'"
        )


def to_json(text: str, entities: Sequence[Entity]) -> str:
    """A text and its entities as one line of JSON."""
    described = [{**e._asdict(), "score": round(e.score, 6)} for e in entities]
    return json.dumps({"text": text, "entities": described}, ensure_ascii=False)


def to_brackets(text: str, entities: Sequence[Entity]) -> str:
    """A text with each entity as ``[text|Type 0.98]``."""
    return _mark(text, entities, lambda e: f"[{e.text}|{e.type} {e.score:.2f}]")


def to_colours(text: str, entities: Sequence[Entity]) -> str:
    """A text with its entities coloured by type, for a terminal."""

    def colour(entity: Entity) -> str:
        # Of the name alone, so that a type has its colour in every text and every run.
        number = sum(entity.type.encode()) % len(_COLOURS)
        shown = f"{_BOLD.format(_COLOURS[number])}{entity.text}{_PLAIN}"
        return f"{shown} {_DIM}{entity.type} {entity.score:.2f}{_PLAIN}"

    return _mark(text, entities, colour)


def _formatter(output_format: str, on_terminal: bool) -> Formatter:
    if output_format == "jsonl":
        return to_json
    return to_colours if on_terminal else to_brackets


def _mark(text: str, entities: Sequence[Entity], mark: Callable[[Entity], str]) -> str:
    parts, done = [], 0
    for entity in entities:
        parts += [text[done : entity.start], mark(entity)]
        done = entity.end
    return "".join([*parts, text[done:]])


def _batches(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(itertools.islice(texts, size)):
        yield batch


def _report(batches: Iterable[list[str]], show: bool) -> Iterator[list[str]]:
    """Hands batches on, and shows on stderr how many texts have been done."""
    if not show:
        yield from batches
        return
    progress, done = Progress("texts"), 0
    for batch in batches:
        yield batch
        done += len(batch)
        progress.draw(done)
    print(file=sys.stderr)


if __name__ == "__main__":
    entry()
