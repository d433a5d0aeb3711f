"""What a page loads: the stylesheets, and the import map with a bare specifier for every script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static

STYLESHEETS = [
    f"core/css/{name}.css"
    for name in (
        # The first one names the cascade layers; the order of the others does not matter within a layer but for ties.
        *("tokens", "reset", "base", "shell", "page"),
        *("button", "avatar", "badge", "tabs", "message", "provenance", "card", "code", "prose", "attachment"),
        *("composer", "menu", "chat", "progress", "states", "form", "table", "tile", "overlay"),
        *(
            "layout",
            "search",
            "provider",
            "record",
            "door",
            "shared",
            "welcome",
            "chrome",
            "modes",
            "history",
            "extraction",
        ),
        *("records", "one_record", "stages", "choice", "workflows"),
    )
]
VENDOR = {
    "@hotwired/stimulus": "vendor/stimulus.js",
    "@dagrejs/dagre": "vendor/dagre.js",
    "codemirror": "vendor/codemirror.js",
    "dompurify": "vendor/dompurify.js",
    "highlight.js": "vendor/highlight.js",
    "htmx.org": "vendor/htmx.js",
    "markdown-it": "vendor/markdown-it.js",
}


def import_map() -> dict[str, dict[str, str]]:
    return _read() if settings.DEBUG else _remembered()


def _read() -> dict[str, dict[str, str]]:
    """``static/live/socket.js`` is imported as ``live/socket``; a folder called ``js`` on the way is left out."""
    sources = (source for folder in settings.STATICFILES_DIRS for source in _sources(Path(folder)))
    return {"imports": {name: static(path) for name, path in sources}}


def _sources(folder: Path) -> Iterator[tuple[str, str]]:
    yield from VENDOR.items()
    for file in sorted(folder.rglob("*.js")):
        path = file.relative_to(folder).as_posix()
        if not path.startswith("vendor/"):
            yield path.replace("/js/", "/", 1).removesuffix(".js"), path


_remembered = cache(_read)

_IMPORT = re.compile(r'^(?:import|export)\b[^;]*?"([^"]+)";', re.MULTILINE)


@cache
def imported_by(module: str) -> tuple[str, ...]:
    """Addresses of ``module`` and all it imports: fetched together, they cost one round trip instead of one a level."""
    files = {name: Path(folder) / path for folder in settings.STATICFILES_DIRS for name, path in _sources(Path(folder))}
    found: dict[str, None] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name not in files:
            continue
        found[name] = None
        if name not in VENDOR:
            waiting += _IMPORT.findall(files[name].read_text(encoding="utf-8"))
    addresses = import_map()["imports"]
    return tuple(addresses[name] for name in found)
