"""The ASGI application: Django for HTTP, Channels for ``/ws/``."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("PARLANCE_ROLE", "web")
django.setup(set_prefix=False)

from apps.core.request_threads import RequestHandler  # noqa: E402  (what follows needs loaded models)
from apps.core.worker_life import Beating  # noqa: E402
from config.routing import build_application  # noqa: E402

application = Beating(build_application(RequestHandler()))
