from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LiveConfig(AppConfig):
    name = "apps.live"
    label = "live"
    verbose_name = _("Live")

    def ready(self) -> None:
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.topics import topics
        from apps.live import health, metrics, receivers
        from apps.live.topics import ProjectTopic, UserTopic

        metrics.register()
        health.register()
        topics.register("project", ProjectTopic("project"))
        topics.register("user", UserTopic("user"))
        consumers.register(
            "live.rights", Consumer("live.rights", receivers.tell_rights, types=receivers.CONCERNED, from_now=True)
        )
        consumers.register(
            "live.bells", Consumer("live.bells", receivers.ring_topic, prefixes=("bulk.operation_",), from_now=True)
        )
