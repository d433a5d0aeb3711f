"""The tabs of the panel beside a conversation: its own two, and those that other apps bring."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.core.doors.context_tabs import ContextTab, context_tabs
from apps.core.errors import NotFound

OWN = {"people": 80, "details": 90}


def shown_tabs(viewer: Actor, role: Any) -> list[dict[str, Any]]:
    """From the left to the right."""
    labels = {"people": _("People"), "details": _("Details")}
    found = [(order, {"name": name, "label": labels[name]}) for name, order in OWN.items()]
    found += [
        (each.order, {"name": each.name, "label": each.label}) for each in context_tabs if each.is_shown(viewer, role)
    ]
    return [tab for _order, tab in sorted(found, key=lambda pair: pair[0])]


def get_tab(name: str, viewer: Actor, role: Any) -> ContextTab:
    found = context_tabs.get(name)
    if found is None or not found.is_shown(viewer, role):
        raise NotFound
    return found
