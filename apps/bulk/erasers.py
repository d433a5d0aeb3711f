"""How operations are forgotten. What a person asked for stays with the project, under their pseudonym, as messages do."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import connection

from apps.bulk.models import COUNTED, Item, Operation, Share
from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import PersonExporter, person_exporters
from apps.core.erasing import erase_some


def _erase_person(_user_id: UUID) -> int:
    return 0


def _rows_of(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    """Operations that they asked for; what became of the items is downloaded from the operation."""
    rows = Operation.objects.filter(requested_by=user_id).order_by("created_at", "pk")
    fields = (
        "id",
        "project_id",
        "kind",
        "params",
        "status",
        "undoes_id",
        *COUNTED,
        "cost",
        "created_at",
        "finished_at",
    )
    return {"operations": list(rows.values(*fields))}


def _erase_organization(organization_id: UUID) -> int:
    """One statement a table, however long it takes."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    return sum(
        model.objects.filter(organization_id=organization_id)._raw_delete("default")  # type: ignore[attr-defined]  # noqa: SLF001
        for model in (Item, Operation, Share)
    )


def _erase_piece(organization_id: UUID, limit: int) -> int | None:
    return erase_some(organization_id, limit, tables=(Item,))


def register() -> None:
    erasers.register("bulk", Eraser("bulk", _erase_person, _erase_organization, _erase_piece))
    person_exporters.register("bulk", PersonExporter("bulk", _rows_of))
