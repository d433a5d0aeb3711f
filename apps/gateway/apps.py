from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GatewayConfig(AppConfig):
    name = "apps.gateway"
    label = "gateway"
    verbose_name = _("Gateway")

    def ready(self) -> None:
        from apps.core.doors.places import Places, places
        from apps.gateway import limits

        places.register("gateway.answers", Places("gateway.answers", limits.count))
