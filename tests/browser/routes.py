"""Every address of a page: who looks at it. A View does, or a test on whose way it lies (``look_at``), or a reason says why nobody."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.urls import URLPattern, get_resolver, resolve

from tests.browser import pages

#: For programs, and Django's own pages for operators.
NO_PAGES = ("api/v1/", "api/schema/", "admin/", "v1/", "v1/?$")
PART = "a part of a page, which is looked at with it"
FILE = "a file to keep"
WAY = "leads on to another page at once"
DATA = "for scripts"
HEALTH = "for whoever watches the installation"
POSTED = "takes a form and leads on"
#: Route → why no View opens it.
REASONS = {
    **dict.fromkeys(("health", "healthz", "metrics", "readyz"), HEALTH),
    **dict.fromkeys(("language/", "project/", "theme/"), POSTED),
    "records/<uuid:collection_id>/templates/<uuid:template_id>/<slug:act>/": POSTED,
    **dict.fromkeys(
        (
            "accounts/2fa/webauthn/",
            "accounts/linked/",
            "accounts/linked/signup/",
            "accounts/login/code/confirm/",
            "accounts/reauthenticate/done/",
            "accounts/sso/<slug:slug>/",
            "accounts/sso/<slug:slug>/again/",
            "accounts/sso/<slug:slug>/callback/",
            "operations/<uuid:operation_id>/<slug:act>/",
            "settings/",
        ),
        WAY,
    ),
    **dict.fromkeys(
        (
            "accounts/2fa/recovery-codes/download/",
            "c/<uuid:conversation_id>/save/",
            "files/<uuid:file_id>/",
            "files/<uuid:file_id>/preview/",
            "operations/<uuid:operation_id>/results/",
            "s/<str:token>/files/<uuid:file_id>/",
            "s/<str:token>/files/<uuid:file_id>/preview/",
            "settings/audit/export/",
            "settings/erase/take-along/",
        ),
        FILE,
    ),
    **dict.fromkeys(
        (
            "c/<uuid:conversation_id>/context/<slug:tab>/",
            "c/<uuid:conversation_id>/messages/",
            "c/<uuid:conversation_id>/messages/<uuid:message_id>/",
            "operations/<uuid:operation_id>/now/",
            "record/<uuid:record_id>/cell/",
            "records/<uuid:collection_id>/templates/<uuid:template_id>/preview/",
            "records/<uuid:collection_id>/templates/new/preview/",
            "review/proposals/<uuid:proposal_id>/",
            "review/runs/<uuid:run_id>/",
            "review/wishes/<uuid:wish_id>/",
            "runs/<uuid:workflow_run_id>/now/",
            "search/palette/",
            "sidebar/",
        ),
        PART,
    ),
    **dict.fromkeys(
        (
            "accounts/2fa/webauthn/login/",
            "c/<uuid:conversation_id>/commands/",
            "c/<uuid:conversation_id>/mentions/",
            "c/<uuid:conversation_id>/references/",
            "conversations/commands/",
            "conversations/mentions/",
            "conversations/references/",
            "records/<uuid:collection_id>/choices/",
            "token/",
            "workflows/words/",
        ),
        DATA,
    ),
    "api/docs/": "Swagger UI draws it: its contrasts, its buttons within buttons and its small targets are not ours to change",
    "accounts/login/code/": "looked at in test_unusual_sign_in, whose stack finds every browser unusual",
}


def routes(patterns: Iterable[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for found in get_resolver().url_patterns if patterns is None else patterns:
        route = (prefix + str(found.pattern)).replace("^", "")
        if isinstance(found, URLPattern):
            yield route, found.callback
        else:
            yield from routes(found.url_patterns, route)


def takes_forms_only(view: Any) -> bool:
    """What it answers to a form is another page, which has an address of its own."""
    made_of = getattr(view, "view_class", None)
    return made_of is not None and not hasattr(made_of, "get")


def looked_at_on_a_way() -> set[str]:
    return {
        call.args[1].value
        for path in Path(__file__).parent.glob("test_*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "look_at"
    }


def faults(views: Iterable[pages.View]) -> list[str]:
    addresses = {urlsplit(view.at or view.path).path for view in views if not view.html}
    seen = {resolve(address).route.replace("^", "") for address in addresses} | looked_at_on_a_way()
    every = list(routes())
    there = {route for route, view in every if not route.startswith(NO_PAGES) and not takes_forms_only(view)}
    return [
        *(f"nobody looks at {route}" for route in sorted(there - seen - REASONS.keys())),
        *(
            f"there is no page {route}"
            for route in sorted((REASONS.keys() - there) | (seen - {route for route, _view in every} - {""}))
        ),
        *(f"somebody looks at {route}: no reason is needed" for route in sorted(REASONS.keys() & seen)),
    ]
