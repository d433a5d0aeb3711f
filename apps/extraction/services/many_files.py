"""Runs that an operation over many files begins, and reads itself."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from apps.accounts import quotas
from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.correlation import correlation_id
from apps.core.ids import uuid7
from apps.extraction import news, policies, sources
from apps.extraction.events import ExtractionRequested
from apps.extraction.models import ExtractionRun


@transaction.atomic
def begin_run(
    *, actor: Actor, project_id: UUID, collections: Sequence[UUID], file_id: UUID, effect_key: str
) -> ExtractionRun:
    """The same key is the same run. No job is sent for it, and it takes none of a project's places."""
    project = accounts.lock_project(project_id, actor)
    require(policies.can_write_records(actor, accounts.role_in(actor, project)))
    rows = ExtractionRun.objects.filter(organization_id=project.organization_id, effect_key=effect_key)
    if earlier := rows.first():
        return earlier
    run = ExtractionRun(
        id=uuid7(),
        organization_id=project.organization_id,
        project=project,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        file_id=file_id,
        collections=list(collections),
        language=actor.language[:12],
        correlation_id=correlation_id()[:64],
        effect_key=effect_key,
    )
    _pieces, run.is_text_cut = sources.pieces_of(run, actor)
    quotas.take_answer(actor=actor, organization_id=project.organization_id)
    run.save()
    fact = ExtractionRequested(run.pk, tuple(run.collections))
    news.tell(run, fact, actor=actor)
    return run
