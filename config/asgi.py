"""The ASGI application: Django for HTTP, Channels for ``/ws/``."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("PARLANCE_ROLE", "web")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from config.routing import build_application  # noqa: E402  (models load with the application above)

application = build_application(django_application)
