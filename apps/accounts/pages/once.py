"""What a page shows one single time: it waits, sealed, in the session from the form that made it to the page that shows it.

The answer to the form is a redirect. Were it the page itself, a reload would send the form again and make another secret, and
after a fresh proof the page would stand at the address of the proof.
"""

from __future__ import annotations

import json
import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core import crypto

KEPT = "shown_once"
KEPT_SECONDS = 5 * 60


def show_once(request: HttpRequest, **shown: str) -> HttpResponse:
    """Back to the page, which shows it. A second secret that comes before the first was shown takes its place."""
    sealed = crypto.seal(json.dumps(shown), bound_to=_place(request))
    request.session[KEPT] = {"path": request.path, "at": time.time(), "sealed": sealed}
    return redirect(request.path)


def take_shown(request: HttpRequest) -> dict[str, Any]:
    """What waits for this page, and no longer does; empty as a rule."""
    kept = request.session.get(KEPT)
    if not kept or kept["path"] != request.path:
        return {}
    del request.session[KEPT]
    if time.time() - kept["at"] > KEPT_SECONDS:
        return {}
    try:
        shown: dict[str, Any] = json.loads(crypto.unseal(kept["sealed"], bound_to=_place(request)))
    except crypto.KeysDoNotFit:  # the keys were changed in these minutes
        return {}
    return shown


def _place(request: HttpRequest) -> str:
    return f"accounts.{KEPT}:{request.user.pk}:{request.path}"
