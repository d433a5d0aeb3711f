"""A real HTTP server on loopback that counts what reaches it."""

import contextlib
import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Canary:
    def __init__(self) -> None:
        self.hits: list[str] = []
        self.redirect_to = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.hits.append(f"{self.headers['Host']} {self.path}")
                with contextlib.suppress(OSError):
                    outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that hang up early are what the tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        match handler.path.split("/")[1:]:
            case ["redirect", status]:
                handler.send_response(int(status))
                handler.send_header("Location", self.redirect_to)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            case ["loop", turn]:
                handler.send_response(302)
                handler.send_header("Location", f"/loop/{int(turn) + 1}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
            case ["endless"]:
                handler.send_response(200)
                handler.send_header("Transfer-Encoding", "chunked")
                handler.end_headers()
                piece = b"x" * 65536
                for _turn in range(20_000):
                    handler.wfile.write(b"10000\r\n" + piece + b"\r\n")
            case ["bomb"]:
                body = gzip.compress(b"\0" * 200_000_000, compresslevel=9)
                handler.send_response(200)
                handler.send_header("Content-Encoding", "gzip")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)
            case ["packed"]:
                body = gzip.compress(b"hello " * 1000)
                handler.send_response(200)
                handler.send_header("Content-Encoding", "gzip")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)
            case ["drip"]:
                handler.send_response(200)
                handler.send_header("Content-Length", "1000")
                handler.end_headers()
                for _turn in range(1000):
                    handler.wfile.write(b"x")
                    time.sleep(0.1)
            case ["headers"]:
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                    handler.wfile.write(bytes([byte]))
                    time.sleep(0.1)
            case _:
                handler.send_response(200)
                handler.send_header("Content-Length", "2")
                handler.end_headers()
                handler.wfile.write(b"ok")


@contextlib.contextmanager
def running_canary() -> Iterator[Canary]:
    canary = Canary()
    thread = threading.Thread(target=canary.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield canary
    finally:
        canary.server.shutdown()
        canary.server.server_close()
        thread.join()
