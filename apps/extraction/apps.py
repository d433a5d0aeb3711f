from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

HINT_AFTER = timedelta(seconds=5)


class ExtractionConfig(AppConfig):
    name = "apps.extraction"
    label = "extraction"
    verbose_name = _("Records")

    def ready(self) -> None:
        from apps.core.coordinator import register_lost_hints
        from apps.extraction import erasers
        from apps.extraction.selectors import list_due_runs

        erasers.register()
        register_lost_hints("extraction.extract", lambda: list_due_runs(older_than=HINT_AFTER))
