"""Files and directories that appear whole or not at all.

Everything is written beside its final place, flushed to the disk and then renamed, so that a run
that is killed at any instant leaves either the old content or the new, never half of it.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Union

from bioner_tf.errors import BionerError

PathLike = Union[str, "os.PathLike[str]"]

GZIP_MAGIC = b"\x1f\x8b"
# Kind, first bytes, command that writes the content to standard output.
_COMPRESSED = (
    ("gzip", GZIP_MAGIC, "gzip -cd FILE"),
    ("zip", b"PK\x03\x04", "unzip -p FILE"),
    ("bzip2", tuple(b"BZh%d1AY&SY" % level for level in range(1, 10)), "bzip2 -cd FILE"),
    ("xz", b"\xfd7zXZ\x00", "xz -cd FILE"),
    ("zstd", b"\x28\xb5\x2f\xfd", "zstd -cd FILE"),
)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_TEMPORARY_PREFIX = ".partial-"
_OUTGOING_PREFIX = f"{_TEMPORARY_PREFIX}old-"
_REMOVED_PREFIX = f"{_TEMPORARY_PREFIX}removed-"
_LOCK_FILE = "writer.lock"
_BLOCK_BYTES = 1 << 20


def compressed_kind(content: bytes) -> tuple[str, str] | None:
    """Returns how a file is compressed, and a shell command that unpacks it to standard output.

    Args:
        content: The file's first bytes, 10 or more where there are as many.
    """
    for kind, start, command in _COMPRESSED:
        if content.startswith(start):
            return kind, command
    return None


def is_utf_16(content: bytes) -> bool:
    """Tells whether a file starts with the byte order mark of UTF-16."""
    return content.startswith(_UTF_16_MARKS)


def write_text_atomically(path: PathLike, text: str) -> None:
    """Writes ``text`` (UTF-8, newlines as they are) to ``path``, replacing what was there."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_bytes_atomically(path: PathLike, content: bytes) -> None:
    """Writes ``content`` to ``path``, replacing what was there."""
    with open_atomically(path) as stream:
        stream.write(content)


@contextlib.contextmanager
def open_atomically(path: PathLike) -> Iterator[BinaryIO]:
    """Opens a file to write beside ``path``, which takes its name when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=path.parent)
    try:
        # mkstemp makes the file private to its owner; a run directory is read by others.
        os.fchmod(descriptor, 0o666 & ~_umask())
        with open(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        _sync(path.parent)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        # The error of a full disk does not name the file.
        if isinstance(error, OSError) and error.filename is None:
            error.filename = os.fspath(path)
        raise


def write_json_atomically(path: PathLike, value: Any) -> None:
    """Writes ``value`` as indented JSON, keys in the given order, non-ASCII text as it is."""
    write_text_atomically(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_text(path: PathLike) -> str:
    """Reads a file of UTF-8 text, line breaks as they are.

    Raises:
        BionerError: It holds something else.
    """
    try:
        return Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BionerError(f"{path}: expected UTF-8 text: {error}") from None


def hash_file(path: PathLike) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal digits, as ``sha256sum`` does."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def read_json_object(path: PathLike) -> dict[str, Any]:
    """Reads a file that holds a JSON object.

    Raises:
        BionerError: It holds something else.
    """
    return parse_json_object(path, read_text(path))


def parse_json_object(place: PathLike, text: str) -> dict[str, Any]:
    """Parses a JSON object.

    Args:
        place: Where the text stands, for the message: ``path`` or ``path:line``.
        text: The text.

    Raises:
        BionerError: It is something else.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BionerError(f"{place}: expected JSON: {error}") from None
    if not isinstance(value, dict):
        raise BionerError(f"{place}: expected a JSON object, got {type(value).__name__}")
    return value


def publish_file(temporary: PathLike, path: PathLike) -> None:
    """Gives a finished file its name, replacing what was there; both are on one file system."""
    _sync(Path(temporary))
    os.replace(temporary, path)
    _sync(Path(path).parent)


@contextlib.contextmanager
def publish_directory(path: PathLike) -> Iterator[Path]:
    """Yields an empty directory beside ``path`` that takes its name when the block succeeds.

    A directory that already stands at ``path`` is replaced. Left-overs of killed writers of the
    same ``path`` are removed first.

    Args:
        path: The path of the finished directory.

    Yields:
        The temporary directory to fill.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_TEMPORARY_PREFIX}{path.name}"
    outgoing = path.parent / f"{_OUTGOING_PREFIX}{path.name}"
    _put_back(outgoing, path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        _sync_tree(temporary)
        if path.exists():
            os.replace(path, outgoing)
        os.replace(temporary, path)
    except BaseException:
        _put_back(outgoing, path)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(path.parent)
    shutil.rmtree(outgoing, ignore_errors=True)


def try_lock(stream: IO[Any]) -> bool:
    """Locks an open file for this process (``flock``); returns False if another one has the lock.

    The kernel frees the lock when all processes that have the stream open, by inheritance too,
    have closed it or have ended.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def lock_directory(path: PathLike, name: str = _LOCK_FILE) -> Iterator[None]:
    """Lets only one process write into a directory, for as long as the block runs.

    The lock (see ``try_lock``) ends with the process, even if that is killed. The file names the
    process that has the lock; it is removed at the end, and so is a new directory that is empty.

    Args:
        path: The directory; made where there is none.
        name: The file in it.

    Raises:
        BionerError: Another process has the lock.
    """
    directory = Path(path)
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    with _open_locked(file) as stream:
        stream.truncate(0)
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        stream.write(f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")
        stream.flush()
        try:
            yield
        finally:
            # While the lock is held: nobody else may have written into this file.
            file.unlink(missing_ok=True)
            if is_new:
                with contextlib.suppress(OSError):
                    directory.rmdir()


def _open_locked(file: Path) -> IO[str]:
    """Opens a lock file, and locks it."""
    while True:
        stream = open(file, "a+", encoding="utf-8")  # noqa: SIM115
        if not try_lock(stream):
            with stream:
                stream.seek(0)
                holder = stream.read().strip() or "unknown"
            raise BionerError(
                f"{file.parent}: expected to be the only process that writes here, but another "
                f"one does: {holder}; wait until it has ended"
            )
        # The process that had the lock may have removed the file between opening and locking.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(file)):
                return stream
        stream.close()


@contextlib.contextmanager
def stage_files(path: PathLike) -> Iterator[Path]:
    """Yields a directory beside ``path`` for unfinished files; one process at a time has it.

    It is removed in the end. What a killed process left in it is removed at the start.

    Args:
        path: What the files are for; it gives the directory its name.

    Raises:
        BionerError: Another process has the directory.
    """
    path = Path(path)
    staging = path.parent / f"{_TEMPORARY_PREFIX}{path.name}"
    with lock_directory(staging, _LOCK_FILE):
        for leftover in staging.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            elif leftover.name != _LOCK_FILE:
                leftover.unlink()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def remove_directory(path: PathLike) -> None:
    """Removes a directory: renames it first, so that it disappears at once."""
    path = Path(path)
    outgoing = path.parent / f"{_REMOVED_PREFIX}{path.name}"
    # Also finish the removals of killed processes.
    for leftover in path.parent.glob(f"{_REMOVED_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    os.replace(path, outgoing)
    shutil.rmtree(outgoing)


def remove_leftovers(directory: PathLike) -> None:
    """Removes what killed writers left in a directory; no other process may write there now.

    A directory that was moved away for a replacement that never came is moved back.
    """
    for path in Path(directory).glob(f"{_TEMPORARY_PREFIX}*"):
        if path.name.startswith(_OUTGOING_PREFIX):
            _put_back(path, path.with_name(path.name[len(_OUTGOING_PREFIX) :]))
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _put_back(outgoing: Path, path: Path) -> None:
    """Moves an old directory back if the new one never took its place, else removes it."""
    if outgoing.exists() and not path.exists():
        os.replace(outgoing, path)
    shutil.rmtree(outgoing, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_tree(root: Path) -> None:
    for directory, _, names in os.walk(root):
        for name in names:
            _sync(Path(directory) / name)
        _sync(Path(directory))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
