from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("Core")

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from apps.core import vital_signs
        from apps.core.health import DoorCollector

        vital_signs.register()
        REGISTRY.register(DoorCollector())
