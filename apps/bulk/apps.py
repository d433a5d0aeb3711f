from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BulkConfig(AppConfig):
    name = "apps.bulk"
    label = "bulk"
    verbose_name = _("Bulk operations")

    def ready(self) -> None:
        from apps.bulk import erasers, exporters, invariants, metrics, sweeps, tasks  # noqa: F401  (tasks registers the jobs)
        from apps.bulk.topics import OperationTopic
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.topics import topics

        erasers.register()
        exporters.register()
        invariants.register()
        metrics.register()
        sweeps.register()
        topics.register("operation", OperationTopic())
        menu.register("bulk", MenuEntry(_("Operations"), "bulk:list", "layers", order=40))
