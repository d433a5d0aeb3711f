"""Collections and records for tests, made through the services that make them for people."""

from __future__ import annotations

from typing import Any

from apps.accounts.types import Actor
from apps.extraction import services
from apps.extraction.models import Collection, Record

PEOPLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "born": {"type": "string", "format": "date"},
        "is_alive": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "siblings": {"type": "array", "items": {"type": "string", "format": "uuid"}, "x-relation": "people"},
        "lives_in": {"type": "string", "format": "uuid", "x-relation": "places"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
PLACES: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def places(actor: Actor, project: Any) -> Collection:
    return services.create_collection(actor=actor, project_id=project.pk, name="Places", document=PLACES)


def people(actor: Actor, project: Any, **fields: Any) -> Collection:
    if not Collection.objects.filter(project=project, slug="places", deleted_at=None).exists():
        places(actor, project)
    return services.create_collection(
        actor=actor, project_id=project.pk, **({"name": "People", "document": PEOPLE} | fields)
    )


def record(actor: Actor, collection: Collection, **data: Any) -> Record:
    return services.create_record(actor=actor, collection_id=collection.pk, data=data)
