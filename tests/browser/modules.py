"""A page without a server that can import the product's own modules by their bare names."""

import json
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"
ORIGIN = "http://modules.invalid"
VENDOR = {
    "@hotwired/stimulus": "stimulus",
    "@dagrejs/dagre": "dagre",
    "codemirror": "codemirror",
    "dompurify": "dompurify",
    "highlight.js": "highlight",
    "htmx.org": "htmx",
    "markdown-it": "markdown-it",
}


def import_map():
    own = (path.relative_to(STATIC) for path in STATIC.rglob("*.js") if path.relative_to(STATIC).parts[0] != "vendor")
    names = {str(path.with_suffix("")): f"/{path}" for path in own}
    return {"imports": names | {name: f"/vendor/{file}.js" for name, file in VENDOR.items()}}


def open_modules(page, *, body="<main></main>", policy=""):
    """Serve ``static/`` to the page from disk; every other request is refused and listed in what is returned."""
    foreign = []
    html = f'<!doctype html><script type="importmap">{json.dumps(import_map())}</script><body>{body}'

    def answer(route):
        url = route.request.url
        if not url.startswith(ORIGIN):
            foreign.append(url)
            route.abort()
        elif url == f"{ORIGIN}/":
            headers = {"Content-Security-Policy": policy} if policy else {}
            route.fulfill(body=html, headers=headers | {"Content-Type": "text/html; charset=utf-8"})
        else:
            route.fulfill(path=STATIC / url.removeprefix(f"{ORIGIN}/"), content_type="text/javascript; charset=utf-8")

    page.route("**/*", answer)
    page.goto(f"{ORIGIN}/")
    return foreign
