"""A web server of files with ranges that can break off, and one that sends what it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socketserver
import threading
from collections.abc import Iterator, Sequence


class FileServer(http.server.ThreadingHTTPServer):
    """Serves files from memory.

    Attributes:
        files: Their content by name.
        limits: After how many bytes the next connections break.
        asked: The ``Range`` header of each request.
        url: Where it is.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.limits: list[int] = []
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle is no error here."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range"))
        content = self.server.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        tag = '"' + hashlib.md5(content).hexdigest() + '"'
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == tag:
            start = int(self.headers["Range"][len("bytes=") : -1])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        limit = self.server.limits.pop(0) if self.server.limits else None
        self.wfile.write(content[start : None if limit is None else start + limit])
        if limit is not None:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


class RawServer(socketserver.TCPServer):
    """Sends ``answers``, one a request, the last one again and again; notes the requests."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _RawHandler)
        self.answers = list(answers)
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _RawHandler(socketserver.StreamRequestHandler):
    server: RawServer

    def handle(self) -> None:
        lines = []
        while (line := self.rfile.readline()).strip():
            lines.append(line.decode("latin-1"))
        self.server.requests.append("".join(lines))
        answers = self.server.answers
        with contextlib.suppress(ConnectionError):
            self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """Serves in a thread while the block runs."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serve_files() -> Iterator[FileServer]:
    """Runs a server of files in a thread while the block runs."""
    server = FileServer()
    with running(server):
        yield server
