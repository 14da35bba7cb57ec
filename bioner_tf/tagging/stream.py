"""Tags a stream of texts: reads a file, tags in batches, and writes after each batch."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Callable

from bioner_tf.errors import BionerError
from bioner_tf.files import open_atomically
from bioner_tf.formats.annotation import Entity
from bioner_tf.formats.registry import READERS, Writer, find_writer
from bioner_tf.terminal import Progress

STANDARD_STREAM = "-"


def tag_file(
    model: str | None = None,
    input_path: str = STANDARD_STREAM,
    output_path: str = STANDARD_STREAM,
    *,
    corpus: str | None = None,
    type_map: Sequence[str] = (),
    min_score: float | None = None,
    overlaps: str | None = None,
    input_format: str = "text",
    output_format: str = "jsonl",
    batch_size: int = 256,
    cores: int | None = None,
) -> None:
    """Tags the texts of a file, or of standard input, and shows the progress on a terminal.

    Args:
        model: An export, a directory of its versions or a run directory; by default the tagger that
            comes with the package.
        input_path: The file to read; ``"-"`` is standard input.
        output_path: The file to write; it appears only when it is complete. ``"-"`` is standard
            output.
        corpus: See :meth:`Tagger.tag_texts`.
        type_map: Likewise.
        min_score: Likewise.
        overlaps: Likewise.
        input_format: A name in ``formats.registry.READERS``.
        output_format: A name in ``formats.registry.WRITERS``.
        batch_size: Number of texts in a batch, at least 1.
        cores: The most cores to use; by default all that the process may use.

    Raises:
        BionerError: If the model, the corpus or the input is invalid.
    """
    # Open the files before importing TensorFlow, which takes seconds, to report mistakes at once.
    with open_input(input_path) as source, open_output(output_path) as sink:
        from bioner_tf.machine import use_threads
        from bioner_tf.tagging.tagger import Tagger

        use_threads(cores)
        tagger = Tagger(model)
        tag = functools.partial(
            tagger.tag_texts,
            corpus=corpus,
            type_map=type_map,
            min_score=min_score,
            overlaps=overlaps,
        )
        tag([])  # mistakes show before the input is read
        texts = READERS[input_format](source, input_path)
        # Interactive input: answer line by line.
        batches = _batches(texts, 1 if source.isatty() else batch_size)
        if sys.stderr.isatty() and not sink.isatty():
            batches = _report(batches)
        tag_batches(tag, batches, sink, find_writer(output_format, sink.isatty()))


def tag_batches(
    tag: Callable[[list[str]], list[list[Entity]]],
    batches: Iterable[list[str]],
    sink: BinaryIO,
    writer: Writer,
) -> None:
    """Tags batches of texts and writes one line for each text, flushed after each batch."""
    for batch in batches:
        for text, entities in zip(batch, tag(batch)):
            sink.write(writer(text, entities).encode() + b"\n")
        sink.flush()


@contextlib.contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Opens a file to read, or standard input."""
    if path == STANDARD_STREAM:
        yield sys.stdin.buffer
    else:
        with open(path, "rb") as stream:
            yield stream


@contextlib.contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Opens a file that gets its name only if the block succeeds, or standard output."""
    place = Path(path)
    if path == STANDARD_STREAM:
        yield sys.stdout.buffer
    elif place.exists() and not place.is_file():  # a device, a pipe
        with open(place, "wb") as stream:
            yield stream
    else:
        if not place.parent.is_dir():
            raise BionerError(f"{place.parent}: expected a folder for --output; create it first")
        with open_atomically(place) as stream:
            yield stream


def _batches(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(itertools.islice(texts, size)):
        yield batch


def _report(batches: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yields the batches and shows on stderr how many texts are done."""
    progress, done = Progress("texts"), 0
    for batch in batches:
        yield batch
        done += len(batch)
        progress.draw(done)
    print(file=sys.stderr)
