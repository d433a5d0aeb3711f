from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PacksConfig(AppConfig):
    name = "apps.packs"
    label = "packs"
    verbose_name = _("Packs")

    def ready(self) -> None:
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.project_beginnings import project_beginnings
        from apps.packs import beginnings, erasers, exporters, metrics

        for each in (erasers, exporters, metrics):
            each.register()
        project_beginnings.register("packs", beginnings.PACKS)
        menu.register(
            "packs",
            MenuEntry(_("Packs"), "packs:list", icon="layers", place="settings", order=46, group="projects"),
        )
