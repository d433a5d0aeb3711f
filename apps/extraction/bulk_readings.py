"""Records out of many files, as an operation: each item is a file, read by the model like any other words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.core.db import in_thread
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlannedItem, Resource, Work
from apps.core.errors import NotFound
from apps.extraction import engine, policies, selectors, services
from apps.extraction.bulk_scopes import only, wrong
from apps.extraction.models import ExtractionRun
from apps.extraction.types import MAX_COLLECTIONS_A_RUN, ExtractionFailed, RunStatus
from apps.files import selectors as files

MAX_FILES = 1_000
#: Each holds one of the threads that all calls of the process share.
AT_ONCE = 4
#: Somebody else may hold the run for a while: who died with it.
ASK_AGAIN_SECONDS = 3.0


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


async def _call(work: Work) -> str:
    """The same run whenever it is called: one that was read before is not read again, one that failed is."""
    run = await in_thread(_begin, work)
    if run.status == RunStatus.FAILED:
        run = await in_thread(services.retry_extraction, actor=work.scope.actor, run_id=run.pk)
    while run.status in {RunStatus.QUEUED, RunStatus.RUNNING}:
        await in_thread(engine.extract, run.pk)
        run = await in_thread(_begin, work)
        if run.status in {RunStatus.QUEUED, RunStatus.RUNNING}:
            await asyncio.sleep(ASK_AGAIN_SECONDS)
    return str(run.pk)


def _begin(work: Work) -> ExtractionRun:
    assert work.subject_id is not None
    return services.begin_run(
        actor=work.scope.actor,
        project_id=work.scope.project_id,
        collections=[UUID(pk) for pk in work.scope.params["collections"]],
        file_id=work.subject_id,
        effect_key=work.effect_key,
    )


def _apply(work: Work, run_id: str) -> Done:
    run = selectors.get_run(run_id=UUID(run_id), viewer=work.scope.actor)
    if run.status == RunStatus.FAILED:
        raise ExtractionFailed(_("This could not be read: %(reason)s.") % {"reason": run.error_code})
    suggested = selectors.list_proposals(work.scope.actor, run_id=run.pk).count()
    return Done(
        {"extraction": run_id, "suggestions": suggested, "unplaced": len(run.unplaced)}, cost=run.cost or Decimal(0)
    )


FROM_FILES = BulkKind(
    "extraction.from_files",
    gettext_lazy("Read records out of files"),
    _plan,
    _apply,
    check=_check,
    call=_call,
    resource=lambda _scope: Resource("extraction.from_files", at_once=AT_ONCE),
    description=gettext_lazy("Each file is read by the model; what it finds waits for review."),
)
