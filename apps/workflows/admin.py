"""Workflows for operators: what there is, what runs and what failed, and the brakes. Documents and data are the tenant's, and not shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.types import SYSTEM
from apps.core.admin import ServiceAdmin
from apps.workflows import presentation, services, step_selectors
from apps.workflows.models import Definition, Run, Secret, Start
from apps.workflows.types import FINAL, OPEN, RunStatus, StartStatus


@admin.register(Definition)
class DefinitionAdmin(ServiceAdmin):
    list_display = ("name", "organization", "project", "number", "created_at", "deleted_at")
    search_fields = ("=id", "name")
    list_select_related = ("organization", "project")
    ordering = ("-created_at",)
    readonly_fields = ("steps",)

    @admin.display(description=_("How its steps went"))
    def steps(self, definition: Definition) -> str:
        """Of its newest runs, whoever sees them: places in the document and numbers, no content."""
        rows = (
            (
                presentation.path_words(each.path, each.kind, {}),
                each.path,
                each.count,
                each.failed,
                _in_words(each.median_seconds),
                _in_words(each.slowest_seconds),
                each.cost,
            )
            for each in step_selectors.stats_steps(Run.objects.filter(definition=definition))
        )
        names = (_("Task"), _("In the document"), _("Steps"), _("Failed"), _("Half within"), _("95 of 100 within"))
        return format_html(
            "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
            format_html_join("", "<th>{}</th>", ((each,) for each in (*names, _("Cost")))),
            format_html_join(
                "",
                "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                rows,
            ),
        )


def _in_words(seconds: float | None) -> str:
    return "" if seconds is None else _("%(seconds)s s") % {"seconds": number_format(seconds, 1)}


@admin.register(Start)
class StartAdmin(ServiceAdmin):
    list_display = (
        "definition",
        "kind",
        "status",
        "reason",
        "organization",
        "armed_by",
        "next_at",
        "last_at",
        "last_error",
        "skipped",
    )
    list_filter = ("status", "kind", "reason", "last_error")
    search_fields = ("=id", "=armed_by__email", "definition__name")
    list_select_related = ("organization", "armed_by", "definition")
    ordering = ("-created_at",)
    actions = ("pause",)
    exclude = ("schedule", "heard")

    @admin.action(description=_("Let them start nothing"))
    def pause(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """As the platform, as with runs."""
        ids = list(rows.filter(status=StartStatus.ACTIVE).values_list("definition", flat=True))
        for pk in ids:
            services.pause_start(actor=replace(SYSTEM, user_id=request.actor.user_id), definition_id=pk)
        text = ngettext("%(count)s start paused.", "%(count)s starts paused.", len(ids)) % {"count": len(ids)}
        self.message_user(request, text, messages.SUCCESS if ids else messages.WARNING)


@admin.register(Secret)
class SecretAdmin(ServiceAdmin):
    list_display = ("name", "organization", "project", "kept_by", "kept_at")
    search_fields = ("=id", "name")
    list_select_related = ("organization", "project", "kept_by")
    ordering = ("-created_at",)
    exclude = ("sealed",)


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
