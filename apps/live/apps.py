from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LiveConfig(AppConfig):
    name = "apps.live"
    label = "live"
    verbose_name = _("Live")

    def ready(self) -> None:
        from apps.core.doors.consumers import Consumer, consumers
        from apps.live import health, metrics, receivers

        metrics.register()
        health.register()
        consumers.register(
            "live.rights", Consumer("live.rights", receivers.tell_rights, types=receivers.CONCERNED, from_now=True)
        )
