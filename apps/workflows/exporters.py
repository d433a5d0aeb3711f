"""What workflows add to an export: definitions, each as its document in force and what starts it by itself; runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.accounts.types import Actor
from apps.core.doors.exporters import Exporter, ExportScope, exporters
from apps.workflows import presentation, selectors
from apps.workflows.documents import stage_titles


def definitions(scope: ExportScope) -> Iterator[dict[str, Any]]:
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    found = selectors.list_definitions(viewer, project_id=scope.project_id)
    starts = {start.definition_id: start for start in selectors.list_starts(viewer, project_id=scope.project_id)}
    for row in found.filter(organization_id=scope.organization_id).order_by("created_at", "pk").iterator(chunk_size=50):
        yield {
            "id": str(row.pk),
            "project": str(row.project_id),
            "name": row.name,
            "number": row.number,
            "document": row.document,  # type: ignore[attr-defined]
            "start": presentation.start_data(starts[row.pk], None) if row.pk in starts else None,
        }


def runs(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """Each with its steps, and what was asked and answered."""
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    found = selectors.list_runs(viewer, project_id=scope.project_id)
    for row in found.filter(organization_id=scope.organization_id).order_by("created_at", "pk").iterator(chunk_size=50):
        titles = stage_titles(row.followed.document)
        choices = list(selectors.list_choices(row))
        answers = selectors.list_answers([choice.pk for choice in choices])
        yield {
            **presentation.run_row(row),
            "input": row.data,
            "output": row.output,
            "steps": [presentation.step_data(step, titles) for step in selectors.list_steps(row).order_by("number")],
            "choices": [presentation.choice_data(each, answers.get(each.pk, []), viewer) for each in choices],
            "approvals": {
                stage: [str(pk) for pk in people] for stage, people in selectors.count_approvals(row).items()
            },
        }


def register() -> None:
    exporters.register("workflow_runs", Exporter("workflow_runs", runs))
    exporters.register("workflows", Exporter("workflows", definitions))
