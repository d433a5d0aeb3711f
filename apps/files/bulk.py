"""What can be done with many files at once: clean up what nothing uses, read again what could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlannedItem, Work, bulk_kinds
from apps.core.errors import FieldError, Invalid, NotFound
from apps.files import policies, selectors, services
from apps.files.models import File
from apps.files.types import TextState

MOST_DAYS = 3650


def _days(scope: BulkScope) -> dict[str, Any]:
    """``older_than_days``: 0 (all) to ten years."""
    if unknown := sorted(scope.params.keys() - {"older_than_days"}):
        fields = [FieldError(f"params.{name}", "unknown_field", _("This field is not known here.")) for name in unknown]
        raise Invalid(fields=fields)
    days = scope.params.get("older_than_days", 0)
    if type(days) is not int or not 0 <= days <= MOST_DAYS:
        raise Invalid(fields=[FieldError("params.older_than_days", "invalid", _("Give a number of days."))])
    return {"older_than_days": days}


def _own(scope: BulkScope) -> Any:
    before = Now() - timedelta(days=scope.params["older_than_days"])
    rows = selectors.own_files(scope.actor).filter(project_id=scope.project_id, created_at__lte=before)
    return rows.order_by("created_at", "pk")


def _items(rows: Any) -> Iterator[PlannedItem]:
    for pk, name, size in rows.values_list("pk", "name", "size").iterator(chunk_size=1000):
        yield PlannedItem({"name": name, "size": size}, subject_id=pk)


def _plan_unused(scope: BulkScope) -> Iterator[PlannedItem]:
    yield from _items(_own(scope).filter(attached_at=None))


def _delete(work: Work, _found: Any) -> Done:
    assert work.subject_id is not None
    if File.objects.filter(pk=work.subject_id, attached_at__isnull=False).exists():
        return Done(skipped="in_use")
    try:
        services.delete_file(actor=work.scope.actor, file_id=work.subject_id)
    except NotFound:
        return Done(skipped="gone")
    return Done({"freed_bytes": work.payload["size"]})


def _plan_unread(scope: BulkScope) -> Iterator[PlannedItem]:
    yield from _items(_own(scope).filter(text_state__in=(TextState.FAILED, TextState.UNAVAILABLE)))


def _read(work: Work, _found: Any) -> Done:
    assert work.subject_id is not None
    try:
        services.read_again(actor=work.scope.actor, file_id=work.subject_id)
    except NotFound:
        return Done(skipped="gone")
    return Done()


def register() -> None:
    for kind in (
        BulkKind(
            "files.delete_unused",
            gettext_lazy("Delete files that nothing uses"),
            _plan_unused,
            _delete,
            check=_days,
            may_read=policies.can_read_files,
            is_exclusive=True,
            description=gettext_lazy("One's own files in the project that no message ever used."),
        ),
        BulkKind(
            "files.read_again",
            gettext_lazy("Read files again"),
            _plan_unread,
            _read,
            check=_days,
            may_read=policies.can_read_files,
            is_exclusive=True,
            description=gettext_lazy("One's own documents in the project whose text could not be read."),
        ),
    ):
        bulk_kinds.register(kind.name, kind)
