"""``python -m tests.provider --port 9100``: prints one line with its address once it listens."""

from __future__ import annotations

import argparse
import os

import uvloop

from tests.provider.script import Script
from tests.provider.server import State, serve

DEFAULT_MODELS = "stub-small,stub-large,stub-vision"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("STUB_PORT", "9100")))
    parser.add_argument("--delay", type=float, default=float(os.environ.get("STUB_DELAY", "0.1")))
    parser.add_argument("--rate", type=float, default=float(os.environ.get("STUB_RATE", "50")))
    parser.add_argument("--tokens", type=int, default=int(os.environ.get("STUB_TOKENS", "20")))
    parser.add_argument("--models", default=os.environ.get("STUB_MODELS", DEFAULT_MODELS))
    return parser.parse_args()


async def main() -> None:
    given = arguments()
    state = State(Script(delay=given.delay, rate=given.rate, tokens=given.tokens), given.models.split(","))
    server = await serve(state, given.host, given.port)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"stub provider: http://{host}:{port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
