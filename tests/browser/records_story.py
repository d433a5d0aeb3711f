"""Collections of the story with records, relations, sources, a view, comments and a history."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.conversations.models import Message
from apps.extraction import services, shape
from apps.extraction.models import ExtractionRun, FieldSource, Record
from tests.accounts.factories import actor_of, team_of

PLACES = {"type": "object", "properties": {"name": {"type": "string"}, "district": {"type": "string"}}}
CHARACTERS: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "occupation": {"type": "string"},
        "importance": {"type": "string", "enum": ["lead", "supporting", "extra"]},
        "siblings": {"type": "array", "items": {"type": "string", "format": "uuid"}, "x-relation": "characters"},
        "works_at": {"type": "string", "format": "uuid", "x-relation": "places"},
        "goal": {"type": "string", "x-lines": "many"},
        "born": {"type": "string", "format": "date"},
        "traits": {"type": "array", "items": {"type": "string"}},
        "homepage": {"type": "string", "format": "uri"},
    },
}
PEOPLE = [
    {"name": "Sarah Almeida", "age": 28, "occupation": "Investigative journalist", "importance": "lead"},
    {"name": "Tomás Almeida", "age": 31, "occupation": "Straddle carrier driver", "importance": "lead"},
    {"name": "Inspector Graça Leitão", "age": 51, "occupation": "Harbour police", "importance": "supporting"},
    {"name": "Dona Odete", "age": 73, "occupation": "Café owner, night quay", "traits": ["patient", "discreet"]},
    {"name": "The night watchman"},
    {
        "name": "Nuno “Gaivota” Reis",
        "age": 34,
        "born": "1991-08-02",
        "homepage": "https://port.example/nuno",
        "goal": "Pay back what he owes, and stay on the good side of everybody who was there the night the containers moved.",
    },
]


def tell(ines: User, daniel: User, project: Any, talk: Any) -> dict[str, str]:
    """The addresses of pages that no menu leads to, by their name."""
    actor = actor_of(ines)
    places = services.create_collection(actor=actor, project_id=project.pk, name="Places", document=PLACES)
    collection = services.create_collection(
        actor=actor,
        project_id=project.pk,
        name="Characters",
        description="Everybody who has a name in the film",
        document=CHARACTERS,
        title_template="{name}",
        unique_keys=[["name"]],
        needed=["age", "occupation"],
    )
    services.create_collection(actor=actor, project_id=project.pk, name="Props", document=PLACES)
    quay = services.create_record(actor=actor, collection_id=places.pk, data={"name": "Alcântara quay"})
    made = [services.create_record(actor=actor, collection_id=collection.pk, data=data) for data in PEOPLE]
    sarah, tomas = made[0], made[1]
    services.change_record(actor=actor, record_id=tomas.pk, changes={"works_at": str(quay.pk)})
    services.change_record(actor=actor_of(daniel), record_id=sarah.pk, changes={"siblings": [str(tomas.pk)]})
    sarah = services.change_record(actor=actor, record_id=sarah.pk, changes={"goal": "Expose the corruption"})
    _sources(ines, project, talk, sarah, collection)
    services.add_comment(actor=actor, record_id=sarah.pk, text="Is she from Alfama or from Setúbal?")
    services.add_comment(actor=actor_of(daniel), record_id=sarah.pk, text="Alfama, says the second draft.")
    view = services.keep_view(
        actor=actor,
        collection_id=collection.pk,
        name="Adults",
        state={"where": ["age:over:30"], "sort": "title", "columns": ["age", "occupation"]},
        is_shared=True,
    )
    gone = services.create_record(actor=actor, collection_id=collection.pk, data={"name": "A smuggler, cut"})
    services.delete_record(actor=actor, record_id=gone.pk)
    informants = _informants(ines, daniel, project)
    table = f"/records/{collection.pk}/"
    return {
        "list": "/records/",
        "new": "/records/new/",
        "begin": "/records/new/?from=csv",
        "table": table,
        "filtered": f"{table}?view={view.pk}&where=age:over:30&where=occupation:filled&sort=title&columns=age",
        "wrong": f"{table}?where=shoe:is:43",
        "cards": f"{table}?look=cards",
        "graph": f"{table}?look=graph",
        "fields": f"{table}fields/",
        "deleted": f"{table}deleted/",
        "add": f"{table}add/",
        "record": f"/record/{sarah.pk}/",
        "edit": f"/record/{sarah.pk}/edit/",
        "history": f"/record/{sarah.pk}/history/",
        "empty": f"/records/{_empty(project).pk}/",
        "closed": f"/records/{informants.pk}/",
        "access": f"/records/{informants.pk}/access/",
    }


def _informants(ines: User, daniel: User, project: Any) -> Any:
    """For who is named: one person and one team."""
    actor = actor_of(ines)
    made = services.create_collection(
        actor=actor, project_id=project.pk, name="Informants", document=PLACES, visibility="named"
    )
    services.create_record(actor=actor, collection_id=made.pk, data={"name": "The clerk", "district": "Customs"})
    services.name_reader(actor=actor, collection_id=made.pk, user_id=daniel.pk)
    services.name_reader(actor=actor, collection_id=made.pk, team_id=team_of(project.organization, name="Writers").pk)
    return made


def _empty(project: Any) -> Any:
    from apps.extraction.models import Collection

    return Collection.objects.get(project=project, slug="props")


def _sources(ines: User, project: Any, talk: Any, sarah: Record, collection: Any) -> None:
    message = Message.objects.filter(conversation=talk, author=ines).order_by("number").first()
    assert message is not None
    run = ExtractionRun.objects.create(
        organization=project.organization,
        project=project,
        requested_by=ines,
        message_id=message.pk,
        collections=[collection.pk],
        status="completed",
        answered_by="GPT-5 mini",
    )
    said = {"name": ("Sarah", "exact"), "age": ("28-year-old", "normalized"), "occupation": ("journalist", "fuzzy")}
    for field, (words, method) in said.items():
        start = message.text.index(words)
        _source(project, sarah, run, field, message_id=message.pk, method=method, start=start, end=start + len(words))
    _source(project, sarah, run, "importance")


def _source(project: Any, record: Record, run: ExtractionRun, field: str, **place: Any) -> None:
    FieldSource.objects.create(
        organization=project.organization,
        record=record,
        run=run,
        field=f"/{field}",
        value_digest=shape.value_digest(record.data[field]),
        confidence=0.98 if place else 0.3,
        **place,
    )
