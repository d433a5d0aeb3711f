"""Configuration of the pages."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebConfig(AppConfig):
    name = "apps.web"
    label = "web"
    verbose_name = _("Pages")

    def ready(self) -> None:
        from apps.core import preferences
        from apps.core.doors.menu import MenuEntry, menu
        from apps.web.taste import SETTINGS

        for setting in SETTINGS:
            preferences.register(setting)

        menu.register(
            "conversations",
            MenuEntry(
                label=_("Conversations"), url_name="conversations:list", icon="messages-square", order=10, also=("/c/",)
            ),
        )
        menu.register("search", MenuEntry(label=_("Search"), url_name="web:search", icon="search", order=20))
        menu.register("settings", MenuEntry(label=_("Settings"), url_name="web:settings", icon="settings-2", order=90))
