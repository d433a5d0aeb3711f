"""Workflows for operators: what there is, what runs and what failed, and the brakes. Documents and data are the tenant's, and not shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.types import SYSTEM
from apps.core.admin import ServiceAdmin
from apps.workflows import services
from apps.workflows.models import Definition, Run
from apps.workflows.types import FINAL, OPEN, RunStatus


@admin.register(Definition)
class DefinitionAdmin(ServiceAdmin):
    list_display = ("name", "organization", "project", "number", "created_at", "deleted_at")
    search_fields = ("=id", "name")
    list_select_related = ("organization", "project")
    ordering = ("-created_at",)


@admin.register(Run)
class RunAdmin(ServiceAdmin):
    list_display = (
        "definition",
        "status",
        "waits_for",
        "organization",
        "requested_by",
        "step_count",
        "crashes",
        "cost",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "cause", "waits_for")
    search_fields = ("=id", "=requested_by__email", "definition__name")
    date_hierarchy = "created_at"
    list_select_related = ("organization", "requested_by", "definition")
    ordering = ("-created_at",)
    actions = ("pause", "resume", "cancel")
    exclude = ("data", "output", "error", "failed_steps")

    @admin.action(description=_("Pause these runs"))
    def pause(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows.filter(status__in=OPEN), services.pause_run)

    @admin.action(description=_("Let these runs go on"))
    def resume(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows.filter(status=RunStatus.PAUSED), services.resume_run)

    @admin.action(description=_("Cancel these runs"))
    def cancel(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows.exclude(status__in=FINAL), services.cancel_run)

    def _each(self, request: HttpRequest, rows: QuerySet[Any], act: Any) -> None:
        """As the platform: an operator need not belong to the tenant. The events say who it was."""
        ids = list(rows.values_list("pk", flat=True))
        for pk in ids:
            act(actor=replace(SYSTEM, user_id=request.actor.user_id), run_id=pk)
        text = ngettext("%(count)s run changed.", "%(count)s runs changed.", len(ids)) % {"count": len(ids)}
        self.message_user(request, text, messages.SUCCESS if ids else messages.WARNING)
