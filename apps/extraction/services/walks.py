"""The way of a run through its words: taken, piece by piece, put off, given up. What was read of a long text is kept until the run ends."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts import quotas
from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_of_row
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs, kept, leases
from apps.core.db import database_now
from apps.core.errors import DomainError
from apps.extraction import news, policies, question_selectors, selectors, sources, walking
from apps.extraction.events import ExtractionProgressed
from apps.extraction.models import ExtractionPart, ExtractionRun
from apps.extraction.reading_types import Answer, Part, Unread, Work
from apps.extraction.services.extractions import GAVE_UP, OPEN, fail, wanted_collections
from apps.extraction.types import (
    LEAST_PIECE,
    MAX_PIECES,
    MAX_RUN_ATTEMPTS,
    PUT_OFF_SECONDS,
    READING_SECONDS,
    TOO_MANY_PIECES,
    RunStatus,
)
from apps.llm import selectors as llm

TOO_SLOW = "reading_time"


@transaction.atomic
def claim_run(*, actor: Actor, run_id: UUID) -> Work | None:
    """Take the run, or None: somebody works on it, it is done, or who asked may read these words or write there no more."""
    account_policies.require(policies.is_system(actor))
    run = ExtractionRun.objects.select_for_update(skip_locked=True).filter(pk=run_id, status__in=OPEN).first()
    if run is None:
        return None
    has_parts = ExtractionPart.objects.filter(run=run).exclude(answer="").exists()
    if run.attempts >= MAX_RUN_ATTEMPTS:
        if not has_parts or run.attempts >= 2 * MAX_RUN_ATTEMPTS:
            fail(run, run.error_code or GAVE_UP)
            return None
        run.stopped_by = run.stopped_by or run.error_code or GAVE_UP
    fence = leases.claim(ExtractionRun.objects.filter(status__in=OPEN), run.pk, status=RunStatus.RUNNING)
    if fence is None:
        return None
    asker = actor_of_row(user_id=run.requested_by_id, key_id=run.key_id)
    try:
        require(policies.can_write_records(asker, accounts.project_role(asker, run.project_id)))
        return _work(run, fence, asker)
    except DomainError as refusal:
        fail(run, refusal.code)
        return None


def keep_reading(*, actor: Actor, work: Work) -> AbstractContextManager[None]:
    """While a model is asked, which may take minutes: the worker's lease is renewed meanwhile."""
    account_policies.require(policies.is_system(actor))
    return kept.kept(ExtractionRun.objects.filter(status__in=OPEN), work.run_id, work.fence, attempts=F("attempts") - 1)


def _work(run: ExtractionRun, fence: int, asker: Actor) -> Work:
    pieces, left = sources.pieces_of(run, asker)
    collections = wanted_collections(asker, run.project_id, run.collections)
    documents = {each.slug: selectors.schema_of(each).document for each in collections}
    text = "".join(piece.text for piece in pieces)
    parts = _parts(run, text, documents)
    model = run.model or llm.find_default_model(organization_id=run.organization_id)
    size = run.piece_size or walking.size_for(model.context_window if model else None, text, documents)
    after = parts[-1].end if parts else 0
    rest = walking.spans(text, after, size)
    stopped_by = run.stopped_by
    if parts and len(parts) >= MAX_PIECES:
        stopped_by = stopped_by or TOO_MANY_PIECES
    if run.stops_at is not None and run.stops_at <= database_now():
        stopped_by = stopped_by or TOO_SLOW
    span = rest[0] if rest and not stopped_by else None
    ExtractionRun.objects.filter(pk=run.pk).update(
        characters=len(text), parts=len(parts) + len(rest), stopped_by=stopped_by if rest else ""
    )
    if span is None and rest:
        left = (*left, Unread(stopped_by, after, len(text), len(text) - after))
    return Work(
        run_id=run.pk,
        fence=fence,
        organization_id=run.organization_id,
        project_id=run.project_id,
        user_id=run.requested_by_id,
        model_id=run.model_id,
        language=run.language,
        correlation_id=run.correlation_id,
        pieces=pieces,
        documents=documents,
        ids={each.slug: each.pk for each in collections},
        aliases={
            each.slug: {word: field for field, words in each.aliases.items() for word in words} for each in collections
        },
        asked=question_selectors.asked_in(run.shown_in, asker) if run.shown_in else (),
        keys={each.slug: each.unique_keys for each in collections},
        attempt=run.attempts + 1,
        size=size,
        span=span,
        parts=parts,
        expected=len(parts) + len(rest),
        unread=left,
        stopped_by=stopped_by,
    )


def _parts(run: ExtractionRun, text: str, documents: dict[str, Any]) -> tuple[Part, ...]:
    """What was read before, as far as words and schemas are as they were; the rest is read anew."""
    found: list[Part] = []
    for row in ExtractionPart.objects.filter(run=run).order_by("number"):
        if bytes(row.digest) != walking.digest(text[row.start : row.end], documents):
            ExtractionPart.objects.filter(run=run, number__gte=row.number).delete()
            break
        found.append(
            Part(row.start, row.end, row.answer, row.is_cut, row.error_code, row.cost, row.is_told, row.is_suggested)
        )
    return tuple(found)


@transaction.atomic
def keep_part(*, actor: Actor, work: Work, answer: Answer | None, code: str = "", is_told: bool = False) -> bool:
    """The piece was read, or could not be (``code``); the next one is somebody's turn. False: somebody else holds the run by now.

    The next piece takes an answer out of the quota of who asked; when that is used up, what was read is all.
    """
    account_policies.require(policies.is_system(actor))
    rows = ExtractionRun.objects.filter(pk=work.run_id, fence=work.fence, status=RunStatus.RUNNING)
    if (run := rows.select_for_update().first()) is None:
        return False
    assert work.span is not None
    start, end = work.span
    text = "".join(piece.text for piece in walking.cut(work.pieces, start, end))
    said = answer or Answer("")
    cost = Decimal(said.cost or 0)
    ExtractionPart.objects.create(
        organization_id=run.organization_id,
        run=run,
        number=len(work.parts) + 1,
        start=start,
        end=end,
        digest=walking.digest(text, work.documents),
        answer=_storable(said.text),
        is_cut=said.is_cut,
        error_code=code[:60],
        cost=cost,
        is_told=is_told,
    )
    asker = actor_of_row(user_id=run.requested_by_id, key_id=run.key_id)
    ExtractionRun.objects.filter(pk=run.pk).update(
        characters_read=F("characters_read") if code else end,
        parts_done=len(work.parts) + 1,
        answered_by=said.model[:200] or run.answered_by,
        is_demo=said.is_demo or run.is_demo,
        input_tokens=F("input_tokens") + said.input_tokens,
        output_tokens=F("output_tokens") + said.output_tokens,
        cost=run.cost if not said.cost else (run.cost or 0) + cost,
        currency=said.currency or run.currency,
        stopped_by=run.stopped_by or _refusal(asker, run),
        stops_at=run.stops_at or database_now() + timedelta(seconds=leases.scaled(READING_SECONDS)),
        error_code="",
        attempts=0,
        lease_until=None,
        updated_at=Now(),
    )
    news.tell(run, ExtractionProgressed(run.pk, len(work.parts) + 1, work.expected), actor=asker)
    _hint(run)
    return True


def _refusal(asker: Actor, run: ExtractionRun) -> str:
    try:
        with transaction.atomic():
            quotas.take_answer(actor=asker, organization_id=run.organization_id)
    except DomainError as refusal:
        return refusal.code[:60]
    return ""


def _hint(run: ExtractionRun) -> None:
    if not run.effect_key:
        jobs.after_commit("extraction.extract", run_id=run.pk)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


@transaction.atomic
def read_smaller(*, actor: Actor, work: Work) -> None:
    """The piece did not fit the model: from here on they are half as long."""
    account_policies.require(policies.is_system(actor))
    assert work.span is not None
    size = max(LEAST_PIECE, (work.span[1] - work.span[0]) // 2)
    rows = ExtractionRun.objects.filter(pk=work.run_id, fence=work.fence, status=RunStatus.RUNNING)
    if (run := rows.select_for_update().first()) is not None:
        ExtractionRun.objects.filter(pk=run.pk).update(piece_size=size, attempts=0, lease_until=None, updated_at=Now())
        _hint(run)


@transaction.atomic
def read_later(*, actor: Actor, work: Work, code: str) -> None:
    """What kept the piece from being read may pass. It costs one of the attempts; a sweep finds the run when it is time."""
    account_policies.require(policies.is_system(actor))
    rows = ExtractionRun.objects.filter(pk=work.run_id, fence=work.fence, status=RunStatus.RUNNING)
    rows.update(error_code=code[:60], lease_until=leases.until(PUT_OFF_SECONDS), updated_at=Now())


@transaction.atomic
def fail_run(*, actor: Actor, run_id: UUID, fence: int, code: str) -> None:
    account_policies.require(policies.is_system(actor))
    run = ExtractionRun.objects.select_for_update().filter(pk=run_id, fence=fence, status__in=OPEN).first()
    if run is not None:
        fail(run, code)
        ExtractionPart.objects.filter(run=run).update(is_told=True)
