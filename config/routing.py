"""Which protocol goes where."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter
from django.apps import apps


def build_application(http: Any) -> ProtocolTypeRouter:
    routes: dict[str, Any] = {"http": http}
    if apps.is_installed("apps.live"):
        from apps.live.consumers import live_socket

        routes["websocket"] = live_socket
    return ProtocolTypeRouter(routes)
