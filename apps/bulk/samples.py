"""What an operation would do, shown to whoever looks at it before it begins: with their rights, as things are in that moment.

Nothing of it is kept: what is erased, or closed to somebody, is in no sample.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.bulk import policies, selectors
from apps.bulk.models import Operation
from apps.bulk.types import SAMPLES, OperationStatus
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, PlannedItem, Preview, bulk_kinds
from apps.core.errors import DomainError

logger = logging.getLogger(__name__)


def dry_run_for(viewer: Actor, operation: Operation) -> dict[str, Any] | None:
    """Of one operation, with samples of its first items until it begins. None: nothing is planned."""
    said = without_samples(viewer, operation)
    kind = bulk_kinds.get(operation.kind)
    is_waiting = operation.status == OperationStatus.PLANNED and operation.undoes_id is None
    if said is None or kind is None or not is_waiting or not policies.can_read_items(viewer, kind):
        return said
    scope = BulkScope(operation.pk, operation.organization_id, operation.project_id, viewer, operation.params)
    try:
        items = selectors.list_items(operation).filter(number__lte=SAMPLES).order_by("number")
        samples = [_sample(kind, scope, each.payload, each.subject_id) for each in items]
        found = kind.told(scope, said["found"]) if kind.told and said["found"] else said["found"]
    except DomainError:  # what it is about is closed to who looks, or gone
        return said
    return said | {"samples": samples, "found": found}


def without_samples(viewer: Actor, operation: Operation) -> dict[str, Any] | None:
    """What is known without looking at items; what the plan found only for who may read them."""
    if not operation.dry_run:
        return None
    sees = policies.can_read_items(viewer, bulk_kinds.get(operation.kind))
    return operation.dry_run | {"samples": [], "found": operation.dry_run.get("found", {}) if sees else {}}


def _sample(kind: BulkKind, scope: BulkScope, payload: dict[str, Any], subject_id: Any) -> dict[str, Any]:
    """What the preview does not say is left out."""
    try:
        found = kind.preview(scope, PlannedItem(payload, subject_id)) if kind.preview else Preview(payload)
    except DomainError:
        raise
    except Exception:  # an app's preview that breaks hides its sample, not the operation
        logger.exception("bulk_preview_broke", extra={"kind": kind.name})
        found = Preview({}, note=_("It cannot be shown."))
    told: dict[str, Any] = {
        "changes": [asdict(each) for each in found.changes],
        "goes_along": [{"what": str(what), "count": count} for what, count in found.goes_along],
        "note": str(found.note),
    }
    return {"subject": str(subject_id) if subject_id else None, "shown": found.shown} | {
        name: said for name, said in told.items() if said
    }
