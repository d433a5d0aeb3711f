"""Operations over many items. ``bulk`` keeps the rows, the pace, the retries and the counts; kinds say what one item is and does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door

#: How long a call may take, where its kind says nothing else, and at most.
CALL_SECONDS, MOST_CALL_SECONDS = 600.0, 4500.0


@dataclass(frozen=True, slots=True)
class BulkScope:
    """For whom and where. ``actor`` has the rights of now: workers make it anew from the row before every batch."""

    operation_id: UUID
    organization_id: UUID
    project_id: UUID
    actor: Any
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One row of the frozen plan. ``subject_id`` is what it is about, where that exists before."""

    payload: dict[str, Any] = field(default_factory=dict)
    subject_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PlanFindings:
    """What a plan says of all of its items, shown before the start: counts and samples of what is wrong with them. Yielded once, last."""

    found: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """Of one field: what it says and what it will say; None is nothing. Not ``is_known``: what it will say is decided when the item runs."""

    field: str
    title: str = ""
    before: Any = None
    after: Any = None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Preview:
    """One item before the start. ``goes_along``: what else is touched by it, and how many of that. ``note``: what is to be said of it."""

    shown: dict[str, Any]
    changes: tuple[PlannedChange, ...] = ()
    goes_along: tuple[tuple[str | Promise, int], ...] = ()
    note: str | Promise = ""


@dataclass(slots=True)
class Meter:
    """What the calls of an item cost so far. It counts however the item ends: done, failed, cancelled, or put off."""

    cost: Decimal = Decimal(0)

    def add(self, cost: Decimal | str) -> None:
        self.cost += Decimal(cost or 0)


@dataclass(frozen=True, slots=True)
class Work:
    """One item that a worker holds. ``effect_key`` is the same at every attempt: give it to others that count effects by a key.

    A ``call`` tells the ``meter`` what it spends; what ``apply`` spends is in ``Done.cost``.
    """

    scope: BulkScope
    item_id: UUID
    number: int
    payload: dict[str, Any]
    subject_id: UUID | None
    attempt: int
    effect_key: str
    result: dict[str, Any] = field(default_factory=dict)  # only for ``undo``: what ``apply`` gave
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an item. ``result`` is shown and downloaded, and given to ``undo``. ``skipped`` says why nothing was to be done."""

    result: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""
    cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Told:
    """A result in words: what came of the item, the address of its page if it has one, and how it stands by now."""

    text: str
    url: str = ""
    note: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``cost`` None: not known. ``basis`` tells people what the numbers come from."""

    cost: Decimal | None = None
    currency: str = ""
    seconds: float | None = None
    basis: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """What operations of all tenants share, such as a provider: so many items at once, so many a second (None: no limit)."""

    name: str
    at_once: int | None = None
    per_second: float | None = None


class TryLater(Exception):
    """Raised by ``apply`` or ``call``: not now. It costs one of the attempts, except

    - ``is_free``: nothing was begun yet, and it waits as long as it takes;
    - ``is_put_off``: not the item is at fault but whom it asked. It costs no attempt; in an hour of such waits its patience ends
      (each wait counts as ten minutes at least, so it is asked six times at most), and it fails with ``code``;
    - ``rests``: as ``is_put_off``, and whom it asked takes no more from anybody: until then nobody's item of the ``Resource`` is begun.
      Each wait counts as what it is.
    """

    def __init__(
        self,
        seconds: float = 1.0,
        *,
        code: str = "try_later",
        is_free: bool = False,
        is_put_off: bool = False,
        rests: bool = False,
    ) -> None:
        super().__init__(code)
        self.seconds, self.code, self.is_free = seconds, code, is_free
        self.is_put_off, self.rests = is_put_off or rests, rests


def _everybody(_reader: Any) -> bool:
    return True


def _as_they_are(_scope: BulkScope) -> dict[str, Any]:
    return _scope.params


@dataclass(frozen=True, slots=True)
class BulkKind:
    """``plan`` yields the items that the actor may touch, in a stable order, however many, and may end with
    ``PlanFindings``. It asks the actor's rights; so does ``apply``.

    ``apply(work, found)`` runs in the transaction that also writes the item's end: its rows are written exactly once. It never waits
    for another server. What does is ``call`` (a coroutine, no transaction; it may be repeated after a crash, with the same
    ``effect_key``); its answer is ``found``, None without a ``call``. Both raise ``DomainError`` for an item that fails, ``TryLater``
    for one that should be tried again.

    ``check`` gives the parameters as they are kept, or raises ``DomainError``. ``preview`` shows an item before the start, to whoever looks
    at the operation then: ``scope.actor`` is the reader, who may see less than who asked; it changes nothing, and what it shows is kept
    nowhere. ``told`` makes of what the plan found (``PlanFindings``) what a reader sees, in the same way: values of what is there belong
    into it, not into the plan. ``may_read``: whether somebody who sees the operation also sees what is in its parameters, items and
    results; it asks the database nothing. ``undo`` runs like ``apply``. ``is_exclusive``: one operation of the kind at a time in a project. ``call_seconds``: how
    long a ``call`` may take, at most 75 minutes; what takes longer fails as ``call_timeout``.
    ``place`` is the address of the page that shows what parameters are about. ``tell(viewer, results)`` says results to a person, in
    their order; None: as they are.
    """

    name: str
    label: str | Promise
    plan: Callable[[BulkScope], Iterator[PlannedItem | PlanFindings]]
    apply: Callable[[Work, Any], Done]
    check: Callable[[BulkScope], dict[str, Any]] = _as_they_are
    call: Callable[[Work], Awaitable[Any]] | None = None
    undo: Callable[[Work], None] | None = None
    estimate: Callable[[BulkScope, int], Estimate] | None = None
    preview: Callable[[BulkScope, PlannedItem], Preview] | None = None
    told: Callable[[BulkScope, dict[str, Any]], dict[str, Any]] | None = None
    may_read: Callable[[Any], bool] = _everybody
    resource: Callable[[BulkScope], Resource | None] | None = None
    is_exclusive: bool = False
    call_seconds: float = CALL_SECONDS
    place: Callable[[dict[str, Any]], str] | None = None
    tell: Callable[[Any, Sequence[Mapping[str, Any]]], Sequence[Told | None]] | None = None
    description: str | Promise = ""

    def __post_init__(self) -> None:
        if not 0 < self.call_seconds <= MOST_CALL_SECONDS:
            message = f"a call of {self.name} may not last {self.call_seconds} seconds"
            raise ValueError(message)

    @property
    def is_outside(self) -> bool:
        return self.call is not None


bulk_kinds: Door[BulkKind] = Door("bulk kind")
