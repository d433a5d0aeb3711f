"""Where one is signed in, and from which devices: each can be ended or forgotten, after a fresh proof."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Case, F, When
from django.forms import BaseForm
from django.utils.translation import gettext as _

from apps.accounts import geography, policies, selectors, sign_in_selectors
from apps.accounts.models import UserSession
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import devices, sessions
from apps.accounts.types import SessionKind, SignInMethod
from apps.accounts.words import device_words, is_handheld


@dataclass(frozen=True, slots=True)
class SessionLine:
    id: UUID
    icon: str
    label: str
    where: str
    method: str
    level: str
    began_at: datetime
    last_seen_at: datetime | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class DeviceLine:
    id: UUID
    icon: str
    label: str
    last_seen_at: datetime | None
    sessions: int
    is_current: bool


class SessionsView(SettingsView):
    template_name = "settings/sessions.html"
    handlers = {"end_session": "end", "end_others": "end_others", "forget": "forget"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        policies.require(policies.can_change_own_account(self.actor))
        own = selectors.list_own_sessions(self.actor)
        here = Case(When(pk=self.actor.session_id, then=0), default=1)
        rows = self.part_of(
            own.select_related("device", "identity_provider").order_by(here, F("last_seen_at").desc(), "pk")
        )
        device_of = dict(own.order_by().values_list("pk", "device"))
        device_here, on_device = device_of.get(self.actor.session_id), Counter(device_of.values())
        known = sign_in_selectors.list_own_devices(self.actor).order_by("-last_seen_at", "pk")
        known_part = self.part_of(known, "devices")
        keys = selectors.visible_api_keys(self.actor).filter(user=self.actor.user_id, revoked_at=None)
        return {
            "part": rows,
            "sessions": [session_line(row, is_current=row.pk == self.actor.session_id) for row in rows],
            "devices_part": known_part,
            "devices": [
                DeviceLine(
                    row.pk,
                    icon_of(row.user_agent),
                    device_words(row.user_agent),
                    row.last_seen_at,
                    on_device[row.pk],
                    row.pk == device_here,
                )
                for row in known_part
            ],
            "keys": keys.count(),
        }

    def end(self) -> None:
        sessions.end_session(actor=self.actor, session_id=identifier(self.request.POST.get("session")))
        messages.success(self.request, _("That session has ended."))

    def end_others(self) -> None:
        sessions.end_other_sessions(actor=self.actor)
        messages.success(self.request, _("You are signed out everywhere else."))

    def forget(self) -> None:
        devices.forget_device(actor=self.actor, device_id=identifier(self.request.POST.get("device")))
        messages.success(self.request, _("Forgotten. The next sign-in from there counts as a new device."))


def session_line(session: UserSession, *, is_current: bool) -> SessionLine:
    return SessionLine(
        id=session.pk,
        icon="server" if session.kind == SessionKind.TOKEN else icon_of(session.user_agent),
        label=device_words(session.user_agent),
        where=" · ".join(filter(None, [session.address, geography.find_place(session.address).country])),
        method=_method_of(session),
        level=_("two proofs") if session.auth_level > 1 else _("one proof"),
        began_at=session.created_at,
        last_seen_at=session.last_seen_at,
        is_current=is_current,
    )


def _method_of(session: UserSession) -> str:
    """``Single sign-on (Sand)``; what a program's session began with is said too."""
    named = session.identity_provider.name if session.identity_provider else ""
    method = SignInMethod(session.method).label
    words = f"{method} ({named})" if named else str(method)
    return f"{SessionKind.TOKEN.label} · {words}" if session.kind == SessionKind.TOKEN else words


def icon_of(user_agent: str) -> str:
    return "smartphone" if is_handheld(user_agent) else "monitor"
