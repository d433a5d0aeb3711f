"""What a page loads: the stylesheets, and the import map with a bare specifier for every script."""

from __future__ import annotations

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
        *("layout", "search", "provider", "record", "door", "welcome", "chrome", "modes"),
    )
]
VENDOR = {
    "@hotwired/stimulus": "vendor/stimulus.js",
    "dompurify": "vendor/dompurify.js",
    "highlight.js": "vendor/highlight.js",
    "htmx.org": "vendor/htmx.js",
    "markdown-it": "vendor/markdown-it.js",
}


def import_map() -> dict[str, dict[str, str]]:
    return _read() if settings.DEBUG else _remembered()


def _read() -> dict[str, dict[str, str]]:
    """``static/live/socket.js`` is imported as ``live/socket``; a folder called ``js`` on the way is left out."""
    modules = {specifier: static(path) for specifier, path in VENDOR.items()}
    for folder in map(Path, settings.STATICFILES_DIRS):
        for file in sorted(folder.rglob("*.js")):
            path = file.relative_to(folder).as_posix()
            if not path.startswith("vendor/"):
                modules[path.replace("/js/", "/", 1).removesuffix(".js")] = static(path)
    return {"imports": modules}


_remembered = cache(_read)
