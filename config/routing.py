"""Which protocol goes where."""

from __future__ import annotations

import sys
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.apps import apps

from apps.core.bodies import BodyLimit, guard_daphne
from apps.core.plain_http import OnlyHttps
from apps.core.turnstile import Turnstile


def build_application(http: Any) -> ProtocolTypeRouter:
    if "daphne.http_protocol" in sys.modules:
        guard_daphne()
    http = BodyLimit(Turnstile(http))
    if apps.is_installed("apps.web"):
        from apps.web.static_files import StaticFiles

        http = StaticFiles(http)
    routes: dict[str, Any] = {"http": OnlyHttps(http)}
    if apps.is_installed("apps.live"):
        from apps.live.consumers import live_socket
        from apps.live.outlet import hasten_daphne

        if "daphne.http_protocol" in sys.modules:
            hasten_daphne()
        routes["websocket"] = OnlyHttps(live_socket)
    return ProtocolTypeRouter(routes)
