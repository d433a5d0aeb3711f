"""What every page of the shell needs. All of it is lazy: a page without a sidebar asks the database nothing."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy

from apps.accounts import places, policies
from apps.accounts import selectors as accounts
from apps.accounts.services import people
from apps.core.doors.menu import Group, MenuEntry, menu
from apps.core.mail import is_delivered
from apps.web.strings import strings
from apps.web.talks import group_talks
from apps.web.taste import read_taste

ZERO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ViewerCard:
    """The person at the page, with what pages ask about them."""

    id: UUID
    name: str
    email: str
    is_operator: bool
    theme: str
    send_key: str
    single_keys: bool
    announce: bool
    time_zone: str
    can_manage_providers: bool
    can_invite: bool

    @property
    def seal_key(self) -> str:
        """With which the browser seals what is unsent there when this person signs out."""
        return base64.b64encode(salted_hmac("parlance.browser", str(self.id), algorithm="sha256").digest()).decode()

    @property
    def first_name(self) -> str:
        return self.name.split()[0]


@dataclass(frozen=True, slots=True)
class MenuLine:
    label: str
    url: str
    icon: str
    is_current: bool
    group: str = ""


#: Headings of the settings, in their order.
GROUPS: dict[Group, str | Promise] = {
    "you": gettext_lazy("You"),
    "organization": gettext_lazy("Organization"),
    "projects": gettext_lazy("Projects"),
    "operations": gettext_lazy("Models and limits"),
}


def shell(request: HttpRequest) -> dict[str, Any]:
    # Who still has to set up a second factor is known by name and is nobody's actor.
    somebody = hasattr(request, "user") and request.user.is_authenticated and request.actor.is_somebody  # type: ignore[attr-defined]
    always = {
        "notices": SimpleLazyObject(lambda: list(get_messages(request))),
        "zero_id": ZERO_ID,
        "is_mail_delivered": is_delivered,
    }
    if not somebody:
        return {
            **always,
            "theme": "",
            "is_unclaimed": SimpleLazyObject(lambda: not people.is_claimed()),
            "is_sign_up_open": SimpleLazyObject(people.is_sign_up_open),
        }
    sections = cache(lambda: settings_groups(request))
    return {
        **always,
        "viewer": SimpleLazyObject(lambda: viewer_card(request)),
        "theme": SimpleLazyObject(lambda: _explicit(viewer_card(request).theme)),
        "time_zone": SimpleLazyObject(lambda: getattr(request.user, "time_zone", "")),
        "project": SimpleLazyObject(lambda: places.find_project(request)),
        "organization": SimpleLazyObject(lambda: places.find_organization(request)),
        "places": SimpleLazyObject(lambda: places.list_places(request)),
        "menu": SimpleLazyObject(lambda: menu_lines(request, "main")),
        "settings_menu": SimpleLazyObject(sections),
        "settings_section": SimpleLazyObject(lambda: current_section(sections())),
        "talks": SimpleLazyObject(lambda: group_talks(request.actor, places.find_project(request))),  # type: ignore[attr-defined]
        "talks_url": reverse("web:sidebar"),
        "strings": strings,
    }


def viewer_card(request: HttpRequest) -> ViewerCard:
    if not hasattr(request, "_viewer_card"):
        user = accounts.get_user(request.actor.user_id)  # type: ignore[attr-defined]
        organization = places.find_organization(request)
        role = accounts.role_of(request.actor, organization) if organization else None  # type: ignore[attr-defined]
        taste = read_taste(user_id=user.pk, organization_id=organization.pk if organization else None)
        request._viewer_card = ViewerCard(  # type: ignore[attr-defined]  # noqa: SLF001
            id=user.pk,
            name=user.display_name,
            email=user.email,
            is_operator=user.is_staff,
            theme=taste.theme,
            send_key=taste.send_key,
            single_keys=taste.single_keys,
            announce=taste.announce,
            time_zone=user.time_zone,
            can_manage_providers=policies.can_manage_providers(request.actor, role),  # type: ignore[attr-defined]
            can_invite=policies.can_manage_members(request.actor, role),  # type: ignore[attr-defined]
        )
    return request._viewer_card  # type: ignore[attr-defined]  # noqa: SLF001


def settings_groups(request: HttpRequest) -> list[tuple[str, list[MenuLine]]]:
    """(heading, entries), those without entries left out."""
    return [(group, list(lines)) for group, lines in groupby(menu_lines(request, "settings"), lambda line: line.group)]


def current_section(groups: list[tuple[str, list[MenuLine]]]) -> str:
    """The name of the page of the settings that this is, or is a part of."""
    return next((line.label for _heading, lines in groups for line in lines if line.is_current), "")


def menu_lines(request: HttpRequest, place: str) -> list[MenuLine]:
    groups = list(GROUPS)
    shown = [
        entry
        for entry in menu
        if entry.place == place and (entry.is_shown is None or entry.is_shown(request.actor))  # type: ignore[attr-defined]
    ]
    if place == "settings":
        shown.sort(key=lambda entry: (groups.index(entry.group), entry.order, str(entry.label)))
    else:
        shown.sort(key=lambda entry: (entry.order, str(entry.label)))
    return [_line(request, entry) for entry in shown]


def _line(request: HttpRequest, entry: MenuEntry) -> MenuLine:
    url = reverse(entry.url_name)
    is_current = request.path == url or request.path.startswith(
        tuple(path for path in (url, *entry.also) if path != "/")
    )
    group = str(GROUPS[entry.group]) if entry.place == "settings" else ""
    return MenuLine(label=str(entry.label), url=url, icon=entry.icon, is_current=is_current, group=group)


def _explicit(theme: str) -> str:
    return theme if theme in {"light", "dark"} else ""
