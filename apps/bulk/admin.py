"""Operations for operators: what runs, what failed, and the brakes. What items hold is not shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.types import SYSTEM
from apps.bulk import services
from apps.bulk.models import LaneClock, Operation, Share, SharedResource
from apps.bulk.types import FINAL, OperationStatus
from apps.core.admin import ServiceAdmin


@admin.register(Operation)
class OperationAdmin(ServiceAdmin):
    list_display = (
        "kind",
        "status",
        "organization",
        "requested_by",
        "total",
        "pending",
        "running",
        "succeeded",
        "failed",
        "priority",
        "created_at",
    )
    list_filter = ("status", "kind", "lane", "priority")
    search_fields = ("=id", "=requested_by__email", "kind")
    date_hierarchy = "created_at"
    list_select_related = ("organization", "requested_by")
    ordering = ("-created_at",)
    exclude = ("params", "dry_run", "request_digest")
    actions = ("pause", "resume", "cancel")

    @admin.action(description=_("Pause these operations"))
    def pause(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows.filter(status=OperationStatus.RUNNING), services.pause_operation)

    @admin.action(description=_("Let these operations go on"))
    def resume(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows.filter(status=OperationStatus.PAUSED), services.resume_operation)

    @admin.action(description=_("Cancel these operations"))
    def cancel(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows.exclude(status__in=FINAL), services.cancel_operation)

    def _each(self, request: HttpRequest, rows: QuerySet[Any], act: Any) -> None:
        """As the platform: an operator need not belong to the tenant. The events say who it was."""
        ids = list(rows.values_list("pk", flat=True))
        for pk in ids:
            act(actor=replace(SYSTEM, user_id=request.actor.user_id), operation_id=pk)
        text = ngettext("%(count)s operation changed.", "%(count)s operations changed.", len(ids)) % {"count": len(ids)}
        self.message_user(request, text, messages.SUCCESS if ids else messages.WARNING)


@admin.register(Share)
class ShareAdmin(ServiceAdmin):
    list_display = ("organization", "lane", "served", "clock", "updated_at")
    list_select_related = ("organization",)
    ordering = ("lane", "served")


@admin.register(LaneClock)
class LaneClockAdmin(ServiceAdmin):
    list_display = ("lane", "served", "updated_at")


@admin.register(SharedResource)
class SharedResourceAdmin(ServiceAdmin):
    list_display = ("name", "at_once", "per_second", "tokens", "tokens_at", "rests_until")
