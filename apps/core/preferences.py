"""The settings service: default < profile < environment < platform < organization < project < user.

Apps register a ``Setting`` in ``apps.py``; ``get`` is cheap enough for every request (rows are kept for two seconds, so a
change reaches all processes within that).
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from uuid import UUID

from django.conf import settings as deployment
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.core.doors.settings import STORED, Level, Setting, WrongValue, check, settings_door
from apps.core.errors import FieldError, Forbidden, Invalid, NotFound
from apps.core.events import emit
from apps.core.facts import SettingChanged
from apps.core.models import StoredSetting
from apps.core.types import ActorRef, Scope

KEEP_SECONDS = 2.0
MAX_KEPT = 5000
MOST_TOLD = 2000

Target = tuple[Level, UUID | None]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one level says. ``source``: where to change it."""

    level: Level
    value: Any
    source: str
    is_in_force: bool


_kept: OrderedDict[Target, tuple[float, dict[str, Any]]] = OrderedDict()
_lock = Lock()
_may_change: Callable[[ActorRef, Level, UUID | None], bool] | None = None


def register(setting: Setting) -> Setting:
    check(setting)
    return settings_door.register(setting.key, setting)


def ask_rights_of(may_change: Callable[[ActorRef, Level, UUID | None], bool]) -> None:
    """``accounts`` knows who may change what at which level; until it says so nobody may."""
    global _may_change  # noqa: PLW0603  (one a process, set while apps get ready)
    _may_change = may_change


def find_setting(key: str) -> Setting:
    setting = settings_door.get(key)
    if setting is None:
        raise NotFound(_("There is no setting of this name."))
    return setting


def _targets(organization: UUID | None, project: UUID | None, user: UUID | None) -> list[Target]:
    """Lowest level first."""
    named = ((Level.ORGANIZATION, organization), (Level.PROJECT, project), (Level.USER, user))
    return [(Level.PLATFORM, None), *((level, pk) for level, pk in named if pk)]


def get(key: str, *, organization: UUID | None = None, project: UUID | None = None, user: UUID | None = None) -> Any:
    """The value in force. Raises ``NotFound`` for a name that nobody registered."""
    setting = find_setting(key)
    targets = [target for target in _targets(organization, project, user) if target[0] in setting.levels]
    stored = _stored(targets)
    for target in reversed(targets):
        if key in stored[target]:
            try:
                return setting.checked(stored[target][key])
            except WrongValue:
                continue  # stored under an earlier declaration; the level below decides
    return _deployed(setting)


def get_fresh(
    key: str, *, organization: UUID | None = None, project: UUID | None = None, user: UUID | None = None
) -> Any:
    """As the rows say now, for what must not be two seconds late; costs a query."""
    targets = _targets(organization, project, user)
    with _lock:
        for target in targets:
            _kept.pop(target, None)
    return get(key, organization=organization, project=project, user=user)


def read_many(key: str, level: Level, target_ids: Iterable[UUID]) -> dict[UUID, Any]:
    """What is stored at one level for each of them, where something is. One query."""
    rows = StoredSetting.objects.filter(key=key, level=level.value, target_id__in=list(target_ids))
    return {target: value for target, value in rows.values_list("target_id", "value") if target is not None}


def _deployed(setting: Setting) -> Any:
    from_environment = setting.from_environment()
    if from_environment is not None:
        return from_environment
    return setting.profiles.get(deployment.PARLANCE_PROFILE, setting.default)


def _stored(targets: Iterable[Target]) -> dict[Target, dict[str, Any]]:
    now = time.monotonic()
    found: dict[Target, dict[str, Any]] = {}
    with _lock:
        for target in targets:
            kept = _kept.get(target)
            if kept and now - kept[0] < KEEP_SECONDS:
                found[target] = kept[1]
    missing = [target for target in targets if target not in found]
    if missing:
        rows: dict[Target, dict[str, Any]] = {target: {} for target in missing}
        wanted = Q()
        for level, pk in missing:
            wanted |= Q(level=level.value, target_id=pk)
        for stored_level, pk, key, value in StoredSetting.objects.filter(wanted).values_list(
            "level", "target_id", "key", "value"
        ):
            rows[Level(stored_level), pk][key] = value
        with _lock:
            for target, values in rows.items():
                _kept[target] = (now, values)
                _kept.move_to_end(target)
            while len(_kept) > MAX_KEPT:
                _kept.popitem(last=False)
        found |= rows
    return found


def forget_kept() -> None:
    """This process reads rows again. Others do within two seconds."""
    with _lock:
        _kept.clear()


def _require(actor: ActorRef, setting: Setting, level: Level, target_id: UUID | None) -> None:
    if level not in STORED or level not in setting.levels or (level is Level.PLATFORM) != (target_id is None):
        raise Invalid(fields=[FieldError("level", "invalid", _("This setting is not kept at that level."))])
    if actor.kind != "system" and not (_may_change and _may_change(actor, level, target_id)):
        raise Forbidden


@transaction.atomic
def change_setting(
    *, actor: ActorRef, key: str, level: Level, target_id: UUID | None, value: Any, organization_id: UUID | None = None
) -> None:
    """Store ``value`` at a level. ``organization_id`` is the tenant that the event belongs to."""
    setting = find_setting(key)
    _require(actor, setting, level, target_id)
    try:
        value = setting.checked(value)
    except WrongValue as error:
        raise Invalid(fields=[FieldError("value", "invalid", str(error))]) from None
    before = _kept_at(setting, level, target_id)
    StoredSetting.objects.update_or_create(
        key=key,
        level=level.value,
        target_id=target_id,
        defaults={"value": value, "changed_at": Now(), "changed_by_id": actor.user_id},
    )
    _announce(actor, setting, level, target_id, organization_id, old=before, new=_told(setting, value))


@transaction.atomic
def reset_setting(
    *, actor: ActorRef, key: str, level: Level, target_id: UUID | None, organization_id: UUID | None = None
) -> None:
    """Take the level's value away: the level below decides again."""
    setting = find_setting(key)
    _require(actor, setting, level, target_id)
    before = _kept_at(setting, level, target_id)
    gone, _by_model = StoredSetting.objects.filter(key=key, level=level.value, target_id=target_id).delete()
    if gone:
        _announce(actor, setting, level, target_id, organization_id, is_reset=True, old=before)


def _kept_at(setting: Setting, level: Level, target_id: UUID | None) -> str | None:
    rows = StoredSetting.objects.filter(key=setting.key, level=level.value, target_id=target_id)
    found = rows.values_list("value", flat=True).first()
    return None if found is None else _told(setting, found)


def _told(setting: Setting, value: Any) -> str | None:
    """For the log, which keeps everything for ever: numbers, switches and choices, and no free text."""
    if setting.kind is str and not setting.choices:
        return None
    return json.dumps(value, ensure_ascii=False)[:MOST_TOLD]


def _announce(
    actor: ActorRef,
    setting: Setting,
    level: Level,
    target_id: UUID | None,
    organization_id: UUID | None,
    *,
    is_reset: bool = False,
    old: str | None = None,
    new: str | None = None,
) -> None:
    fact = SettingChanged(key=setting.key, level=level.value, target_id=target_id, is_reset=is_reset, old=old, new=new)
    emit(
        fact,
        actor=actor,
        scope=Scope(topic=f"settings:{target_id or 'platform'}", organization_id=organization_id),
        subject=("setting", target_id),
    )
    transaction.on_commit(forget_kept)


def explain(
    key: str, *, organization: UUID | None = None, project: UUID | None = None, user: UUID | None = None
) -> list[Layer]:
    """Every level that says something, lowest first; exactly one is in force."""
    setting = find_setting(key)
    layers: list[tuple[Level, Any, str]] = [(Level.DEFAULT, setting.default, "the code")]
    if deployment.PARLANCE_PROFILE in setting.profiles:
        profile = deployment.PARLANCE_PROFILE
        layers.append((Level.PROFILE, setting.profiles[profile], f"PARLANCE_PROFILE={profile}"))
    if (from_environment := setting.from_environment()) is not None:
        layers.append((Level.ENVIRONMENT, from_environment, setting.environment))
    targets = [target for target in _targets(organization, project, user) if target[0] in setting.levels]
    stored = _stored(targets)
    for level, pk in targets:
        if key in stored[level, pk]:
            layers.append((level, stored[level, pk][key], f"stored for {pk}" if pk else "stored for the platform"))
    valid = [position for position, (_level, value, _source) in enumerate(layers) if _fits(setting, value)]
    return [
        Layer(level, value, source, position == valid[-1]) for position, (level, value, source) in enumerate(layers)
    ]


def _fits(setting: Setting, value: Any) -> bool:
    try:
        setting.checked(value)
    except WrongValue:
        return False
    return True
