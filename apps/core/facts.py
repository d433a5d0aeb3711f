"""Facts that core's own services announce."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("core.setting_changed.v1", label=_("Changed a setting"))
@dataclass(frozen=True, slots=True)
class SettingChanged:
    """Which setting, at which level, from what to what (as JSON; None: the level said nothing). Texts that somebody wrote are left out."""

    key: str
    level: str
    target_id: UUID | None
    is_reset: bool
    old: str | None = None
    new: str | None = None


@event("core.health_changed.v1", public="system.health_changed", label=_("Health of the installation changed"))
@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A check of ``/readyz`` failed, or is well again. ``is_critical``: without it no request can be answered."""

    check: str
    is_healthy: bool
    is_critical: bool


@event("core.alert_raised.v1", public="system.alert", label=_("Raised an alert"))
@dataclass(frozen=True, slots=True)
class AlertRaised:
    """Something was given up after its last attempt, and waits for somebody. ``kind``: ``event_parked`` (``on``: the consumer; ``count``: how
    many it has parked, up to the position ``up_to`` of the log) or ``item_gave_up`` (``on``: the kind of the operation, which is the subject;
    ``count``: items that were set aside together).
    """

    kind: str
    on: str
    count: int
    up_to: int | None = None


@event("core.maintained.v1", label=_("Maintained the installation"))
@dataclass(frozen=True, slots=True)
class Maintained:
    """``act``: ``events_replayed``, ``parked_events_retried``, ``mail_retried``, ``keys_rotated``, ``keys_retired``, ``keys_lost`` or
    ``leftovers_removed``; ``on``: the consumer or the key's id; ``count``: how many.
    """

    act: str
    on: str
    count: int


@event("core.operator_acted.v1", label=_("Acted in the admin site"))
@dataclass(frozen=True, slots=True)
class OperatorActed:
    """Somebody chose ``action`` for rows of ``table`` (``accounts.user``); ``add`` and ``change`` are its forms. The first fifty ``ids``."""

    table: str
    action: str
    count: int
    ids: list[UUID]


@event("core.limits_scaled.v1", label=_("Limits follow the load"))
@dataclass(frozen=True, slots=True)
class LimitsScaled:
    """How often all limits are halved from now on. ``cause``: ``places`` (most are taken), ``lag`` (loops are late) or ``calm``."""

    halvings: int
    cause: str


@event("core.suspicion_noted.v1", label=_("Noticed input that looks like an attack"))
@dataclass(frozen=True, slots=True)
class SuspicionNoted:
    """The first of this kind at this door today by whoever acted. ``kind``: ``sql``, ``command``, ``markup`` or ``traversal``; never the words."""

    kind: str
    door: str
