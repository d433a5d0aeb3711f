"""What operations show of their first records before they begin: fields before and after, and what goes with what is deleted.

``scope.actor`` is whoever looks, and may only read: nobody is shown what they do not see, and nothing of what is gone by then is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.doors.bulk_kinds import BulkScope, PlannedChange, PlannedItem, Preview
from apps.core.errors import NotFound
from apps.extraction import sample_selectors, selectors, services, shape
from apps.extraction.bulk_scopes import collection_of
from apps.extraction.models import Collection, Proposal, Record
from apps.extraction.schema import Schema

LONGEST = 300
MOST_FIELDS = 8


def of_update(scope: BulkScope, item: PlannedItem) -> Preview:
    """The change as it would be now, and why it would be refused."""
    if (record := there(scope, item)) is None:
        return nothing_there()
    collection = collection_of(scope, to_write=False)
    found, after = selectors.schema_of(collection), shape.merged(record.data, scope.params["data"])
    changes = changes_of(scope, found, record.data, after)
    note = _refusal(collection, found, record, after)
    return Preview({"title": record.title}, changes, note=note or ("" if changes else _("No field of it changes.")))


def of_delete(scope: BulkScope, item: PlannedItem) -> Preview:
    """What the record says, and how much is out of sight with it, or points to nothing then."""
    if (record := there(scope, item)) is None:
        return nothing_there()
    found = selectors.schema_of(collection_of(scope, to_write=False))
    along = sample_selectors.count_along(record, scope.actor)
    words = {
        "pointing": _("Records that point to it, and show that it is gone"),
        "comments": _("Comments"),
        "pairs": _("Possible duplicates of it that wait for a decision"),
    }
    gone = changes_of(scope, found, record.data, {})[:MOST_FIELDS]
    return Preview({"title": record.title}, gone, tuple((words[what], count) for what, count in along.items() if count))


def of_migrate(scope: BulkScope, item: PlannedItem) -> Preview:
    """What it becomes under the schema of today; what keeps it from that is said."""
    if (record := there(scope, item)) is None:
        return nothing_there()
    collection = collection_of(scope, to_write=False)
    brought = services.path_of(collection).bring(record.data, record.schema_number, language=scope.actor.language)
    if brought.problems:
        first = brought.problems[0]
        return Preview({"title": record.title}, note=_refused(first.pointer, str(first.detail)))
    changes = changes_of(scope, selectors.schema_of(collection), record.data, brought.value)
    return Preview({"title": record.title}, changes, note="" if changes else _("No field of it changes."))


def of_answer(scope: BulkScope, record: Record, field: str, shown: dict[str, Any]) -> Preview:
    """A model decides what the field will say."""
    unknown = _("What the model answers is not known before.")
    if not field:
        return Preview(shown, note=f"{_('The answer becomes a comment.')} {unknown}")
    found = selectors.schema_of(collection_of(scope, to_write=False))
    known = found.named(field)
    before = _told(record.data.get(field), {})
    change = PlannedChange(field, known.title if known else field, before, is_known=False)
    return Preview(shown, (change,), note=unknown)


def of_suggestion(scope: BulkScope, row: Proposal) -> Preview:
    """What the record would say; what speaks against it already."""
    collection = selectors.get_collection(collection_id=row.collection_id, viewer=scope.actor)
    found = selectors.schema_of(collection)
    title = shape.title_of(collection.title_template, found.fields, row.data) or collection.name
    note = _refused(row.problems[0]["field"], row.problems[0]["detail"]) if row.problems else ""
    return Preview({"title": title}, changes_of(scope, found, {}, row.data)[:MOST_FIELDS], note=note)


def changes_of(
    scope: BulkScope, found: Schema, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[PlannedChange, ...]:
    """What points to records is told by their titles, as far as who asks sees them; long values by their beginnings."""
    changed = shape.changes_between(before, after)
    pointing = {each.name for each in found.top if each.relation}
    ids = {
        pk for each in changed if each.field in pointing for value in (each.before, each.after) for pk in _ids_in(value)
    }
    titles = selectors.titles_of(scope.actor, ids)
    places = {each.name: place for place, each in enumerate(found.top)}
    known = {each.name: each.title for each in found.top}
    return tuple(
        PlannedChange(
            each.field, known.get(each.field, each.field), _told(each.before, titles), _told(each.after, titles)
        )
        for each in sorted(changed, key=lambda change: places.get(change.field, len(places)))
    )


def there(scope: BulkScope, item: PlannedItem) -> Record | None:
    assert item.subject_id is not None
    try:
        return selectors.get_record(record_id=item.subject_id, viewer=scope.actor)
    except NotFound:
        return None  # deleted since it was planned


def nothing_there() -> Preview:
    return Preview({}, note=_("It is not there any more."))


def _refusal(collection: Collection, found: Schema, record: Record, after: dict[str, Any]) -> str:
    if wrong := found.validate(after):
        return _refused(wrong[0].field, str(wrong[0].detail))
    if taken := next(sample_selectors.taken_keys(collection, record, after), None):
        return _refused(", ".join(taken), _("Another record has these values."))
    return ""


def _refused(place: str, detail: str) -> str:
    field = place.strip("/").replace("/", ".")
    return _("It would be refused: %(field)s: %(detail)s") % {"field": field, "detail": detail}


def _ids_in(value: Any) -> list[UUID]:
    found = []
    for each in value if isinstance(value, list) else [value]:
        try:
            found.append(UUID(str(each)))
        except ValueError:
            continue
    return found


def _told(value: Any, titles: Mapping[str, str]) -> Any:
    if isinstance(value, list) and titles:
        value = [titles.get(str(each), each) for each in value]
    elif isinstance(value, str):
        value = titles.get(value, value)
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else shape.as_text(value)
    return value if len(text) <= LONGEST else f"{text[:LONGEST]}…"
