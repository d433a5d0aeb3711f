"""Installed packs for operators: read only. Projects install and remove them."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin import ServiceAdmin
from apps.packs.models import InstalledObject, PackInstallation


@admin.register(PackInstallation)
class PackInstallationAdmin(ServiceAdmin):
    list_display = ("id", "name", "version", "prefix", "project", "origin", "language", "created_at", "updated_at")
    list_filter = ("name", "origin", "organization")
    search_fields = ("id", "name", "project__id")
    list_select_related = ("project",)


@admin.register(InstalledObject)
class InstalledObjectAdmin(ServiceAdmin):
    list_display = ("id", "installation", "kind", "name", "object_id", "is_own")
    list_filter = ("kind", "is_own", "organization")
    search_fields = ("id", "object_id", "installation__id")
    list_select_related = ("installation",)
