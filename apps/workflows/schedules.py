"""``schedule`` of a document: what starts its runs by itself. One of the DSL's own words ``every``, ``cron``, ``after`` and ``on``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.errors import FieldError
from apps.workflows import cron, durations, listening, unrunnable
from apps.workflows.expressions import is_expression
from apps.workflows.types import LEAST_INTERVAL_SECONDS, MAX_FILTERS, MAX_WAIT_DAYS, StartKind

_LEAST = timedelta(seconds=LEAST_INTERVAL_SECONDS)
_MOST = timedelta(days=MAX_WAIT_DAYS)


def kind_of(schedule: Mapping[str, Any]) -> StartKind:
    """Of a checked one."""
    return next(kind for kind in StartKind if kind in schedule)


def wrong(schedule: Any) -> Iterator[FieldError]:
    """What the published schema did not find."""
    if not schedule:
        return
    kinds = [kind for kind in StartKind if kind in schedule]
    if len(kinds) != 1:
        yield FieldError("/schedule", "one_of", _("A schedule says one of: every, cron, after, on."))
        return
    (kind,) = kinds
    value, pointer = schedule[kind], f"/schedule/{kind}"
    if kind == StartKind.ON:
        yield from _wrong_events(value, pointer)
        return
    try:
        if kind == StartKind.CRON:
            read = cron.read(value)
            if read.next_after(datetime.fromisoformat("2024-01-01T00:00:00Z"), ZoneInfo("UTC")) is None:
                yield FieldError(pointer, "never", _("This day never comes."))
            return
        duration = durations.read(value)
    except (ValueError, OverflowError) as error:
        detail = str(error) if kind == StartKind.CRON else _("This is no duration.")
        yield FieldError(pointer, "invalid", detail[:300])
        return
    if not _LEAST <= duration <= _MOST:
        yield FieldError(pointer, "too_often", _("From a minute to 400 days."))


def _wrong_events(on: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    if "until" in on:
        yield FieldError(f"{pointer}/until", "not_runnable", _("What starts runs has no end."))
    word = _word(on)
    wanted, place = filters(on), f"{pointer}/{word}"
    if not 1 <= len(wanted) <= MAX_FILTERS:
        yield FieldError(place, "too_many" if wanted else "blank", _("From one to ten kinds of events."))
    for number, each in enumerate(wanted):
        here = place if word == "one" else f"{place}/{number}"
        yield from unrunnable.wrong_filter(each, here)
        name = each.get("with", {}).get("type")
        if not isinstance(name, str) or not name.strip() or is_expression(name):
            detail = _("An event that starts runs is named by its type, such as record.created.")
            yield FieldError(f"{here}/with/type", "required", detail)


def _word(on: Mapping[str, Any]) -> str:
    return next(word for word in ("one", "any", "all") if word in on)


def filters(on: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = on[_word(on)]
    return [found] if isinstance(found, Mapping) else list(found)


def next_time(schedule: Mapping[str, Any], last: datetime, now: datetime, time_zone: str) -> datetime | None:
    """The first time after ``now``, for ``every`` counted from ``last``; what was missed meanwhile is not made up for. None: none, or not known yet."""
    match kind_of(schedule):
        case StartKind.EVERY:
            interval = durations.read(schedule["every"])
            passed = max(0, (now - last) // interval)
            return last + interval * (passed + 1)
        case StartKind.CRON:
            return cron.read(schedule["cron"]).next_after(now, _zone(time_zone))
        case StartKind.AFTER:
            return last + durations.read(schedule["after"])
        case _:
            return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def types_of(on: Mapping[str, Any]) -> list[str]:
    """What events have to be called at least for one of the filters."""
    return sorted({each["with"]["type"] for each in filters(on)})


def said(schedule: Mapping[str, Any]) -> str:
    """In a few words: a duration, a cron expression, kinds of events."""
    match kind := kind_of(schedule):
        case StartKind.CRON:
            return str(schedule["cron"])
        case StartKind.ON:
            return ", ".join(types_of(schedule["on"]))
        case _:
            return _spoken(durations.read(schedule[kind]))


def _spoken(duration: timedelta) -> str:
    hours, rest = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    found = [
        ngettext("%(count)d day", "%(count)d days", duration.days) % {"count": duration.days} if duration.days else "",
        ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours} if hours else "",
        ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes} if minutes else "",
        ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds} if seconds else "",
    ]
    return " ".join(part for part in found if part)


def taken(
    on: Mapping[str, Any],
    heard: list[dict[str, Any]],
    event: dict[str, Any],
    is_true: Callable[[str, Any], bool],
) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """The events that start a run now, if they do, and those that are kept for one: of ``all`` the first that fits each."""
    wanted = filters(on)
    if "all" not in on:
        fits = any(listening.meets(each, event, is_true) for each in wanted)
        return ([event] if fits else None), []
    found: list[dict[str, Any]] = []
    for each in wanted:
        first = next((old for old in [*heard, event] if old not in found and listening.meets(each, old, is_true)), None)
        if first is not None:
            found.append(first)
    kept = [old for old in [*heard, event] if old in found]
    return (kept, []) if len(found) == len(wanted) else (None, kept)
