"""What another schema would do to a collection's records, in words, before it is saved."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.extraction import schema_changes, selectors
from apps.extraction.models import Collection, Record
from apps.extraction.schema import Schema
from apps.extraction.schema_changes import Change, ChangeKind, Changes, Problem

LOOKED_AT = 500
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Line:
    words: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class Effects:
    """``misfits`` are records among those looked at that do not fit any more as they are, ``samples`` some of them."""

    lines: tuple[Line, ...]
    looked_at: int
    misfits: int
    samples: tuple[tuple[Record, Problem], ...]
    is_partial: bool

    @property
    def breaks(self) -> bool:
        return any(line.breaks for line in self.lines)


def effects_of(collection: Collection, new: Schema) -> Effects | None:
    """None when the schema stays what it is. The newest 500 records are looked at."""
    old = selectors.schema_of(collection)
    if old == new:
        return None
    changes = schema_changes.compare(old, new)
    rows = list(selectors.list_records(collection=collection).order_by("-created_at", "-pk")[: LOOKED_AT + 1])
    looked_at = rows[:LOOKED_AT]
    found = [(row, problem) for row in looked_at if (problem := _problem(row, changes))]
    lines = tuple(Line(_words(change, changes), change.breaks) for change in changes.items)
    return Effects(lines, len(looked_at), len(found), tuple(found[:SHOWN]), len(rows) > LOOKED_AT)


def _problem(record: Record, changes: Changes) -> Problem | None:
    brought = schema_changes.migrate(record.data, changes, language=get_language() or "en")
    return brought.problems[0] if brought.problems else None


def _words(change: Change, changes: Changes) -> str:
    before = changes.old.by_pointer.get(change.before)
    after = changes.new.by_pointer.get(change.after)
    values = {
        "field": (after or before).title if (after or before) else "",
        "before": before.title if before else "",
        "old": before.type if before else "",
        "new": after.type if after else "",
    }
    return _sentence(change) % values


def _sentence(change: Change) -> str:  # noqa: PLR0911  (one sentence a kind)
    match change.kind:
        case ChangeKind.ADDED if change.breaks:
            return _("“%(field)s” is new and required: records have no value for it yet.")
        case ChangeKind.ADDED:
            return _("“%(field)s” is new.")
        case ChangeKind.REMOVED:
            return _("“%(before)s” goes away: its values have no place any more.")
        case ChangeKind.RENAMED:
            return _("“%(before)s” is called “%(field)s” from now on.")
        case ChangeKind.TYPE_CHANGED:
            return _("“%(field)s” changes its kind.")
        case ChangeKind.REQUIRED_ADDED:
            return _("“%(field)s” becomes required.")
        case ChangeKind.ENUM_NARROWED:
            return _("“%(field)s” has fewer choices.")
        case ChangeKind.NARROWED:
            return _("“%(field)s” takes less than before.") if change.after else _("Less is taken than before.")
        case ChangeKind.RELATION_CHANGED:
            return _("“%(field)s” points elsewhere.")
        case _:
            return _("“%(field)s” takes more than before.")
