"""Files for operators: what is stored, what failed and why. Names are shown, content is not."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.core.admin import ServiceAdmin
from apps.files import services
from apps.files.models import File, StorageUse
from apps.files.types import FileState


@admin.register(File)
class FileAdmin(ServiceAdmin):
    list_display = (
        "name",
        "media_type",
        "size",
        "state",
        "reason",
        "text_state",
        "organization",
        "owner",
        "created_at",
    )
    list_filter = ("state", "kind", "text_state", "is_misnamed", "reason")
    search_fields = ("name", "=id", "=owner__email")
    date_hierarchy = "created_at"
    list_select_related = ("organization", "owner")
    ordering = ("-created_at",)
    actions = ("release",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization", "owner", "blob")

    @admin.action(description=_("Release from quarantine (it becomes a download)"))
    def release(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        count = 0
        for pk in rows.filter(state=FileState.QUARANTINED).values_list("pk", flat=True):
            services.release_file(actor=request.actor, file_id=pk)
            count += 1
        text = ngettext("%(count)s file released.", "%(count)s files released.", count) % {"count": count}
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)


@admin.register(StorageUse)
class StorageUseAdmin(ServiceAdmin):
    list_display = ("organization", "used_bytes", "quota_bytes", "updated_at")
    list_select_related = ("organization",)
    ordering = ("-used_bytes",)
