"""Downloads a file over HTTP: goes on where it was, and never mixes two versions of the file.

Beside the unfinished file, ``NAME.json`` records by which tag the server knows its version.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, Any, NamedTuple, Union

from bioner_tf.errors import BionerError
from bioner_tf.files import read_json_object
from bioner_tf.terminal import Progress, clear_line

_TRIES = 4
_TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20
_MEGABYTE = 1_000_000
# More than any source has; stops an answer that would fill the disk.
_MOST_BYTES = 32 << 30
# The server may answer otherwise when it is asked again: so do all codes from 500 on.
_TEMPORARY = {
    http.client.REQUEST_TIMEOUT,
    http.client.TOO_EARLY,
    http.client.TOO_MANY_REQUESTS,
}
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
# A quoted strong ETag, or a date as Last-Modified has it. A weak ETag does not vouch for bytes.
_TAG = re.compile(r'"[\x21\x23-\x7e]*"|[A-Z][A-Za-z0-9:, ]+')

Report = Callable[[str], None]
_Response = Union[http.client.HTTPResponse, urllib.error.HTTPError]


class _Interrupted(Exception):
    """The download broke off, and may succeed when it is tried again."""


class _Version(NamedTuple):
    """The version of the file that was begun, as far as the server tells."""

    tag: str | None = None
    length: int | None = None  # bytes


def download(url: str, partial: Path, report: Report) -> None:
    """Downloads a file, going on with what is there of it.

    Args:
        url: An address of http or https. A redirect from https to http is refused.
        partial: The file; complete when the function returns, and to be continued when it raises.
        report: Is told why another try is needed, a line at a time.

    Raises:
        BionerError: The file cannot be had.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            _continue(url, partial)
            return
        except _Interrupted as error:
            if attempt == _TRIES:
                raise BionerError(
                    f"{url}: {error}; start again to go on with what is there, or name a mirror "
                    "by --from"
                ) from None
            report(f"  {error}; trying again ({attempt} of {_TRIES - 1})")
        time.sleep(2 ** (attempt - 1) / 2)


def forget(partial: Path) -> None:
    """Removes what was downloaded."""
    for path in (partial, _record(partial)):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _record(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _continue(url: str, partial: Path) -> None:
    version = _read_version(partial, url)
    have = partial.stat().st_size if version.tag and partial.exists() else 0
    request = _request(url)
    if have and version.tag:
        # The rest of the same version, or all of another one.
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", version.tag)
    with _open(request) as response:
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            # The last attempt may have ended right behind the last byte.
            if not have or have != version.length:
                forget(partial)
                raise _Interrupted("the server has a file of another length: starting anew")
            return
        _check_content(url, response)
        end: int | None
        if response.status == http.client.PARTIAL_CONTENT:
            end = _check_range(partial, have, version, response)
        else:
            have = 0
            end = _length(url, response)
            # The old content goes before the new tag comes, so that a kill cannot mix them.
            forget(partial)
            version = _Version(_tag(response.headers), end)
            # Where a kill leaves half of this, the next start begins anew.
            record = json.dumps({"url": url, **version._asdict()})
            _record(partial).write_text(record, encoding="utf-8")
        _append(response, partial, have, end)
    size = partial.stat().st_size
    if end is not None and size != end:
        if size > end:
            forget(partial)
        raise _Interrupted(f"the connection broke after {size:,} of {end:,} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to a scheme that anybody on the way can change."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Returns the next request."""
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urllib.parse.urlsplit(newurl).scheme not in allowed:
            raise BionerError(
                f"{req.full_url}: expected a redirect to {' or '.join(allowed)}, got one to "
                f"{_one_line(newurl)}; is there a mirror, for --from?"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any
    ) -> Any:
        """Follows a redirect, or closes the connection."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except (BionerError, ValueError):
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _request(url: str) -> urllib.request.Request:
    try:
        return urllib.request.Request(url, headers={"User-Agent": "bioner-fetch"})
    except ValueError as error:
        raise BionerError(f"{url}: expected an address: {_one_line(error)}") from None


def _open(request: urllib.request.Request) -> _Response:
    url = request.full_url
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error
        error.close()
        reason = f"the server says {error.code} {_one_line(error.reason)}"
        if error.code in _TEMPORARY or error.code >= http.client.INTERNAL_SERVER_ERROR:
            raise _Interrupted(reason) from None
        raise BionerError(f"{url}: {reason}; is there a mirror, for --from?") from None
    except (ValueError, http.client.InvalidURL) as error:
        raise BionerError(
            f"{url}: expected an address, or a redirect to one: {_one_line(error)}"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_one_line(getattr(error, "reason", None) or error)) from None


def _one_line(reason: object) -> str:
    """Makes a line of what a server or a library says, without what would steer a terminal."""
    line = " ".join(str(reason).split()) or type(reason).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _check_content(url: str, response: _Response) -> None:
    """Refuses an answer that does not hold the file's own bytes."""
    if response.status not in (http.client.OK, http.client.PARTIAL_CONTENT):
        raise BionerError(
            f"{url}: expected the file, got the answer {response.status} "
            f"{_one_line(response.reason)}; is there a mirror, for --from?"
        )
    kind = response.headers.get_content_type()
    if kind == "text/html":
        raise BionerError(
            f"{url}: expected the file, got a web page; is there a mirror, for --from?"
        )
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    # Some servers say of every .gz that it is encoded, and send it as it is.
    if encoding != "identity" and not url.endswith(".gz"):
        raise BionerError(
            f"{url}: expected the file as it is, got it encoded ({_one_line(encoding)}); is there "
            "a mirror, for --from?"
        )


def _length(url: str, response: _Response) -> int | None:
    """Returns how many bytes the answer has; None where it comes in chunks that tell the end."""
    lengths = {length.strip() for length in response.headers.get_all("Content-Length", [])}
    if isinstance(response, http.client.HTTPResponse) and response.chunked:
        return None
    if len(lengths) != 1 or not re.fullmatch("[0-9]{1,18}", min(lengths)):
        told = _one_line(", ".join(sorted(lengths)))[:40] if lengths else "none"
        raise BionerError(
            f"{url}: expected a number as Content-Length, got {told!r}; is there a mirror, for "
            "--from?"
        )
    length = int(min(lengths))
    if length > _MOST_BYTES:
        raise BionerError(f"{url}: expected at most {_MOST_BYTES:,} bytes, got {length:,}")
    return length


def _check_range(partial: Path, have: int, version: _Version, response: _Response) -> int:
    """Checks that the answer continues what is there; starts anew if it does not.

    Returns:
        The size of the whole file, or where the answer ends if the server does not tell it.
    """
    told = response.headers.get("Content-Range", "")
    if have and _tag(response.headers) in (None, version.tag):
        match = _RANGE.fullmatch(told)
        start, last = (int(match[1]), int(match[2])) if match else (-1, -1)
        total = int(match[3]) if match and match[3] != "*" else version.length or last + 1
        if start == have <= last < total == (version.length or total):
            return total
    forget(partial)
    raise _Interrupted(
        f"asked for the bytes from {have} on, got {_one_line(told)[:80] if told else 'others'}: "
        "starting anew"
    )


def _tag(headers: Message) -> str | None:
    """By what the server tells whether the file is still the one that was begun."""
    tags = (headers.get("ETag"), headers.get("Last-Modified"))
    return next((tag for tag in tags if tag and _TAG.fullmatch(tag)), None)


def _read_version(partial: Path, url: str) -> _Version:
    with contextlib.suppress(FileNotFoundError, BionerError):
        record = read_json_object(_record(partial))
        tag, length = record.get("tag"), record.get("length")
        if record.get("url") == url and isinstance(tag, str) and _TAG.fullmatch(tag):
            return _Version(tag, length if isinstance(length, int) else None)
    return _Version()


def _append(response: _Response, partial: Path, have: int, end: int | None) -> None:
    """Writes the answer behind what is there, and shows the progress."""
    progress = Progress("MB", (end or 0) // _MEGABYTE, "download", start=have // _MEGABYTE)
    try:
        with partial.open("ab") as output:
            while piece := _read(response):
                have += len(piece)
                if have > _MOST_BYTES:
                    raise BionerError(
                        f"{response.url}: expected at most {_MOST_BYTES:,} bytes, got more"
                    )
                output.write(piece)
                progress.draw(have // _MEGABYTE)
    except OSError as error:
        error.filename = str(partial)  # a full disk does not say at which file it is full
        raise
    finally:
        clear_line()


def _read(response: _Response) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _Interrupted(f"the connection broke: {_one_line(error)}") from None
