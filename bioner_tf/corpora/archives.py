"""Unpacks downloaded archives: only whole ones, within limits, to paths of our choice."""

from __future__ import annotations

import errno
import gzip
import stat
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, TypeVar, cast

from bioner_tf.errors import BionerError

_CHUNK = 1 << 20
# More than any source has; stops an archive that would fill the disk.
_MOST_UNPACKED_BYTES = 32 << 30
_MOST_MEMBERS = 100_000
# tarfile reads a header at once into memory, however long the archive says that it is.
_LONGEST_READ = 16 << 20
_FILE = "a file"
_TAR_KINDS = {
    tarfile.REGTYPE: _FILE,
    tarfile.AREGTYPE: _FILE,
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.DIRTYPE: "a directory",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}
_ZIP_KINDS = {
    0: _FILE,
    stat.S_IFREG: _FILE,
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_OTHER_KIND = "something else"

_Item = TypeVar("_Item")


class _Member(NamedTuple):
    """An entry of an archive."""

    name: str
    kind: str
    size: int  # bytes, as the archive says
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, targets: Mapping[str, Path], in_directory: bool = False) -> None:
    """Writes members of an archive to files.

    Args:
        archive: A ``.zip``, else a ``.tar.gz``.
        targets: Where to write which member, by its name. A member that the archive lacks is not
            written; other members are ignored.
        in_directory: Whether everything in the archive is below one directory, which the names in
            ``targets`` leave out.

    Raises:
        BionerError: The archive is damaged, cannot be read, is too large, names a path outside of
            itself, or has a wanted member twice or as a link, a directory or a device.
    """
    read = _zip_members if archive.suffix == ".zip" else _tar_members
    members = _refuse_damage(archive, read(archive))
    for name, piece in _refuse_damage(archive, _read(archive, members, targets, in_directory)):
        with targets[name].open("ab") as output:
            output.write(piece)


def _refuse_damage(archive: Path, items: Iterator[_Item]) -> Iterator[_Item]:
    """Turns what tarfile, zipfile and zlib raise for a damaged archive into a BionerError."""
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except BionerError:
            raise
        except Exception as error:  # struct.error, OverflowError, ...: there is no complete list
            is_of_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
            if is_of_disk:
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BionerError(f"{archive}: expected a whole archive: {reason}") from None
        yield item


def _read(
    archive: Path, members: Iterator[_Member], wanted: Collection[str], in_directory: bool
) -> Iterator[tuple[str, bytes]]:
    """Yields the content of the wanted members in pieces, the first of which is empty."""
    seen = set()
    unpacked = 0
    for number, member in enumerate(members, start=1):
        _check_size(archive, unpacked, number)
        name = _name_inside(archive, member.name, in_directory)
        if name not in wanted:
            continue
        if name in seen:
            raise BionerError(f"{archive}: expected each file once, got {member.name!r} twice")
        seen.add(name)
        if member.kind != _FILE:
            raise BionerError(
                f"{archive}: expected {member.name!r} to be a file, got {member.kind}"
            )
        _check_size(archive, unpacked + member.size)
        yield name, b""
        with member.open() as stream:
            while piece := stream.read(_CHUNK):
                unpacked += len(piece)
                _check_size(archive, unpacked)
                yield name, piece


def _name_inside(archive: Path, name: str, in_directory: bool) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BionerError(f"{archive}: expected paths inside of the archive, got {name!r}")
    return str(PurePosixPath(*path.parts[1:])) if in_directory else str(path)


def _check_size(archive: Path, size: int, members: int = 0) -> None:
    if size > _MOST_UNPACKED_BYTES or members > _MOST_MEMBERS:
        raise BionerError(
            f"{archive}: expected at most {_MOST_UNPACKED_BYTES:,} bytes in {_MOST_MEMBERS:,} "
            "files, got more; is it the right archive?"
        )


class _GzipFile(gzip.GzipFile):
    """A gzip stream for tarfile."""

    def read(self, size: int | None = -1) -> bytes:
        """Reads ``size`` bytes, within a limit."""
        if size is None or not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size)


def _check_gzip(path: Path) -> None:
    """Reads a gzip stream to its end, where its checksum is.

    tarfile stops before the end, and takes a damaged header within the archive for the end.
    """
    size = 0
    with gzip.open(path) as stream:
        while piece := stream.read(_CHUNK):
            size += len(piece)
            _check_size(path, size)


def _tar_members(path: Path) -> Iterator[_Member]:
    _check_gzip(path)
    with _GzipFile(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            kind = _TAR_KINDS.get(member.type, _OTHER_KIND)
            if member.issparse():
                kind = _OTHER_KIND
            open_file = cast(Callable[[], IO[bytes]], partial(archive.extractfile, member))
            yield _Member(member.name, kind, member.size, open_file)
        # tarfile takes a damaged header for the end, which is a block of zeros.
        stream.seek(archive.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"neither a file nor the end at byte {archive.offset:,}")


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = _ZIP_KINDS.get(stat.S_IFMT(member.external_attr >> 16), _OTHER_KIND)
            if member.is_dir():
                kind = "a directory"
            yield _Member(member.filename, kind, member.file_size, partial(archive.open, member))
