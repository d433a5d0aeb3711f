"""What items of operations made, in words and with a link, for whoever looks at them: titles of today, as far as they may be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.doors.bulk_kinds import Told
from apps.extraction import selectors
from apps.extraction.models import Proposal, Record
from apps.extraction.types import ProposalStatus


def tell(viewer: Any, results: Sequence[Mapping[str, Any]]) -> list[Told | None]:
    """For the door of ``bulk``: of those that made, changed or suggested a record. Two queries, however many."""
    suggested = {str(row.pk): row for row in _rows(selectors.visible_proposals(viewer), results, "proposal")}
    there = {str(row.pk): row for row in _rows(selectors.visible_to(viewer, with_deleted=True), results, "record")}
    return [_told(result, suggested, there) for result in results]


def tell_readings(viewer: Any, results: Sequence[Mapping[str, Any]]) -> list[Told | None]:
    """Of those that read a file: how much was found in it, and the way to what fits nowhere. One query, however many."""
    seen = {str(row.pk): row.sees_all for row in _rows(selectors.visible_runs(viewer), results, "extraction")}
    return [_told_reading(result, seen) for result in results]


def _told_reading(result: Mapping[str, Any], seen: Mapping[str, bool]) -> Told | None:
    pk, suggested, unplaced = result.get("extraction"), result.get("suggestions", 0), result.get("unplaced", 0)
    if pk is None:
        return None
    said = ngettext("%(n)s suggested record", "%(n)s suggested records", suggested) % {"n": suggested}
    if unplaced:
        left = ngettext("%(n)s value without a place", "%(n)s values without a place", unplaced) % {"n": unplaced}
        said = f"{said} · {left}"
    note = _("Not all was read") if result.get("is_text_cut") else ""
    return Told(said, reverse("extraction:unplaced", kwargs={"run_id": pk}) if unplaced and seen.get(pk) else "", note)


def _rows(rows: Any, results: Sequence[Mapping[str, Any]], name: str) -> Any:
    ids = [result[name] for result in results if result.get(name)]
    return rows.filter(pk__in=ids) if ids else ()


def _told(result: Mapping[str, Any], suggested: Mapping[str, Proposal], there: Mapping[str, Record]) -> Told | None:
    if pk := result.get("proposal"):
        row = suggested.get(pk)
        return Told(_("Suggested record that is not there any more")) if row is None else _of_proposal(row)
    if pk := result.get("record"):
        record = there.get(pk)
        if record is None:
            return Told(_("Record that is not there any more"))
        title = record.title or _("Record without a title")
        return Told(title, note=_("Deleted")) if record.deleted_at else Told(title, _record_url(record.pk))
    return None


def _of_proposal(row: Proposal) -> Told:
    if row.record_id is not None:
        return Told(row.entity_id, _record_url(row.record_id), ProposalStatus(row.status).label)
    url = ""
    if row.status == ProposalStatus.PENDING:
        url = f"{place_to_review(row.collection_id)}#p-{row.pk}"
    return Told(row.entity_id, url, ProposalStatus(row.status).label)


def place_to_review(*collections: UUID | str) -> str:
    """Where suggestions are decided on: of one collection, or of all when there are several."""
    return reverse("extraction:review") + (f"?collection={collections[0]}" if len(collections) == 1 else "")


def _record_url(record_id: UUID) -> str:
    return reverse("extraction:record", kwargs={"record_id": record_id})
