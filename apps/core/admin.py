"""Django admin for operators: read only by default; what changes something is an action or form that calls a service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.core import maintenance
from apps.core.doors.consumers import consumers
from apps.core.eventlog.consumers import retry_parked
from apps.core.mail import retry_mail
from apps.core.models import (
    ConsumerCursor,
    Event,
    EventDelivery,
    JobTally,
    MailMessage,
    ProcessHeartbeat,
    StoredSetting,
    SuspicionCount,
)


class ServiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Nothing is added, changed or deleted past the services; secrets are never shown. Whatever an operator does here is in the
    audit log: forms and actions of every table, also of those to come.
    """

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return request.user.is_active and request.user.is_staff  # type: ignore[union-attr]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff  # type: ignore[union-attr]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found = super().get_actions(request)
        found.pop("delete_selected", None)
        return {name: (_noted(act, name), name, description) for name, (act, _name, description) in found.items()}

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        """In place of Django's own log, which anybody who reaches the database may change."""
        note_in(self.model, "add", [obj.pk], request)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        note_in(self.model, "change", [obj.pk], request)


def _noted(act: Callable[..., Any], name: str) -> Callable[..., Any]:
    """One that answers with a page of its own asks first, and has done nothing yet."""

    def noted(page: ServiceAdmin, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        ids = list(queryset.values_list("pk", flat=True))
        answer = act(page, request, queryset)
        if answer is None:
            note_in(page.model, name, ids, request)
        return answer

    return noted


def note_in(model: type[models.Model], action: str, ids: Sequence[Any], request: HttpRequest) -> None:
    table = model._meta.label_lower  # noqa: SLF001  (Django's documented Meta API)
    known = [pk for pk in ids if isinstance(pk, UUID)]
    maintenance.note_operator(table=table, action=action, count=len(ids), ids=known, actor=request.actor)  # type: ignore[attr-defined]


@admin.register(Event)
class EventAdmin(ServiceAdmin):
    list_display = ("position", "type", "topic", "topic_position", "actor_kind", "is_refusal", "occurred_at")
    list_filter = ("is_refusal", "actor_kind", "type")
    search_fields = ("=id", "=subject_id", "=topic", "=correlation_id")
    ordering = ("-insertion",)
    show_facets = admin.ShowFacets.NEVER


@admin.register(EventDelivery)
class EventDeliveryAdmin(ServiceAdmin):
    """What consumers still owe; parked events are tried again from here once their cause is repaired."""

    list_display = ("consumer", "position", "event_id", "state", "attempts", "due_at", "error")
    list_filter = ("state", "consumer")
    search_fields = ("=event_id",)
    actions = ("try_again",)

    @admin.action(description=_("Try these parked events again now"))
    def try_again(self, request: HttpRequest, queryset: models.QuerySet[EventDelivery]) -> None:
        handled = failed = 0
        for row in queryset.filter(state=EventDelivery.State.PARKED):
            maintenance.note("parked_events_retried", on=row.consumer, count=1, actor=request.actor)  # type: ignore[attr-defined]
            consumer = consumers.get(row.consumer)
            done, left = retry_parked(consumer, event_id=row.event_id) if consumer else (0, 1)
            handled, failed = handled + done, failed + left
        text = _("%(handled)d handled, %(failed)d failed again.") % {"handled": handled, "failed": failed}
        self.message_user(request, text, messages.WARNING if failed else messages.SUCCESS)


@admin.register(ConsumerCursor)
class ConsumerCursorAdmin(ServiceAdmin):
    list_display = ("consumer", "position", "attempts", "retry_at", "updated_at")


@admin.register(MailMessage)
class MailMessageAdmin(ServiceAdmin):
    """Who got which mail when. Its text is not shown: it may hold a link that signs in."""

    list_display = ("recipient", "subject", "status", "attempts", "due_at", "sent_at", "error")
    list_filter = ("status",)
    search_fields = ("=recipient", "=correlation_id")
    exclude = ("text", "html")
    ordering = ("-created_at",)
    actions = ("send_again",)

    @admin.action(description=_("Try these failed mails again"))
    def send_again(self, request: HttpRequest, queryset: models.QuerySet[MailMessage]) -> None:
        with transaction.atomic():
            count = retry_mail(mail_ids=list(queryset.values_list("pk", flat=True)))
            maintenance.note("mail_retried", count=count, actor=request.actor)  # type: ignore[attr-defined]
        self.message_user(request, _("%(count)d mails are on their way again.") % {"count": count})


@admin.register(StoredSetting)
class StoredSettingAdmin(ServiceAdmin):
    list_display = ("key", "level", "target_id", "value", "changed_at", "changed_by_id")
    list_filter = ("level", "key")
    search_fields = ("key", "=target_id")


@admin.register(ProcessHeartbeat)
class ProcessHeartbeatAdmin(ServiceAdmin):
    list_display = ("name", "role", "seen_at", "loop_lag_seconds", "places_taken", "places")
    list_filter = ("role",)


@admin.register(JobTally)
class JobTallyAdmin(ServiceAdmin):
    """How often the platform's own jobs and sweeps ran, how long they took, and how many ended in an error."""

    list_display = ("name", "day", "runs", "failures", "seconds", "longest_seconds", "last_at")
    list_filter = ("day",)
    search_fields = ("name",)
    ordering = ("-day", "name")


@admin.register(SuspicionCount)
class SuspicionCountAdmin(ServiceAdmin):
    """What looked like an attack: how often, where and by whom. The words are kept nowhere."""

    list_display = ("day", "kind", "door", "actor_id", "count", "first_at", "last_at")
    list_filter = ("kind", "day", "door")
    search_fields = ("door", "=actor_id")
