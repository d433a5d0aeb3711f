"""What another schema would do to a collection's records, in words, before it is saved."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.extraction import selectors, services
from apps.extraction.models import Collection
from apps.extraction.schema import Schema
from apps.extraction.schema_changes import Change, ChangeKind, Changes

#: Somebody waits for the page.
SECONDS = 1.0
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Line:
    words: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """A record that would not follow, and why."""

    record_id: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Effects:
    """``misfits`` are records among those looked at that do not fit any more as they are, ``samples`` some of them."""

    lines: tuple[Line, ...]
    looked_at: int
    total: int
    misfits: int
    samples: tuple[Sample, ...]

    @property
    def breaks(self) -> bool:
        return any(line.breaks for line in self.lines)


def effects_of(collection: Collection, new: Schema, viewer: Actor) -> Effects | None:
    """None when the schema stays what it is. As many of the newest records are looked at as a second allows."""
    if selectors.schema_of(collection) == new:
        return None
    tried = services.try_schema(actor=viewer, collection_id=collection.pk, document=new.document, seconds=SECONDS)
    found = tried.tally.as_json()
    lines = tuple(Line(_words(change, tried.changes), change.breaks) for change in tried.changes.items)
    samples = {
        sample["record"]: Sample(sample["record"], sample["title"] or sample["record"], problem["detail"])
        for problem in found["problems"]
        for sample in problem["samples"]
    }
    misfits = found["records"] - found["fitting"]
    return Effects(lines, found["records"], tried.total, misfits, tuple(samples.values())[:SHOWN])


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
