"""Servers of models that answer as they are told."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def listening(*, heard=None, **answers):
    """A server on this machine that answers these paths (``_`` for ``/``), by what it answers, and everything else with 404.
    ``heard`` takes the paths that were asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if heard is not None:
                heard.append(self.path)
            said = answers.get(self.path.strip("/").replace("/", "_"))
            self.send_response(404 if said is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(said or b"not here")

        def log_message(self, *_args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
