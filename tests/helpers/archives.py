"""Makes archives in memory."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Union

Entry = Union[bytes, tarfile.TarInfo]


def make_tar(members: Mapping[str, Entry]) -> bytes:
    """A tar archive; a member is a file's content, or the header of what has none."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, what in members.items():
            if isinstance(what, bytes):
                header = tarfile.TarInfo(name)
                header.size = len(what)
                archive.addfile(header, io.BytesIO(what))
            else:
                what.name = name
                archive.addfile(what)
    return content.getvalue()


def make_tar_gz(members: Mapping[str, Entry]) -> bytes:
    """The same, compressed."""
    return gzip.compress(make_tar(members), mtime=0)


def tar_header(kind: bytes, target: str = "") -> tarfile.TarInfo:
    """The header of a link to ``target``, of a directory or of a device."""
    header = tarfile.TarInfo()
    header.type, header.linkname = kind, target
    return header


def make_zip(members: Mapping[str, bytes], mode: int = 0, **options: int) -> bytes:
    """A zip archive; ``mode`` is the Unix mode of its members, with their kind."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", **options) as archive:
        for name, what in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = archive.compression
            archive.writestr(entry, what)
    return content.getvalue()
