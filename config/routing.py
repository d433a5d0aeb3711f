"""Which protocol goes where."""

from __future__ import annotations

from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.apps import apps
from django.urls import path


def build_application(http: Any) -> ProtocolTypeRouter:
    routes: dict[str, Any] = {"http": http}
    if apps.is_installed("apps.live"):
        from apps.live.consumers import LiveConsumer

        routes["websocket"] = URLRouter([path("ws/", LiveConsumer.as_asgi())])
    return ProtocolTypeRouter(routes)
