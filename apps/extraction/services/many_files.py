"""Runs that an operation over many files begins, and reads itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import quotas
from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import leases
from apps.core.correlation import correlation_id
from apps.core.ids import uuid7
from apps.extraction import news, policies
from apps.extraction.events import ExtractionRequested
from apps.extraction.models import ExtractionRun
from apps.extraction.services.extractions import GAVE_UP, OPEN, measure
from apps.extraction.services.walks import fail_run
from apps.extraction.types import CUT_SHORT, RunStatus

LEFT_LYING = timedelta(minutes=15)


@transaction.atomic
def begin_run(
    *, actor: Actor, project_id: UUID, collections: Sequence[UUID], file_id: UUID, effect_key: str
) -> ExtractionRun:
    """The same key is the same run; one that failed begins anew. No job is sent for it, and it takes none of a project's places."""
    project = accounts.lock_project(project_id, actor)
    require(policies.can_write_records(actor, accounts.role_in(actor, project)))
    rows = ExtractionRun.objects.filter(organization_id=project.organization_id, effect_key=effect_key)
    if earlier := rows.select_for_update().first():
        return _again(actor, earlier) if earlier.status == RunStatus.FAILED else earlier
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
    measure(run, actor)
    quotas.take_answer(actor=actor, organization_id=project.organization_id)
    run.save()
    fact = ExtractionRequested(run.pk, tuple(run.collections))
    news.tell(run, fact, actor=actor)
    return run


def _again(actor: Actor, run: ExtractionRun) -> ExtractionRun:
    """One that was cut short took its answer from the quota already."""
    if run.error_code != CUT_SHORT:
        quotas.take_answer(actor=actor, organization_id=run.organization_id)
    ExtractionRun.objects.filter(pk=run.pk).update(
        status=RunStatus.QUEUED,
        attempts=0,
        error_code="",
        stopped_by="",
        stops_at=None,
        finished_at=None,
        lease_until=None,
        updated_at=Now(),
    )
    news.tell(run, ExtractionRequested(run.pk, tuple(run.collections)), actor=actor)
    run.refresh_from_db()
    return run


@transaction.atomic
def fail_left_lying(*, actor: Actor) -> int:
    """Runs of operations that nobody reads any more: their item was ended while they were read, or who read them died."""
    require(policies.is_system(actor))
    rows = ExtractionRun.objects.filter(
        leases.is_free(), status__in=OPEN, updated_at__lt=Now() - LEFT_LYING, created_at__lt=Now() - LEFT_LYING
    ).exclude(effect_key="")
    found = list(rows.select_for_update(skip_locked=True).order_by("pk")[:100])
    for run in found:
        fail_run(actor=actor, run_id=run.pk, fence=run.fence, code=GAVE_UP)
    return len(found)
