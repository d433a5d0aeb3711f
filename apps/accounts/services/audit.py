"""What is done with the audit log. It is written by its consumer alone, and by nobody changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts import events, policies, selectors
from apps.accounts.models import AuditEntry
from apps.accounts.services.organizations import scope_of
from apps.accounts.types import Actor, AuditFormat
from apps.core.events import emit


@transaction.atomic
def export_audit(
    *, actor: Actor, organization_id: UUID, file_format: AuditFormat, **filters: Any
) -> QuerySet[AuditEntry]:
    """The rows that ``selectors.list_audit`` finds by ``filters``; that they leave is an entry of the log itself.

    ``NotFound`` for strangers, ``Forbidden`` for members who do not manage the organization.
    """
    rows = selectors.list_audit(viewer=actor, organization_id=organization_id, **filters)
    organization = selectors.get_organization(organization_id, actor)
    policies.require(policies.can_read_audit(actor, selectors.role_of(actor, organization)))
    emit(
        events.AuditExported(organization_id=organization_id, file_format=file_format.value),
        actor=actor,
        scope=scope_of(organization_id),
        subject=("organization", organization_id),
    )
    return rows
