from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("Core")

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from apps.core import idempotency, vital_signs
        from apps.core.coordinator import register_sweep
        from apps.core.health import DoorCollector

        vital_signs.register()
        register_sweep("expired idempotency keys", 600, idempotency.forget_expired)
        REGISTRY.register(DoorCollector())
