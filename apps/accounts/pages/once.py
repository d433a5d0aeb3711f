"""What a page shows one single time: it waits, sealed, in the session from the form that made it to the page that shows it.

The answer to the form is a redirect. Were it the page itself, a reload would send the form again and make another secret, and
after a fresh proof the page would stand at the address of the proof.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import crypto

KEPT = "shown_once"
KEPT_SECONDS = 5 * 60
MADE = "made"


def show_once(request: HttpRequest, **shown: str) -> HttpResponse:
    """Back to the page, which shows it. What the address carries says which of several is meant, and opens nothing by itself."""
    made = secrets.token_urlsafe(8)
    sealed = crypto.seal(json.dumps(shown), bound_to=_place(request, made))
    request.session[KEPT] = _young(request) | {made: {"path": request.path, "at": time.time(), "sealed": sealed}}
    return redirect(f"{request.path}?{MADE}={made}")


def take_shown(request: HttpRequest) -> dict[str, Any]:
    """What waits for this page, and no longer does; empty as a rule. What has waited too long goes, whichever page it was for."""
    if KEPT not in request.session:
        return {}
    waiting = _young(request)
    made = request.GET.get(MADE, "")
    taken = waiting.pop(made) if made in waiting and waiting[made]["path"] == request.path else None
    if waiting:
        request.session[KEPT] = waiting
    else:
        del request.session[KEPT]
    if taken is None:
        return {}
    try:
        shown: dict[str, Any] = json.loads(crypto.unseal(taken["sealed"], bound_to=_place(request, made)))
    except crypto.KeysDoNotFit:  # the keys were changed in these minutes
        return {}
    return shown


def _young(request: HttpRequest) -> dict[str, dict[str, Any]]:
    kept = request.session.get(KEPT, {})
    return {made: each for made, each in kept.items() if time.time() - each["at"] <= KEPT_SECONDS}


def _place(request: HttpRequest, made: str) -> str:
    return f"accounts.{KEPT}:{request.user.pk}:{request.path}:{made}"
