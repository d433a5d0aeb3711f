"""What people do with a whole run: stop it, go on with it, try it again, accept all that it suggests, and withdraw what waits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import quotas
from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs
from apps.core.errors import DomainError
from apps.core.events import told_last
from apps.extraction import news, policies, question_selectors, selectors
from apps.extraction.events import ExtractionRequested, ExtractionStopped
from apps.extraction.made_types import MadeByOperation
from apps.extraction.models import ExtractionRun
from apps.extraction.services.extractions import OPEN, accept_proposal, reject_proposal
from apps.extraction.types import (
    STOPPED_BY_PERSON,
    NothingLeftToRead,
    ProposalStatus,
    RunEnded,
    RunNotFailed,
    RunStatus,
)

#: Suggestions that are accepted in one transaction, and for how long one call begins with more: locks are held for a piece only, and what
#: was accepted before something broke stays so.
ACCEPTED_AT_ONCE = 20
ACCEPTING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AllAccepted:
    """``left`` are those that wait on, each with why: (proposal, code, detail). ``rest``: after which number to go on; None: that was all."""

    records: tuple[UUID, ...]
    left: tuple[tuple[UUID, str, str], ...]
    rest: int | None = None


def _lock_reading(actor: Actor, run_id: UUID) -> ExtractionRun:
    """``MadeByOperation`` where nothing is read: how that goes on is said to the operation."""
    run = selectors.lock_run(run_id=run_id, viewer=actor)
    role = accounts.project_role(actor, run.project_id)
    require(policies.is_system(actor) or policies.can_write_records(actor, role))
    if run.operation_id is not None:
        raise MadeByOperation(operation=str(run.operation_id))
    return run


@transaction.atomic
def retry_extraction(*, actor: Actor, run_id: UUID) -> ExtractionRun:
    """Read the same words again after a failure. From now on it is the wish of who tries again, with their rights."""
    run = _lock_reading(actor, run_id)
    require(run.sees_all)  # type: ignore[attr-defined]  # from now on it reads with their rights
    if run.status != RunStatus.FAILED:
        raise RunNotFailed
    _queue_again(actor, run)
    return selectors.get_run(run_id=run_id, viewer=actor)


@transaction.atomic
def stop_extraction(*, actor: Actor, run_id: UUID) -> ExtractionRun:
    """No piece is begun any more. The one that is being read ends; then what was read is suggested. A repeat changes nothing."""
    run = _lock_reading(actor, run_id)
    if run.status not in OPEN:
        raise RunEnded
    if run.stopped_by == STOPPED_BY_PERSON:
        return run
    ExtractionRun.objects.filter(pk=run.pk).update(stopped_by=STOPPED_BY_PERSON, updated_at=Now())
    news.tell(run, ExtractionStopped(run.pk), actor=actor)
    if not run.effect_key:
        jobs.after_commit("extraction.extract", run_id=run.pk)
    return selectors.get_run(run_id=run_id, viewer=actor)


@transaction.atomic
def resume_extraction(*, actor: Actor, run_id: UUID) -> ExtractionRun:
    """Read what a stopped reading left, with the pieces that it has. From now on it is the wish of who goes on, with their rights."""
    run = _lock_reading(actor, run_id)
    require(run.sees_all)  # type: ignore[attr-defined]  # as who tries again
    if run.status != RunStatus.COMPLETED or not selectors.find_resumable([run.pk]):
        raise NothingLeftToRead
    _queue_again(actor, run)
    ExtractionRun.objects.filter(pk=run.pk).update(unread=[], is_text_cut=False)
    return selectors.get_run(run_id=run_id, viewer=actor)


def _queue_again(actor: Actor, run: ExtractionRun) -> None:
    quotas.take_answer(actor=actor, organization_id=run.organization_id)
    ExtractionRun.objects.filter(pk=run.pk).update(
        status=RunStatus.QUEUED,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        attempts=0,
        error_code="",
        stopped_by="",
        stops_at=None,
        finished_at=None,
        updated_at=Now(),
    )
    news.tell(run, ExtractionRequested(run.pk, tuple(run.collections)), actor=actor)
    jobs.after_commit("extraction.extract", run_id=run.pk)


@transaction.atomic
def withdraw_suggestions(*, actor: Actor, run_id: UUID) -> list[UUID]:
    """What waits of a run whose effects are taken back is rejected. What somebody decided stays decided: the records that people made of
    it, as far as they are there.
    """
    run = question_selectors.lock_decisions(run_id=run_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, run.project_id)))
    rows = selectors.list_proposals(actor, run_id=run.pk).order_by("number")
    for proposal_id in rows.filter(status=ProposalStatus.PENDING).values_list("pk", flat=True):
        reject_proposal(actor=actor, proposal_id=proposal_id)
    by_itself = {UUID(record_id) for record_id, _before, _after in run.wrote}
    accepted = rows.filter(status=ProposalStatus.ACCEPTED, record__deleted_at=None)
    return [pk for pk in accepted.values_list("record", flat=True) if pk is not None and pk not in by_itself]


def accept_all(*, actor: Actor, run_id: UUID, after: int = 0) -> AllAccepted:
    """Every suggestion of the run that is pending and has a number ``after`` this one, as it is. What cannot be taken waits on, and
    hinders no other. Pieces are transactions of their own; when the time of a call is over, ``rest`` says where to go on.
    """
    until, rest = time.monotonic() + ACCEPTING_SECONDS, after
    made: list[UUID] = []
    left: list[tuple[UUID, str, str]] = []
    while True:
        piece = _accept_some(actor, run_id, rest)
        made += piece.records
        left += piece.left
        if piece.rest is None:
            return AllAccepted(tuple(made), tuple(left))
        rest = piece.rest
        if time.monotonic() >= until:
            return AllAccepted(tuple(made), tuple(left), rest)


@transaction.atomic
@told_last()
def _accept_some(actor: Actor, run_id: UUID, after: int) -> AllAccepted:
    run = question_selectors.lock_decisions(run_id=run_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, run.project_id)))
    waiting = selectors.list_proposals(actor, run_id=run.pk, status=ProposalStatus.PENDING).filter(number__gt=after)
    some = list(waiting.order_by("number").values_list("pk", "number")[: ACCEPTED_AT_ONCE + 1])
    made: list[UUID] = []
    left: list[tuple[UUID, str, str]] = []
    for proposal_id, _number in some[:ACCEPTED_AT_ONCE]:
        try:
            with transaction.atomic():
                made.append(accept_proposal(actor=actor, proposal_id=proposal_id).pk)
        except DomainError as refusal:
            left.append((proposal_id, refusal.code, refusal.detail))
    rest = some[ACCEPTED_AT_ONCE - 1][1] if len(some) > ACCEPTED_AT_ONCE else None
    return AllAccepted(tuple(made), tuple(left), rest)
