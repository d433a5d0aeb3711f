from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExtractionConfig(AppConfig):
    name = "apps.extraction"
    label = "extraction"
    verbose_name = _("Records")

    def ready(self) -> None:
        from apps.extraction import erasers

        erasers.register()
