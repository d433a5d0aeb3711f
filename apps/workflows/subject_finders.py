"""What the audit log calls the things of this app."""

from __future__ import annotations

from uuid import UUID

from apps.workflows.models import Definition, Secret


def find_workflow(pk: UUID) -> str | None:
    return Definition.objects.filter(pk=pk).values_list("name", flat=True).first()


def find_secret(pk: UUID) -> str | None:
    return Secret.objects.filter(pk=pk).values_list("name", flat=True).first()


FINDERS = {"workflow": find_workflow, "workflow_secret": find_secret}
