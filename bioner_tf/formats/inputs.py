"""Reads documents from many files, whatever their formats."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO

from bioner_tf.errors import BionerError
from bioner_tf.files import open_atomically
from bioner_tf.formats.document import Document, Item, Reject
from bioner_tf.formats.opening import Opened, open_input
from bioner_tf.formats.registry import READERS, recognise

AUTO = "auto"


def read_items(names: Iterable[str], format_name: str = AUTO) -> Iterator[Item]:
    """Reads files one after the other.

    Args:
        names: Files; ``"-"`` is standard input.
        format_name: A name in ``READERS``, or ``AUTO``: by each file's name and content.

    Yields:
        Documents and rejects; a file that cannot be read at all is one reject.
    """
    for name in names:
        try:
            with open_input(name) as opened:
                yield from READERS[_choose(format_name, name, opened)](opened.stream, name)
        except BionerError as error:
            yield Reject(name, str(error).removeprefix(f"{name}: "))


def _choose(format_name: str, name: str, opened: Opened) -> str:
    if format_name != AUTO:
        return format_name
    # Somebody who types expects an answer to each line.
    return "text" if opened.interactive else recognise(name, opened.head)


class Rejects(contextlib.AbstractContextManager["Rejects"]):
    """Takes the rejected documents out of a stream.

    Args:
        path: The file that lists them, a line each; it appears in the end. None: the first
            rejected document is an error.

    Attributes:
        count: How many there were so far.
    """

    def __init__(self, path: str | None) -> None:
        self.count = 0
        self._stack = contextlib.ExitStack()
        self._path = path
        self._sink: IO[bytes] | None = None

    def __enter__(self) -> Rejects:
        if self._path is not None:
            self._sink = self._stack.enter_context(open_atomically(self._path))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def remove(self, items: Iterable[Item]) -> Iterator[Document]:
        """Yields the documents, and lists the others.

        Raises:
            BionerError: If there is a reject, but no file for it.
        """
        for item in items:
            if isinstance(item, Document):
                yield item
                continue
            if self._sink is None:
                raise BionerError(f"{item}; --rejects=FILE leaves such documents out")
            self.count += 1
            self._sink.write(f"{' '.join(str(item).splitlines())}\n".encode())
