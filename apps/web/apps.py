"""Configuration of the pages."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebConfig(AppConfig):
    name = "apps.web"
    label = "web"
    verbose_name = _("Pages")

    def ready(self) -> None:
        from apps.core.doors.menu import MenuEntry, menu

        menu.register(
            "conversations",
            MenuEntry(_("Conversations"), "conversations:list", "messages-square", order=10, also=("/c/",)),
        )
        menu.register("search", MenuEntry(_("Search"), "web:search", "search", order=20))
        menu.register("settings", MenuEntry(_("Settings"), "web:settings", "settings-2", order=90))
