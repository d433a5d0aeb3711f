"""How workflows are forgotten. They belong to the project: who wrote a version stays its author, under their pseudonym."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import connection

from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import PersonExporter, person_exporters
from apps.core.erasing import erase_some
from apps.workflows.models import (
    Approval,
    Choice,
    ChoiceAnswer,
    Definition,
    DefinitionVersion,
    Run,
    Secret,
    Start,
    Step,
)


def _erase_person(_user_id: UUID) -> int:
    return 0


def _rows_of(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    versions = DefinitionVersion.objects.filter(made_by=user_id).order_by("created_at", "pk")
    deleted = Definition.objects.filter(deleted_by=user_id).order_by("created_at", "pk")
    runs = Run.objects.filter(requested_by=user_id).order_by("created_at", "pk")
    answers = ChoiceAnswer.objects.filter(person=user_id).order_by("created_at", "pk")
    armed = Start.objects.filter(armed_by=user_id).order_by("created_at", "pk")
    secrets = Secret.objects.filter(kept_by=user_id).order_by("created_at", "pk")
    decided = Choice.objects.filter(decided_by=user_id).order_by("created_at", "pk")
    approvals = Approval.objects.filter(person=user_id).order_by("created_at", "pk")
    return {
        "workflow_runs": list(runs.values("id", "definition_id", "title", "data", "status", "created_at")),
        "workflow_answers": list(answers.values("choice_id", "option", "text", "created_at")),
        "workflow_choices_decided": list(decided.values("id", "question", "option", "text", "decided_at")),
        "workflow_approvals": list(approvals.values("run_id", "stage", "created_at")),
        "workflow_starts": list(armed.values("definition_id", "kind", "schedule", "status", "armed_at")),
        "workflow_credentials": list(secrets.values("id", "project_id", "name", "kept_at")),
        "workflow_versions": list(versions.values("id", "definition_id", "number", "document", "created_at")),
        "workflows_deleted": list(deleted.values("id", "name", "deleted_at")),
    }


def _erase_organization(organization_id: UUID) -> int:
    """One statement a table, however long it takes; runs point to runs, so that constraint is judged at the end of each."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    return sum(
        model.objects.filter(organization_id=organization_id)._raw_delete("default")  # type: ignore[attr-defined]  # noqa: SLF001
        for model in (ChoiceAnswer, Choice, Approval, Step, Run, Start, Secret, DefinitionVersion, Definition)
    )


def _erase_piece(organization_id: UUID, limit: int) -> int | None:
    return erase_some(organization_id, limit, tables=(ChoiceAnswer, Choice, Approval, Step))


def register() -> None:
    erasers.register("workflows", Eraser("workflows", _erase_person, _erase_organization, _erase_piece))
    person_exporters.register("workflows", PersonExporter("workflows", _rows_of))
