"""Bodies that are too large or too slow, against both servers, over real sockets."""

import contextlib
import re
import socket
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.stack import Stack

MEGABYTE = 1 << 20
ADDRESSES = ["/api/v1/conversations/", "/v1/chat/completions", "/api/v1/attachments/", "/accounts/login/", "/nowhere"]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def stack(request):
    with Stack(asgi=request.param, interactives=0, jobs=0, env={"PARLANCE_TIME_SCALE": "0.05"}) as running:
        running.asgi = request.param
        yield running


def spooled(stack) -> int:
    """Bytes of unnamed files that the web process holds."""
    total = 0
    for found in Path(f"/proc/{stack.pid('web')}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            total += found.stat().st_size if "(deleted)" in str(found.readlink()) else 0
    return total


def begin(stack, path, *headers):
    connection = socket.create_connection(("127.0.0.1", stack.ports["web"]), timeout=5)
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers, "", ""]
    connection.sendall("\r\n".join(head).encode())
    return connection


def answer_of(connection) -> bytes:
    """Head and body may come in pieces: until the end of the JSON object, or of the connection."""
    answer = b""
    try:
        while not answer.rstrip().endswith(b"}") and (piece := connection.recv(4096)):
            answer += piece
    except (ConnectionError, TimeoutError):
        pass
    return answer


@pytest.mark.parametrize("path", ADDRESSES)
def test_announced_gigabyte_is_refused_before_it_is_sent(stack, path):
    with begin(stack, path, "Content-Length: 1073741824") as connection:
        answer = answer_of(connection)

    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code": "too_large"' in answer
    assert b"x-content-type-options: nosniff" in head
    assert b"content-security-policy: default-src 'none'; frame-ancestors 'none'" in head


@pytest.mark.parametrize("path", ADDRESSES)
def test_endless_chunks_are_cut_off(stack, path):
    memory = psutil.Process(stack.pid("web")).memory_info().rss
    chunk = b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"
    sent = 0
    with begin(stack, path, "Transfer-Encoding: chunked") as connection:
        try:
            while sent < 300:
                connection.sendall(chunk)
                sent += 1
        except OSError:
            pass

    assert sent < 120
    assert spooled(stack) < 100 * MEGABYTE
    assert psutil.Process(stack.pid("web")).memory_info().rss - memory < 150 * MEGABYTE
    assert httpx.get(f"{stack.base_url}/healthz").status_code == 200


def test_body_that_trickles_is_given_up(stack):
    if stack.asgi == "uvicorn":
        pytest.skip("uvicorn has no limit of its own: the proxy in front has (docs/operations.md)")
    begun = time.monotonic()
    with begin(stack, "/api/v1/conversations/", "Content-Length: 1000") as connection:
        connection.settimeout(0.1)
        try:
            while time.monotonic() - begun < 10:
                connection.sendall(b"x")
                try:
                    if not connection.recv(10):
                        break
                    break
                except TimeoutError:
                    continue
        except OSError:
            pass

    assert 2 < time.monotonic() - begun < 6


def test_what_fits_goes_through(stack):
    answer = httpx.post(f"{stack.base_url}/v1/chat/completions", content=b"x" * 13 * MEGABYTE)

    assert answer.status_code == 401


AMBIGUOUS = {
    "both lengths": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "two lengths": ["Content-Length: 5", "Content-Length: 60"],
    "length with a sign": ["Content-Length: +5"],
    "coding that nobody knows": ["Transfer-Encoding: xchunked"],
    "coding twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
}


@pytest.mark.parametrize("headers", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_request_whose_end_is_in_doubt_smuggles_no_other(stack, headers):
    """RFC 9112 §6.3: a proxy in front may see another end than we do, so there is one answer at most and then the line is cut."""
    with begin(stack, "/api/v1/conversations/", *headers) as connection:
        connection.sendall(b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.settimeout(5)
        answer = b""
        try:
            while piece := connection.recv(4096):
                answer += piece
        except (ConnectionError, TimeoutError):
            pass

    assert re.match(rb"HTTP/1\.1 (400|501) ", answer) or answer == b""
    assert answer.count(b"HTTP/1.1 ") <= 1
