from __future__ import annotations

import errno
import json
import resource
import shutil
import ssl
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioner_tf.corpora import download as module
from bioner_tf.corpora.download import download, forget
from bioner_tf.errors import BionerError
from tests.helpers.file_server import RawServer, running

CONTENT = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)


@pytest.fixture
def partial(tmp_path):
    return tmp_path / ".download-words.bin"


def get(server, partial):
    told: list[str] = []
    download(f"{server.url}/words.bin", partial, told.append)
    return told


def failure(server, partial):
    """What a download that fails says, and whether it was tried again."""
    told: list[str] = []
    with pytest.raises(BionerError) as error:
        download(f"{server.url}/words.bin", partial, told.append)
    message = str(error.value)
    assert message.startswith(f"{server.url}/")
    assert all(letter.isprintable() for letter in message)
    assert len(told) in (0, 3)
    return message, bool(told)


def answer(status="200 OK", body=b"", **headers):
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def begin(partial, server, have=b"abc", **record):
    """Leaves what a download that broke off leaves."""
    partial.write_bytes(have)
    record = {"url": f"{server.url}/words.bin", "tag": '"one"', "length": 6, **record}
    partial.with_name(f"{partial.name}.json").write_text(json.dumps(record))


def test_broken_connections_go_on_where_they_were(partial, server):
    server.files["words.bin"] = CONTENT
    server.limits = [100_000, 200_000]
    told = get(server, partial)
    assert partial.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=300000-"]
    assert told == [
        "  the connection broke after 100,000 of 512,000 bytes; trying again (1 of 3)",
        "  the connection broke after 300,000 of 512,000 bytes; trying again (2 of 3)",
    ]
    forget(partial)
    assert list(partial.parent.iterdir()) == []


def test_download_that_failed_goes_on_the_next_time(partial, server):
    server.files["words.bin"] = CONTENT
    server.limits = [1000] * 4
    message, _ = failure(server, partial)
    assert message.endswith("start again to go on with what is there, or name a mirror by --from")
    get(server, partial)
    assert server.asked[4:] == ["bytes=4000-"]
    assert partial.read_bytes() == CONTENT


def test_complete_download_is_used(partial, server):
    server.files["words.bin"] = CONTENT
    get(server, partial)
    get(server, partial)
    assert server.asked == [None, f"bytes={len(CONTENT)}-"]
    assert partial.read_bytes() == CONTENT


def test_file_that_has_changed_meanwhile_is_begun_anew(partial, server):
    server.files["words.bin"] = CONTENT
    server.limits = [1000] * 4
    failure(server, partial)
    server.files["words.bin"] = CONTENT[::-1]
    get(server, partial)
    assert partial.read_bytes() == CONTENT[::-1]


def test_part_of_another_address_is_not_continued(partial, server):
    server.files["words.bin"] = CONTENT
    begin(partial, server, url="https://elsewhere/words.bin")
    get(server, partial)
    assert server.asked == [None]
    assert partial.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "record",
    ["", "[]", '{"tag": 5}', "nonsense", '{"url": "URL", "tag": "\\"a\\r\\nHost: evil"}'],
)
def test_damaged_record_begins_anew(partial, server, record):
    server.files["words.bin"] = CONTENT
    begin(partial, server)
    record = record.replace("URL", f"{server.url}/words.bin")
    partial.with_name(f"{partial.name}.json").write_text(record)
    get(server, partial)
    assert server.asked == [None]
    assert partial.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "wrong",
    [
        answer("206 Partial", b"xyz", Content_Range="bytes 0-2/6", Content_Length=3),
        answer("206 Partial", b"xyz", Content_Range="bytes 4-5/6", Content_Length=2),
        answer("206 Partial", b"xyz", Content_Range="bytes 3-5/7", Content_Length=3),
        answer("206 Partial", b"xyz", Content_Range="bytes 3-6/6", Content_Length=4),
        answer("206 Partial", b"xyz", Content_Range="bytes 3-2/6", Content_Length=3),
        answer("206 Partial", b"xyz", Content_Range="bytes=3-5/6", Content_Length=3),
        answer("206 Partial", b"xyz", Content_Range="nonsense", Content_Length=3),
        answer("206 Partial", b"xyz", Content_Length=3),
        answer("206 Partial", b"xyz", Content_Range="bytes 3-5/6", Content_Length=3, ETag='"two"'),
        answer("206 Partial", b"vwxyz", Content_Range="bytes 3-5/6", Content_Length=5),
        answer("416 Too far", Content_Length=0),
    ],
    ids=[
        "from the start",
        "behind a gap",
        "of another length",
        "beyond the end",
        "backwards",
        "other syntax",
        "nonsense",
        "no range",
        "of another version",
        "more than it says",
        "not satisfiable",
    ],
)
def test_wrong_range_is_never_appended(partial, wrong):
    server = RawServer([wrong, answer(body=b"abcdef", Content_Length=6)])
    begin(partial, server)
    with running(server):
        told = get(server, partial)
    assert partial.read_bytes() == b"abcdef"
    assert len(told) == 1
    assert "Range: bytes=3-" in server.requests[0]
    assert 'If-Range: "one"' in server.requests[0]
    assert "Range" not in server.requests[1]


@pytest.mark.parametrize("total", ["6", "*"])
def test_right_range_is_appended(partial, total):
    headers = {"Content_Range": f"bytes 3-5/{total}", "Content_Length": 3, "ETag": '"one"'}
    server = RawServer([answer("206 Partial", b"def", **headers)])
    begin(partial, server)
    with running(server):
        assert get(server, partial) == []
    assert partial.read_bytes() == b"abcdef"


def test_part_of_the_range_is_appended_and_the_rest_asked_for(partial):
    server = RawServer(
        [
            answer("206 Partial", b"d", Content_Range="bytes 3-3/6", Content_Length=1),
            answer("206 Partial", b"ef", Content_Range="bytes 4-5/6", Content_Length=2),
        ]
    )
    begin(partial, server)
    with running(server):
        get(server, partial)
    assert partial.read_bytes() == b"abcdef"
    assert "Range: bytes=4-" in server.requests[1]


def test_range_that_was_not_asked_for_is_refused(partial):
    server = RawServer([answer("206 Partial", b"a", Content_Range="bytes 0-0/6", Content_Length=1)])
    with running(server):
        message, again = failure(server, partial)
    assert "asked for the bytes from 0 on, got bytes 0-0/6" in message
    assert again
    assert not partial.exists()


def test_more_than_the_file_has_is_begun_anew(partial):
    server = RawServer([answer("416 No", Content_Length=0), answer(body=b"abc", Content_Length=3)])
    begin(partial, server, have=b"abcdefgh")
    with running(server):
        get(server, partial)
    assert partial.read_bytes() == b"abc"


CHUNKED = {"Transfer_Encoding": "chunked"}


def test_chunks_need_no_length(partial):
    server = RawServer([answer(body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", **CHUNKED)])
    with running(server):
        assert get(server, partial) == []
    assert partial.read_bytes() == b"abcde"


@pytest.mark.parametrize(
    ("raw", "told", "again"),
    [
        (answer("302 Found", Location="/words.bin"), "infinite loop", False),
        (answer("302 Found", Location="file:///etc/passwd"), "file:///etc/passwd", False),
        (answer("302 Found", Location="ftp://127.0.0.1/x"), "expected a redirect to http", False),
        (answer("302 Found", Location="http://[::1/"), "expected an address", False),
        (answer("302 Found", Location="http://127.0.0.1:port/"), "expected an address", False),
        (answer("302 Found", Location="http://\x80\xff/"), "expected an address", False),
        (answer("302 Found", Location="http://a..b/"), "expected an address", False),
        (answer("302 Found"), "the server says 302", False),
        (answer("304 Not Modified"), "the server says 304", False),
        (answer("404 \x1b[31mNot\x07here"), "the server says 404", False),
        (answer("429 Slow down"), "the server says 429", True),
        (answer("503 Busy"), "the server says 503", True),
        (answer("204 No Content"), "got the answer 204", False),
        (answer("202 Accepted", b"wait", Content_Length=4), "got the answer 202", False),
        (answer(Content_Length="many"), "a number as Content-Length, got 'many'", False),
        (answer(Content_Length="-5"), "a number as Content-Length, got '-5'", False),
        (answer(Content_Length="9" * 30), "a number as Content-Length", False),
        (answer(Content_Length=10**15), "expected at most 34,359,738,368 bytes", False),
        (answer(body=b"abc"), "a number as Content-Length, got 'none'", False),
        (
            answer(body=b"abc", Content_Length=3).replace(
                b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"
            ),
            "a number as Content-Length, got '3, 5'",
            False,
        ),
        (answer(body=b"abc", Content_Length=9), "broke after 3 of 9 bytes", True),
        (answer(body=b"5\r\nab", **CHUNKED), "the connection broke", True),
        (answer(body=b"x\r\nab\r\n0\r\n\r\n", **CHUNKED), "the connection broke", True),
        (answer(body=b"-2\r\nab\r\n0\r\n\r\n", **CHUNKED), "the connection broke", True),
        (answer(body=b"3\r\nabc\r\n", **CHUNKED), "the connection broke", True),
        (answer(body=b"<html>", Content_Type="text/html; charset=x"), "got a web page", False),
        (answer(body=b"abc", Content_Encoding="gzip"), "got it encoded (gzip)", False),
        (b"", "Remote end closed connection", True),
        (b"\r\n\r\n", "start again", True),
        (b"SSH-2.0-OpenSSH_9.0\r\n", "SSH-2.0-OpenSSH_9.0", True),
        (b"HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 abc", True),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "got more than 65536", True),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", "got more than 100 headers", True),
        (b"HTTP/1.1 200 OK\r\n\x00\xff no header\r\n\r\nabc", "Content-Length", False),
    ],
    ids=lambda value: None if isinstance(value, (str, bool)) else repr(value[:50]),
)
def test_malformed_answer_is_one_line(partial, raw, told, again):
    server = RawServer([raw])
    with running(server):
        message, tried_again = failure(server, partial)
    assert told in message
    assert tried_again == again
    assert not partial.exists() or b"abcde".startswith(partial.read_bytes())


def test_answer_without_end_is_refused(partial, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    server = RawServer([answer(body=b"400\r\n" + b"x" * 0x400 + b"\r\n0\r\n\r\n", **CHUNKED)])
    with running(server):
        message, again = failure(server, partial)
    assert message.endswith("expected at most 1,000 bytes, got more")
    assert not again


@given(st.binary(max_size=80), st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_random_answer_is_one_line_or_a_file(tmp_path_factory, head, body):
    directory = tmp_path_factory.mktemp("random")
    server = RawServer([b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body])
    with pytest.MonkeyPatch.context() as patch, running(server):
        patch.setattr(module.time, "sleep", lambda seconds: None)
        failure(server, directory / "partial")


@pytest.mark.parametrize("url", ["http://[/words.bin", "http://a b/words.bin", "http://h:x/w.bin"])
def test_malformed_address_is_one_line(partial, url):
    with pytest.raises(BionerError, match="expected an address"):
        download(url, partial, print)


def test_no_server_is_one_line(partial):
    with pytest.raises(BionerError, match="Connection refused; start again to go on"):
        download("http://127.0.0.1:9/words.bin", partial, lambda line: None)


def test_full_disk_names_the_file_and_is_not_tried_again(partial, server):
    server.files["words.bin"] = CONTENT
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            get(server, partial)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(partial))
    assert len(server.asked) == 1
    get(server, partial)
    assert partial.read_bytes() == CONTENT
    assert server.asked[1:] == ["bytes=100000-"]


@pytest.fixture
def secure(monkeypatch, tmp_path):
    """Makes a server speak TLS, with a certificate that clients of this process trust."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def wrap(server):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = f"https://localhost:{server.server_address[1]}"
        return server

    return wrap


def test_https_is_not_left_by_a_redirect(partial, secure):
    plain = RawServer([answer(body=b"changed on the way", Content_Length=18)])
    redirect = answer("302 Found", Location=f"{plain.url}/words.bin")
    server = secure(RawServer([redirect]))
    with running(plain), running(server):
        message, again = failure(server, partial)
    assert f"expected a redirect to https, got one to {plain.url}/words.bin" in message
    assert not again
    assert plain.requests == []
    assert not partial.exists()


def test_redirects_to_https_are_followed(partial, secure):
    server = secure(RawServer([answer(body=b"abc", Content_Length=3)]))
    plain = RawServer([answer("302 Found", Location=f"{server.url}/elsewhere.bin")])
    with running(plain), running(server):
        get(plain, partial)
    assert partial.read_bytes() == b"abc"


def test_certificate_that_nobody_vouches_for_is_one_line(partial, secure, monkeypatch):
    server = secure(RawServer([answer(body=b"abc", Content_Length=3)]))
    monkeypatch.delenv("SSL_CERT_FILE")
    server.handle_error = lambda *arguments: None
    with running(server):
        message, _ = failure(server, partial)
    assert "certificate verify failed" in message
