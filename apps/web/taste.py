"""How a person wants the page: theme, keys, announcements. Kept as settings of that person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import Actor
from apps.core import preferences
from apps.core.doors.settings import Level, Setting

LEVELS = (Level.PLATFORM, Level.ORGANIZATION, Level.USER)
SETTINGS = (
    Setting(
        "web.theme", str, "auto", _("Light, dark, or as the system"), choices=("auto", "light", "dark"), levels=LEVELS
    ),
    Setting("web.send_key", str, "enter", _("The key that sends"), choices=("enter", "mod-enter"), levels=LEVELS),
    Setting("web.single_keys", bool, True, _("Single letters work on a focused message"), levels=LEVELS),
    Setting("web.announce", bool, True, _("Screen readers are told what is being written"), levels=LEVELS),
)


@dataclass(frozen=True, slots=True)
class Taste:
    """``theme``: auto, light or dark. ``send_key``: enter or mod-enter."""

    theme: str
    send_key: str
    single_keys: bool
    announce: bool


def read_taste(*, user_id: UUID, organization_id: UUID | None = None) -> Taste:
    def value(name: str) -> Any:
        return preferences.get(f"web.{name}", organization=organization_id, user=user_id)

    return Taste(value("theme"), value("send_key"), value("single_keys"), value("announce"))


@transaction.atomic
def change_taste(*, actor: Actor, **wanted: Any) -> None:
    """``theme``, ``send_key``, ``single_keys``, ``announce``. Raises ``Invalid`` for what a setting does not take."""
    for name, value in wanted.items():
        preferences.change_setting(
            actor=actor, key=f"web.{name}", level=Level.USER, target_id=actor.user_id, value=value
        )
