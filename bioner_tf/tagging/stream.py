"""Tags files of documents: reads, tags in batches, and writes after each batch."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Callable

from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import open_atomically, publish_directory
from bioner_tf.formats.document import Document
from bioner_tf.formats.inputs import AUTO, Rejects, read_items
from bioner_tf.formats.losses import describe_losses
from bioner_tf.formats.opening import STANDARD_STREAM, find_inputs
from bioner_tf.formats.registry import FOLDER_WRITERS, find_writer
from bioner_tf.tagging.documents import tag_documents
from bioner_tf.terminal import Progress


def tag_files(
    model: str | None = None,
    inputs: Sequence[str] = (STANDARD_STREAM,),
    output: str = STANDARD_STREAM,
    *,
    corpus: str | None = None,
    type_map: Sequence[str] = (),
    min_score: float | None = None,
    overlaps: str | None = None,
    input_format: str = AUTO,
    output_format: str = "jsonl",
    existing: str = "keep",
    rejects: str | None = None,
    batch_size: int = 256,
    cores: int | None = None,
) -> None:
    """Tags the documents of files, or of standard input, and shows the progress on a terminal.

    Args:
        model: An export, a directory of its versions or a run directory; by default the tagger that
            comes with the package.
        inputs: Files, folders and patterns; ``"-"`` is standard input.
        output: The file to write, or the folder if the format is one of files; it appears only
            when it is complete. ``"-"`` is standard output.
        corpus: See :meth:`Tagger.tag_texts`.
        type_map: Likewise.
        min_score: Likewise.
        overlaps: Likewise.
        input_format: A name in ``formats.registry.READERS``, or ``AUTO``.
        output_format: A name in ``formats.registry.WRITERS`` or ``FOLDER_WRITERS``.
        existing: A name in ``tagging.documents.EXISTING``.
        rejects: The file that lists the documents that cannot be read; None: the first is an
            error.
        batch_size: Number of documents in a batch, at least 1.
        cores: The most cores to use; by default all that the process may use.

    Raises:
        BionerError: If the model, the corpus or the input is invalid.
    """
    names = find_inputs(inputs)
    # Somebody who types expects an answer to each line.
    if STANDARD_STREAM in names and sys.stdin.buffer.isatty():
        batch_size = 1
    losses: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    # Open the files before importing TensorFlow, which takes seconds, to report mistakes at once.
    with Rejects(rejects) as rejected, _open_writer(output_format, output, losses) as write:
        items = read_items(names, input_format)
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
        documents = _count_skipped(rejected.remove(items), skipped)
        batches = tag_documents(tag, documents, batch_size, existing)
        if sys.stderr.isatty() and not (output == STANDARD_STREAM and sys.stdout.isatty()):
            batches = _report(batches)
        write(batches)
    _print_report(describe_losses(losses, output_format))
    _print_report(_describe_skipped(skipped))
    if rejected.count:
        _print_report(f"rejected documents: {rejected.count:,}; {rejects} says why")


Write = Callable[[Iterable[list[Document]]], None]


@contextlib.contextmanager
def _open_writer(format_name: str, output: str, losses: Counter[str]) -> Iterator[Write]:
    """Opens the output; yields a function that writes batches of documents."""
    if format_name in FOLDER_WRITERS:
        with _open_folder(format_name, output) as folder:
            yield lambda batches: FOLDER_WRITERS[format_name](_flatten(batches), folder, losses)
        return
    with open_output(output) as sink:
        writer = find_writer(format_name, sink.isatty())
        yield lambda batches: _write_stream(batches, writer, sink, losses)


def _write_stream(
    batches: Iterable[list[Document]],
    writer: Callable[[Iterable[Document], Counter[str]], Iterator[bytes]],
    sink: BinaryIO,
    losses: Counter[str],
) -> None:
    """Writes batches, flushed after each."""

    def flushed() -> Iterator[Document]:
        for batch in batches:
            yield from batch
            sink.flush()

    for piece in writer(flushed(), losses):
        sink.write(piece)


@contextlib.contextmanager
def _open_folder(format_name: str, output: str) -> Iterator[Path]:
    """Opens a folder that gets its name only if the block succeeds."""
    if output == STANDARD_STREAM:
        raise UsageError(f"--output_format={format_name}: expected a folder for --output, got -")
    path = Path(output)
    if path.exists() and not (path.is_dir() and not os.listdir(path)):
        raise BionerError(f"{path}: expected a new or empty folder for --output; choose another")
    with publish_directory(path) as folder:
        yield folder


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


def _flatten(batches: Iterable[list[Document]]) -> Iterator[Document]:
    for batch in batches:
        yield from batch


def _count_skipped(documents: Iterable[Document], skipped: Counter[str]) -> Iterator[Document]:
    for document in documents:
        skipped.update(document.skipped)
        yield document


def _describe_skipped(skipped: Counter[str]) -> str:
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(skipped.items()) if count)
    return f"left out of the input: {counts}" if counts else ""


def _print_report(line: str) -> None:
    if line:
        print(line, file=sys.stderr)


def _report(batches: Iterable[list[Document]]) -> Iterator[list[Document]]:
    """Yields the batches and shows on stderr how many documents are done."""
    progress, done = Progress("documents"), 0
    for batch in batches:
        yield batch
        done += len(batch)
        progress.draw(done)
    print(file=sys.stderr)
