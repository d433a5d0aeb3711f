from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FilesConfig(AppConfig):
    name = "apps.files"
    label = "files"
    verbose_name = _("Files")

    def ready(self) -> None:
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.health import HealthCheck, health_checks
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.metrics import Gauge, metrics
        from apps.files import bulk, erasers, services, tasks, vital_signs  # noqa: F401  (services name their jobs: tasks registers them)

        bulk.register()
        erasers.register()
        health_checks.register("storage", HealthCheck("storage", vital_signs.check_storage, is_critical=False))
        metrics.register(
            "files_bytes",
            Gauge("parlance_files_bytes", "Bytes that uploaded files use.", (), vital_signs.read_used_bytes),
        )

        menu.register("files", MenuEntry(_("Files"), "files:list", "paperclip", order=35))
        register_lost_hints("files.process_file", services.list_unread)
        register_sweep("files nobody needs", 3600, services.sweep)
