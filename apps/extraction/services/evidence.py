"""The words behind the fields of a record, as they are kept with it: from a suggestion, or from a record that was joined into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.extraction import shape
from apps.extraction.models import ExtractionRun, FieldSource, Proposal, Record
from apps.extraction.pointers import pointer, steps, top
from apps.extraction.types import GENERATED


def keep_sources(
    run: ExtractionRun, proposal: Proposal, record: Record, edited: tuple[str, ...], said: Mapping[str, Any]
) -> None:
    """Of what the record says in the suggestion's words: ``said``. What a person wrote over has no source in the words any more.

    Words that already stand behind a value stay there.
    """
    wanted: dict[str, dict[str, Any]] = {}
    for each in proposal.sources:
        place = _place_of(each["field"], said, record.data)
        if place is not None and top(each["field"]) not in edited:
            wanted[place] = each
    there = FieldSource.objects.filter(record=record, field__in=wanted)
    for row in there:
        if _is_current(row, record.data):
            del wanted[row.field]
    there.filter(field__in=wanted).delete()
    FieldSource.objects.bulk_create(
        FieldSource(
            organization_id=run.organization_id,
            record=record,
            **_by(run, each),
            field=place,
            value_digest=shape.value_digest(record.data.get(top(place))),
            message_id=each["message"],
            file_id=each["attachment"],
            method=each["method"],
            confidence=each["confidence"],
            start=each["start"],
            end=each["end"],
            start_utf16=each["start_utf16"],
            end_utf16=each["end_utf16"],
        )
        for place, each in wanted.items()
    )


def _by(run: ExtractionRun, source: Mapping[str, Any]) -> dict[str, Any]:
    """Who said it. What a model made up was said by the answer to an item of the operation; no words were read."""
    if source["method"] != GENERATED:
        return {"run": run}
    return {
        "operation_id": run.operation_id,
        "answered_by": source["answered_by"],
        "is_demo": source["is_demo"],
    }


def _is_current(row: FieldSource, data: Mapping[str, Any]) -> bool:
    """The field still says what the words said."""
    return bytes(row.value_digest) == shape.value_digest(data.get(top(row.field)))


def _place_of(place: str, said: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Where a value that stood at this place of one record stands in another: the same, or another place of its list. None: nowhere."""
    name, *rest = steps(place) or [""]
    then, value = said.get(name), now.get(name)
    if name not in now or name not in said:
        return None
    if then == value:
        return place
    if not (rest and rest[0].isdigit() and isinstance(then, list) and isinstance(value, list)):
        return None
    if int(rest[0]) >= len(then) or then[int(rest[0])] not in value:
        return None
    return pointer([name, value.index(then[int(rest[0])]), *rest[1:]])


def follow_growth(record: Record, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A list that only grew still has the items that words said, in their places; gives what ``bring_sources_back`` takes."""
    moved: list[dict[str, Any]] = []
    for row in FieldSource.objects.filter(record=record):
        name = top(row.field)
        was, now = before.get(name), record.data.get(name)
        if was == now or not isinstance(was, list) or not _is_current(row, before):
            continue
        if isinstance(now, list) and now[: len(was)] == was and steps(row.field)[1:]:
            moved.append({"id": str(row.pk), "digest": bytes(row.value_digest).hex()})
            FieldSource.objects.filter(pk=row.pk).update(value_digest=shape.value_digest(now))
    return moved


def move_sources(winner: Record, loser: Record, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The words behind what came from the loser. A row of the winner that they replace says what nobody reads any more; it is kept here."""
    moved = follow_growth(winner, before)
    for row in FieldSource.objects.filter(record=loser).order_by("field"):
        name = top(row.field)
        place = _place_of(row.field, loser.data, winner.data) if _is_current(row, loser.data) else None
        if place is None or before.get(name) == winner.data[name]:
            continue
        there = FieldSource.objects.filter(record=winner, field=place)
        replaced = there.values().first()
        if (found := there.first()) is not None and _is_current(found, winner.data):
            continue
        there.delete()
        digest = shape.value_digest(winner.data[name])
        FieldSource.objects.filter(pk=row.pk).update(record=winner, field=place, value_digest=digest)
        was = {"field": row.field, "value_digest": bytes(row.value_digest).hex()}
        moved.append({"id": str(row.pk), "replaced": _as_json(replaced), "was": was})
    return moved


def bring_sources_back(moved: list[dict[str, Any]], winner: Record, loser: Record) -> None:
    """The other way, the last first."""
    for each in reversed(moved):
        rows = FieldSource.objects.filter(pk=each["id"], record=winner)
        if "digest" in each:
            rows.update(value_digest=bytes.fromhex(each["digest"]))
            continue
        was = each.get("was")
        back = {"field": was["field"], "value_digest": bytes.fromhex(was["value_digest"])} if was else {}
        rows.update(record=loser, **back)
        old = each["replaced"]
        if old and not FieldSource.objects.filter(record=winner, field=old["field"]).exists():
            FieldSource.objects.create(**{**old, "value_digest": bytes.fromhex(old["value_digest"])})


def _as_json(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    plain = {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}
    del plain["created_at"], plain["updated_at"]
    return plain | {"value_digest": bytes(row["value_digest"]).hex()}
