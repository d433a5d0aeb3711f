"""What is done with many records at once: doubles, files in and out, templates, wishes, suggestions and operations."""

from __future__ import annotations

import io
from typing import Any

from apps.accounts.models import User
from apps.accounts.types import Actor
from apps.bulk import engine
from apps.bulk import services as bulk
from apps.bulk.models import Operation
from apps.extraction import services
from apps.extraction.models import Collection
from apps.files import services as files
from tests.accounts.factories import actor_of
from tests.extraction.factories import people, read_as

CAST = b"Full name;Age;Nonsense\nNuno;34;x\nOdete;who knows;y\nRita;41;z\n"
SHEET = "# {{ record.name }}\n\n{% if record.age %}*{{ record.age }} years old*{% endif %}\n"


def tell(ines: User, project: Any, talk: Any) -> dict[str, str]:
    """The addresses of pages that no menu leads to, by their name."""
    actor = actor_of(ines)
    crew = people(actor, project)
    rita = services.create_record(
        actor=actor, collection_id=crew.pk, data={"name": "Rita Falcão", "born": "1988-05-17", "tags": ["camera"]}
    )
    double = {"name": "Rita Falcao", "born": "1988-05-17", "age": 38, "tags": ["light"]}
    other = services.take_record(actor=actor, collection_id=crew.pk, data=double).record
    template = services.make_template(actor=actor, collection_id=crew.pk, name="Call sheet", source=SHEET)
    upload = files.store_upload(
        actor=actor,
        project_id=project.pk,
        name="crew.csv",
        stream=io.BytesIO(CAST),
        declared="text/csv",
        expected_bytes=len(CAST),
    )
    reading = read_as(
        actor,
        project,
        {"collection": crew.slug, "id": "1", "fields": {"name": "Rita Falcão", "born": "1988-05-17", "age": 38}},
        {"collection": crew.slug, "id": "2", "fields": {"name": "Somebody nobody knows", "age": "old"}},
        conversation_id=talk.pk,
    )
    table = f"/records/{crew.pk}/"
    return {
        "review": "/review/",
        "unplaced": f"/review/runs/{reading.pk}/unplaced/",
        "duplicates": f"{table}duplicates/",
        "compare": f"{table}duplicates/{rita.pk}/{other.pk}/",
        "import": f"{table}import/",
        "import-columns": f"{table}import/{upload.pk}/",
        "export": f"{table}export/",
        "templates": f"{table}templates/",
        "template": f"{table}templates/{template.pk}/",
        "template-new": f"{table}templates/new/",
        "bring-along": f"{table}bring-along/",
        "make": f"{table}make/",
        "prompt": f"{table}prompt/",
        "change": f"{table}change/?field=age",
        "delete": f"{table}delete/?where=age:over:30",
        "files": f"{table}files/",
        "operations": "/operations/",
        "operation-planned": f"/operations/{_import(actor, project, crew, upload).pk}/",
        "operation-done": f"/operations/{_done(actor, _import(actor, project, crew, upload)).pk}/",
    }


def _import(actor: Actor, project: Any, crew: Collection, upload: Any) -> Operation:
    columns = {"Full name": "name", "Age": "age"}
    params = {"collection": str(crew.pk), "attachment": str(upload.pk), "columns": columns}
    operation = bulk.create_operation(actor=actor, project_id=project.pk, kind="records.import", params=params)
    engine.plan_operation(operation_id=operation.pk)
    return operation


def _done(actor: Actor, operation: Operation) -> Operation:
    """With a failure, and a way to try it again."""
    bulk.start_operation(actor=actor, operation_id=operation.pk)
    engine.run_all()
    return operation
