"""Collections and records for tests, made through the services that make them for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from apps.accounts.types import SYSTEM, Actor
from apps.extraction import engine, schema, services
from apps.extraction.models import Collection, ExtractionRun, Record
from apps.extraction.reading_types import Answer

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


def read_as(
    actor: Actor, project: Any, *entities: dict[str, Any], links: Any = (), is_demo: bool = False, **what: Any
) -> ExtractionRun:
    """A run whose model answered with these entities; ``what`` names the words."""
    run = services.request_extraction(actor=actor, project_id=project.pk, **what)
    return answered(run, *entities, links=links, is_demo=is_demo)


def answered(
    run: ExtractionRun,
    *entities: dict[str, Any],
    links: Any = (),
    is_demo: bool = False,
    meanwhile: Callable[[], Any] = lambda: None,
) -> ExtractionRun:
    work = services.claim_run(actor=SYSTEM, run_id=run.pk)
    assert work is not None
    meanwhile()
    schemas = {slug: schema.check(document) for slug, document in work.documents.items()}
    said = json.dumps({"entities": list(entities), "links": list(links)})
    found = engine.understood(said, schemas, work)
    answer = Answer(said, model="stub/reader", is_demo=is_demo)
    read = [piece.message_id for piece in work.pieces if piece.message_id]
    assert services.finish_run(actor=SYSTEM, run_id=run.pk, fence=work.fence, answer=answer, found=found, messages=read)
    return ExtractionRun.objects.get(pk=run.pk)
