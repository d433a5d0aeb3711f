from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FilesConfig(AppConfig):
    name = "apps.files"
    label = "files"
    verbose_name = _("Files")

    def ready(self) -> None:
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.files import services, tasks  # noqa: F401  (a service may name its jobs only when they are registered)

        register_lost_hints("files.process_file", services.list_unread)
        register_sweep("files nobody needs", 3600, services.sweep)
