"""Another server that workflows call, on an address of its own for each test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: In place of a status: the connection ends without a word.
LOST = 0


class Office:
    """``answer`` says what a test wants: a status, the body, and headers beside its length."""

    def __init__(self) -> None:
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, said, headers = office.answer(self.path, self.headers, self.rfile.read(length))
                if status == LOST:
                    self.close_connection = True
                    return
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET  # noqa: N815  (as the library calls it)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        raise NotImplementedError


@contextmanager
def opened(office: Office, settings: Any) -> Iterator[Office]:
    """It serves, and may be called though it is on this machine."""
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    thread = threading.Thread(target=office.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield office
    finally:
        office.server.shutdown()
        thread.join(5)
        office.server.server_close()
