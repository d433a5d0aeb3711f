"""What waits in the queue, accepted all at once, as an operation: each item is one suggestion, and one that cannot be taken hinders no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlanFindings, PlannedItem, Preview, Work
from apps.core.errors import NotFound
from apps.extraction import bulk_samples, policies, selectors, services
from apps.extraction.bulk_results import tell
from apps.extraction.bulk_scopes import collection_of, only, wrong
from apps.extraction.types import ProposalDecided, ProposalStatus

KIND = "records.accept"
#: How sure one is of a suggestion: from and below, in the words of the filter.
SURE = {"all": (0.0, 0.0), "sure": (0.9, 0.0), "unsure": (0.0, 0.9), "guess": (0.0, 0.5)}


def words_of(sure: str) -> str:
    labels = {
        "all": _("However sure"),
        "sure": _("Nearly sure"),
        "unsure": _("Not quite sure"),
        "guess": _("Rather a guess"),
    }
    return labels[sure]


def _check(scope: BulkScope) -> dict[str, Any]:
    only(scope, "collection", "sure")
    require(policies.can_write_records(scope.actor, accounts.project_role(scope.actor, scope.project_id)))
    sure = scope.params.get("sure", "all")
    if not isinstance(sure, str) or sure not in SURE:
        raise wrong("sure", _("One of these: %(all)s") % {"all": ", ".join(SURE)})
    of_one = scope.params.get("collection") is not None
    return ({"collection": str(collection_of(scope).pk)} if of_one else {}) | {"sure": sure}


def _plan(scope: BulkScope) -> Iterator[PlannedItem | PlanFindings]:
    """Suggestions of a run one after the other: whoever decides on one holds its run."""
    require(policies.can_write_records(scope.actor, accounts.project_role(scope.actor, scope.project_id)))
    collection = scope.params.get("collection")
    above, below = SURE[scope.params["sure"]]
    rows = selectors.list_to_review(
        scope.actor,
        project_id=scope.project_id,
        collection_id=UUID(collection) if collection else None,
        above=above,
        below=below,
    )
    for pk in rows.order_by("run", "number").values_list("pk", flat=True).iterator(chunk_size=2000):
        yield PlannedItem(subject_id=pk)
    yield PlanFindings({"sure": scope.params["sure"]})


def _told(scope: BulkScope, found: dict[str, Any]) -> dict[str, Any]:
    of_one = scope.params.get("collection") is not None
    name = collection_of(scope, to_write=False).name if of_one else _("All collections")
    return found | {"filter": [name, words_of(scope.params["sure"])]}


def _preview(scope: BulkScope, item: PlannedItem) -> Preview:
    assert item.subject_id is not None
    try:
        row = selectors.get_proposal(proposal_id=item.subject_id, viewer=scope.actor)
    except NotFound:
        return bulk_samples.nothing_there()
    if row.status != ProposalStatus.PENDING:
        return Preview({"title": row.entity_id}, note=ProposalStatus(row.status).label)
    return bulk_samples.of_suggestion(scope, row)


def _apply(work: Work, _found: Any) -> Done:
    assert work.subject_id is not None
    try:
        record = services.accept_proposal(actor=work.scope.actor, proposal_id=work.subject_id)
    except NotFound:
        return Done(skipped="gone")
    except ProposalDecided:
        return Done(skipped="decided")
    return Done({"record": str(record.pk)})


def _place(params: dict[str, Any]) -> str:
    """The queue as it was filtered: what could not be accepted waits there."""
    return f"{reverse('extraction:review')}?{urlencode(sorted(params.items()))}"


ACCEPT = BulkKind(
    KIND,
    gettext_lazy("Accept suggestions"),
    _plan,
    _apply,
    check=_check,
    may_read=policies.has_read_scope,
    preview=_preview,
    told=_told,
    place=_place,
    tell=tell,
    description=gettext_lazy("All suggestions that wait in a project or a collection; what cannot be taken waits on."),
)
