"""The audit log of an organization, for those who manage it: what happened, who did it, and whether the record is whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import audit, audit_export, places, selectors
from apps.accounts.models import AuditEntry, Organization
from apps.accounts.pages.settings import OFFERED
from apps.accounts.selectors import Person
from apps.accounts.services import audit as services
from apps.accounts.types import Actor, ActorKind, AuditFormat, AuditOutcome
from apps.core.api import Order, Page, page_url
from apps.core.errors import NotFound
from apps.core.events import EventKind, event_kinds

SHOWN = 50
ICONS = {ActorKind.KEY: "key-round", ActorKind.SERVICE: "server"}  # icons


@dataclass(frozen=True, slots=True)
class Filters:
    person: UUID | None
    action: str
    outcome: str
    since: datetime | None
    until: datetime | None

    @property
    def is_any(self) -> bool:
        return any((self.person, self.action, self.outcome, self.since, self.until))


@dataclass(frozen=True, slots=True)
class EntryView:
    number: int
    at: datetime
    code: str
    label: str
    is_refused: bool
    person_id: UUID | None
    who: str
    icon: str
    about: str
    details: list[tuple[str, str]]


class AuditView(LoginRequiredMixin, View):
    """``GET`` lists, ``POST`` reads the whole chain anew and says whether it holds."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "settings/audit.html", _context(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        context = _context(request)
        count, broken = audit.verify(_organization(request).pk)
        return render(request, "settings/audit.html", context | {"is_verified": True, "read": count, "broken": broken})


class AuditExportView(LoginRequiredMixin, View):
    """The filters of the page, and ``format``: what is seen is what is saved."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        wanted = request.GET.get("format", "")
        file_format = AuditFormat(wanted) if wanted in AuditFormat.values else AuditFormat.CSV
        rows = services.export_audit(
            actor=request.actor,  # type: ignore[attr-defined]
            organization_id=_organization(request).pk,
            file_format=file_format,
            **_asked(_filters(request)),
        )
        return audit_export.as_file(request, rows, file_format)


def _organization(request: HttpRequest) -> Organization:
    if (found := places.find_organization(request)) is None:
        raise NotFound
    return found


def _context(request: HttpRequest) -> dict[str, Any]:
    viewer: Actor = request.actor  # type: ignore[attr-defined]
    organization = _organization(request)
    filters = _filters(request)
    rows = selectors.list_audit(viewer=viewer, organization_id=organization.pk, **_asked(filters))
    page = Page.of(rows, order=Order("number"), cursor=request.GET.get("cursor"), limit=SHOWN)
    members = selectors.visible_members(viewer).filter(organization=organization).order_by("user__name")
    offered = list(members[: OFFERED + 1])
    return {
        "entries": _entries(page.results),
        "filters": filters,
        "members": offered[:OFFERED],
        "is_cut": len(offered) > OFFERED,
        "actions": sorted(
            ((name, str(kind.label)) for name, kind in _kinds().items()), key=lambda each: each[1].casefold()
        ),
        "outcomes": AuditOutcome.choices,
        "formats": [(label, _export_url(request, value)) for value, label in AuditFormat.choices],
        "next_url": page_url(request, page.next),
        "previous_url": page_url(request, page.previous),
    }


def _asked(filters: Filters) -> dict[str, Any]:
    return {
        "action": filters.action or None,
        "outcome": filters.outcome or None,
        "person_id": filters.person,
        "since": filters.since,
        "until": filters.until + timedelta(days=1) if filters.until else None,
    }


def _kinds() -> dict[str, EventKind]:
    """Those that the log keeps."""
    return {kind.name: kind for kind in event_kinds() if audit.is_audited(kind.name)}


def _filters(request: HttpRequest) -> Filters:
    """What is no filter is no filter: an address that somebody mangled still shows the log."""
    outcome = request.GET.get("outcome", "")
    return Filters(
        person=_uuid(request.GET.get("person", "")),
        action=request.GET.get("action", "")[:100],
        outcome=outcome if outcome in AuditOutcome.values else "",
        since=_day(request.GET.get("since", "")),
        until=_day(request.GET.get("until", "")),
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _day(text: str) -> datetime | None:
    """The day's first moment where the viewer is."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


def _entries(rows: Sequence[AuditEntry]) -> list[EntryView]:
    named = [row.actor for row in rows] + [row.subject_id for row in rows if row.subject_type == "user"]
    hidden = [_uuid(str(row.details.get("user_id", ""))) for row in rows]
    people = selectors.display_pseudonyms([*named, *hidden])
    kinds = _kinds()
    return [_entry(row, people, kinds.get(row.action)) for row in rows]


def _entry(row: AuditEntry, people: dict[UUID, Person], kind: EventKind | None) -> EntryView:
    person = people.get(row.actor) if row.actor else None
    subject = people.get(row.subject_id) if row.subject_id and row.subject_type == "user" else None
    is_refused = row.outcome == AuditOutcome.REFUSED
    # An event of an app that is gone has no words any more, and its code still says what it was.
    label = _("Tried what is not allowed") if is_refused and kind is None else str(kind.label if kind else row.action)
    return EntryView(
        number=row.number,
        at=row.occurred_at,
        code=row.action,
        label=label,
        is_refused=is_refused,
        person_id=person.id if person else None,
        who=person.name if person else _who(row),
        icon="" if person else ICONS.get(ActorKind(row.actor_kind), "server"),
        about=subject.name if subject and subject != person else "",
        details=[
            (_("Event"), row.action),
            *((name, _value(value, people)) for name, value in row.details.items()),
            *([(row.subject_type, str(row.subject_id))] if row.subject_id and not subject else []),
            *([("correlation", row.correlation_id)] if row.correlation_id else []),
            *([(_("Done by"), _("a job"))] if row.actor_kind == ActorKind.SYSTEM and row.actor else []),
        ],
    )


def _who(row: AuditEntry) -> str:
    if row.actor is not None:
        return _("Somebody who was erased")
    return _("The system") if row.actor_kind == ActorKind.SYSTEM else _("Nobody signed in")


def _value(value: Any, people: dict[UUID, Person]) -> str:
    known = people.get(_uuid(value)) if isinstance(value, str) else None  # type: ignore[arg-type]
    if known is not None:
        return known.name
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


def _export_url(request: HttpRequest, file_format: str) -> str:
    query = request.GET.copy()
    query.pop("cursor", None)
    query["format"] = file_format
    return f"{reverse('accounts:settings_audit_export')}?{query.urlencode()}"
