"""The import map: bare specifiers for every script of the page, found once among the static files."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.templatetags.static import static

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
    """``static/live/js/socket.js`` is imported as ``live/socket``.

    Scripts of Django and of other packages are left out: they are not modules of the page.
    """
    modules = {specifier: static(path) for specifier, path in VENDOR.items()}
    own = {str(folder) for folder in settings.STATICFILES_DIRS}
    for finder in get_finders():
        for path, storage in finder.list(ignore_patterns=[]):
            if str(getattr(storage, "location", "")) in own and "/js/" in path and path.endswith(".js"):
                modules[path.replace("/js/", "/", 1).removesuffix(".js")] = static(path)
    return {"imports": dict(sorted(modules.items()))}


_remembered = cache(_read)
