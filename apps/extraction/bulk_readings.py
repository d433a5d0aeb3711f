"""Records out of many files, as an operation: each item is a file, read by the model like any other words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import SYSTEM, AnswerQuotaReached
from apps.bulk import selectors as operations
from apps.core.db import in_thread
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, Estimate, PlannedItem, TryLater, Work
from apps.core.errors import DomainError, NotFound
from apps.core.leases import scaled
from apps.extraction import engine, policies, selectors, services, structured, walking
from apps.extraction.bulk_making import LONGEST_WAIT_SECONDS
from apps.extraction.bulk_results import place_to_review, tell_readings
from apps.extraction.bulk_scopes import only, wrong
from apps.extraction.models import ExtractionRun
from apps.extraction.reading_types import Answer, Found
from apps.extraction.reading_types import Work as Claimed
from apps.extraction.types import (
    CUT_SHORT,
    MAX_COLLECTIONS_A_RUN,
    PIECE_CHARACTERS,
    READING_SECONDS,
    RUN_CALL_SECONDS,
    ExtractionFailed,
    RunStatus,
)
from apps.files import selectors as files
from apps.files.policies import can_read_files
from apps.llm import forecast
from apps.llm.errors import ModelError

KIND = "extraction.from_files"
MAX_FILES = 1_000
#: Somebody else may hold the run for a while: who died with it.
ASK_AGAIN_SECONDS = 3.0
CHARACTERS_A_TOKEN = 4
#: Instructions and schemas, with each file.
TOKENS_BESIDE = 1_000
ANSWERED = 0.25


def _check(scope: BulkScope) -> dict[str, Any]:
    only(scope, "attachments", "collections")
    require(policies.can_write_records(scope.actor, accounts.project_role(scope.actor, scope.project_id)))
    wanted = _ids(scope, "attachments", MAX_FILES)
    if not wanted:
        raise wrong("attachments", _("Name at least one file."))
    if len(files.visible_ids(scope.actor, wanted)) < len(wanted):
        raise wrong("attachments", _("There is no such file."), "unknown_file")
    rows = selectors.list_collections(scope.actor, project_id=scope.project_id)
    named = _ids(scope, "collections", MAX_COLLECTIONS_A_RUN)
    found = rows.filter(pk__in=named) if named else rows.order_by("name")[:MAX_COLLECTIONS_A_RUN]
    collections = [str(row.pk) for row in found]
    if len(collections) < len(named) or not collections:
        raise wrong("collections", _("There is no such collection in this project."), "unknown_collection")
    return {"attachments": [str(pk) for pk in wanted], "collections": collections}


def _ids(scope: BulkScope, name: str, most: int) -> list[UUID]:
    given = scope.params.get(name) or []
    try:
        found = list(dict.fromkeys(UUID(str(each)) for each in given))
    except (ValueError, TypeError):
        raise wrong(name, _("This is no list of ids.")) from None
    if len(found) > most:
        raise wrong(name, _("Name at most %(number)d.") % {"number": most})
    return found


def _plan(scope: BulkScope) -> Iterator[PlannedItem]:
    for raw in scope.params["attachments"]:
        try:
            file = files.get_file(UUID(raw), scope.actor)
        except NotFound:
            continue
        yield PlannedItem({"name": file.name}, subject_id=file.pk)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a call found; its effect is for ``apply``, in the item's transaction. ``found`` None: the run was kept before."""

    run_id: UUID
    fence: int = 0
    answer: Answer | None = None
    found: Found | None = None


async def _call(work: Work) -> Reading:
    """The same run whenever it is called: one that was read before is not read again, one that failed is. Cut short it writes nothing
    but the pieces of a long text that were read by then.
    """
    try:
        run = await in_thread(_begin, work)
    except AnswerQuotaReached as full:
        raise TryLater(min(full.retry_after_seconds, LONGEST_WAIT_SECONDS), code=full.code, is_free=True) from full
    is_first = True
    while True:
        claimed = None
        while claimed is None:
            if run.status == RunStatus.COMPLETED:
                return Reading(run.pk)
            claimed = await in_thread(services.claim_run, actor=SYSTEM, run_id=run.pk)
            if claimed is None:
                run = await in_thread(selectors.get_run, run_id=run.pk, viewer=work.scope.actor)
                if run.status == RunStatus.FAILED:
                    raise _failed(run.error_code)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
        if is_first:
            # Of an attempt that died before it could tell what it spent.
            work.meter.add(sum((part.cost for part in claimed.parts if not part.is_told), Decimal(0)))
            is_first = False
        with services.keep_reading(actor=SYSTEM, work=claimed):
            reading = await _read_on(work, claimed)
        if reading is not None:
            return reading


async def _read_on(work: Work, claimed: Claimed) -> Reading | None:
    """One piece; None: others are left."""
    answer, code = None, ""
    try:
        if claimed.span is not None:
            try:
                answer = await engine.ask(claimed)
                work.meter.add(answer.cost)
            except ModelError as error:
                work.meter.add(error.cost)
                match walking.after(error, claimed):
                    case walking.Next.SMALLER:
                        await in_thread(services.read_smaller, actor=SYSTEM, work=claimed)
                        return None
                    case walking.Next.PASS_OVER:
                        code = error.code
                    case walking.Next.STOP if structured.later_of(error) is None:
                        claimed = walking.stopped(claimed, error.code)
                    case _:
                        raise
        if not claimed.is_last:
            await in_thread(services.keep_part, actor=SYSTEM, work=claimed, answer=answer, code=code)
            return None
        found = await in_thread(engine.read, answer, claimed, code)
        if not found.is_any_read:
            code = code or claimed.stopped_by
            await _fail(claimed, code)
            raise _failed(code)
    except (DomainError, TimeoutError) as error:
        if isinstance(error, ExtractionFailed):
            raise
        code = engine.code_of(error)
        await _fail(claimed, code)
        if isinstance(error, TimeoutError):
            raise TryLater(scaled(structured.PAUSE_SECONDS), code=code, is_put_off=True) from error
        raise (isinstance(error, ModelError) and structured.later_of(error)) or _failed(code) from error
    except asyncio.CancelledError:
        await _fail(claimed, CUT_SHORT)
        raise
    return Reading(claimed.run_id, claimed.fence, answer or Answer(""), found)


async def _fail(claimed: Claimed, code: str) -> None:
    await in_thread(services.fail_run, actor=SYSTEM, run_id=claimed.run_id, fence=claimed.fence, code=code)


def _failed(code: str) -> ExtractionFailed:
    return ExtractionFailed(_("This could not be read: %(reason)s.") % {"reason": code})


def _begin(work: Work) -> ExtractionRun:
    assert work.subject_id is not None
    if files.list_being_read([work.subject_id]):
        raise TryLater(ASK_AGAIN_SECONDS, is_free=True)
    return services.begin_run(
        actor=work.scope.actor,
        project_id=work.scope.project_id,
        collections=[UUID(pk) for pk in work.scope.params["collections"]],
        file_id=work.subject_id,
        effect_key=work.effect_key,
    )


def _apply(work: Work, reading: Reading) -> Done:
    if reading.found is not None:
        assert reading.answer is not None
        is_ours = services.finish_run(
            actor=SYSTEM, run_id=reading.run_id, fence=reading.fence, answer=reading.answer, found=reading.found
        )
        if not is_ours:
            raise TryLater(ASK_AGAIN_SECONDS)
    run = selectors.get_run(run_id=reading.run_id, viewer=work.scope.actor)
    suggested = selectors.list_proposals(work.scope.actor, run_id=run.pk).count()
    told = {"extraction": str(run.pk), "suggestions": suggested, "unplaced": len(run.unplaced)}
    return Done(told | ({"is_text_cut": True, "unread": run.unread} if run.is_text_cut else {}))


def _estimate(scope: BulkScope, total: int) -> Estimate:
    """By the length of the files."""
    characters = files.count_characters([UUID(raw) for raw in scope.params["attachments"]])
    calls = total + characters // PIECE_CHARACTERS
    words = characters // CHARACTERS_A_TOKEN // max(1, calls)
    _each, seen = operations.stats_seconds_each(kind=KIND, organization_id=scope.organization_id)
    return forecast.estimate(
        _model(scope),
        calls=calls,
        input_tokens=words + TOKENS_BESIDE,
        output_tokens=int(words * ANSWERED),
        is_timed=bool(seen),
    )


def _model(scope: BulkScope) -> Any:
    return forecast.find_model(organization_id=scope.organization_id)


FROM_FILES = BulkKind(
    KIND,
    gettext_lazy("Read records out of files"),
    _plan,
    _apply,
    check=_check,
    may_read=lambda actor: (
        policies.has_read_scope(actor) and can_read_files(actor)
    ),  # an item says how its file is called
    call=_call,
    call_seconds=READING_SECONDS + 5 * RUN_CALL_SECONDS,
    estimate=_estimate,
    resource=lambda scope: forecast.resource_of(_model(scope)),
    place=lambda params: place_to_review(*params["collections"]),
    tell=tell_readings,
    description=gettext_lazy("Each file is read by the model; what it finds waits for review."),
)
