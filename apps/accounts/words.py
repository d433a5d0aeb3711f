"""Devices and reasons in words, for pages and mails, and the language of whoever has no account yet."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.accounts.types import RiskSignal

BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari", "curl": "curl"}
SYSTEMS = ("Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux")


def language_asked() -> str:
    """Of those that we speak: the one of the request."""
    current = (get_language() or "en").split("-")[0]
    return current if current in dict(settings.LANGUAGES) else "en"


def device_words(user_agent: str) -> str:
    """``Firefox · Linux``; the first word of what a program calls itself."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), "")
    system = next((name for name in SYSTEMS if name in user_agent), "")
    known = " · ".join(filter(None, [browser, system]))
    return known or user_agent.partition(" ")[0][:40] or _("Unknown device")


def is_handheld(user_agent: str) -> bool:
    return any(name in user_agent for name in ("Android", "iPhone", "iPad"))


def reason_words(signal: str, facts: dict[str, Any] | None = None) -> str:
    """What a signal saw. Without facts, or with facts of an earlier version, its name alone."""
    known = dict(facts or {})
    try:
        match signal:
            case RiskSignal.NEW_NETWORK if known:
                return _("New network (%(network)s)") % known
            case RiskSignal.IMPOSSIBLE_TRAVEL if known:
                return _("%(kilometres)s km from the last sign-in, %(minutes)s minutes later") % known
            case RiskSignal.VELOCITY if known:
                return _("%(failures)s wrong attempts at this account within an hour") % known
            case RiskSignal.PASSWORD_SPRAY if known:
                return _("The address tried %(accounts)s other accounts within an hour") % known
            case RiskSignal.KNOWN_BAD if known:
                return _("A network that is known for attacks (%(network)s)") % known
    except KeyError:
        pass
    return str(RiskSignal(signal).label)
