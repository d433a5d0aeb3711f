"""Home, search and the parts of the shell that load by themselves."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import push_url
from django_htmx.middleware import HtmxDetails

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.accounts.policies import can_post_in_project
from apps.accounts.sign_in_selectors import find_waived_attempt
from apps.agents.answerers import chosen_answerer, list_answerers
from apps.conversations import selectors as conversations
from apps.conversations.types import ListFilter
from apps.core.doors.search_sources import SearchQuery
from apps.core.errors import NotFound
from apps.packs import selectors as packs
from apps.web.context import menu_lines, viewer_card
from apps.web.finding import START, find, read_cursor
from apps.web.first_steps import ProjectFacts, greeting, light_of, list_steps
from apps.web.talks import group_talks
from apps.web.taste import change_taste

HITS = 20
PALETTE_HITS = 6


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if not places.is_chosen(request):
        ids = [project.pk for project in places.list_projects(request)]
        if last := conversations.find_last_project(viewer=request.actor, project_ids=ids):
            places.stay_in(request, last)
    project = places.find_project(request)
    if project is None:
        return render(request, "web/no_project.html")
    viewer = viewer_card(request)
    answerers = list_answerers(request.actor, project)
    light = light_of(answerers)
    can_write = can_post_in_project(request.actor, accounts.role_in(request.actor, project))
    facts = ProjectFacts(
        has_model=light.kind != "demo",
        has_conversations=conversations.list_conversations(viewer=request.actor, only=ListFilter(project.pk)).exists(),
        people=len(accounts.list_people_of_project(project, request.actor)),
        connect_url=_address("llm:settings_providers") if viewer.can_manage_providers else "",
        invite_url=_address("accounts:settings_people") if viewer.can_invite else "",
        samples=packs.list_samples(request.actor, project_id=project.pk),
    )
    return render(
        request,
        "web/home.html",
        {
            "greeting": greeting(viewer.first_name),
            "steps": [step for step in list_steps(facts) if can_write or step.url],
            "light": light,
            "answerers": answerers,
            "answerer": chosen_answerer(answerers),
            "can_write": can_write,
            "unusual": find_waived_attempt(request.actor),
        },
    )


@login_required
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """One box over everything that ``core.doors.search_sources`` knows; with filters alone, the newest they leave."""
    query = _query(request)
    is_asked = bool(query.text) or query.has_filters
    found = find(request.actor, query, read_cursor(request.GET.get("cursor")) or START) if is_asked else None
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    response = render(
        request,
        "web/_results.html" if htmx else "web/search.html",
        {
            "query": query,
            "has_filters": query.has_filters,
            "is_asked": is_asked,
            "hits": found.hits if found else [],
            "next_url": _next(request, found.next) if found and found.next else "",
            "projects": places.list_projects(request),
            "people": [] if htmx else accounts.list_people_of_projects(request.actor),
        },
    )
    # Words are asked for as they are typed and again when they are sent: the same twice is one step back, not two.
    return push_url(response, False) if htmx.current_url_abs_path == request.get_full_path() else response


@login_required
@require_safe
def palette(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").strip()[:200]
    wanted = words.casefold()
    hits = find(request.actor, SearchQuery(text=words, limit=PALETTE_HITS)).hits if len(words) > 1 else []
    lines = [*menu_lines(request, "main"), *(menu_lines(request, "settings") if wanted else [])]
    return render(
        request,
        "web/_palette.html",
        {
            "hits": hits,
            "places": [line for line in lines if wanted in f"{line.group} {line.label}".casefold()],
            "deeds": [deed for deed in _deeds() if wanted in deed["label"].casefold()],
        },
    )


@login_required
@require_safe
def sidebar(request: HttpRequest) -> HttpResponse:
    talks = group_talks(request.actor, places.find_project(request))
    return render(
        request,
        "conversations/_talks.html",
        {"talks": talks, "current_conversation": _uuid(request.GET.get("current"))},
    )


@login_required
@require_safe
def settings_index(request: HttpRequest) -> HttpResponse:
    """The first page of the settings that this person may see."""
    lines = menu_lines(request, "settings")
    return redirect(lines[0].url if lines else "web:home")


@login_required
@require_POST
def switch_project(request: HttpRequest) -> HttpResponse:
    if (chosen := _uuid(request.POST.get("project"))) is None:
        raise NotFound
    places.choose_project(request, chosen)
    return redirect("web:home")


@login_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Chosen in the palette; the page has it on already."""
    change_taste(actor=request.actor, theme=request.GET.get("theme", ""))
    return HttpResponse(status=204)


def _query(request: HttpRequest) -> SearchQuery:
    """Filters that cannot be read are left out: a search page never refuses."""
    given = request.GET
    return SearchQuery(
        text=given.get("q", "").replace("\x00", "").strip()[:300],
        limit=HITS,
        project_id=_uuid(given.get("project")),
        author_id=_uuid(given.get("author")),
        model=given.get("model", "").strip()[:200],
        tag=given.get("tag", "").strip()[:40],
        since=_moment(given.get("since"), time.min),
        until=_moment(given.get("until"), time.max),
        min_cost=_cost(given.get("min_cost")),
    )


def _next(request: HttpRequest, cursor: str) -> str:
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"{reverse('web:search')}?{query.urlencode()}"


@never_cache
@login_required
@require_safe
def token(request: HttpRequest) -> JsonResponse:
    """Who is signed in by now, and what their writes must carry: for a page that is older than the sign-in."""
    return JsonResponse({"user": str(request.actor.user_id), "token": get_token(request)})


def _deeds() -> list[dict[str, Any]]:
    return [
        {"label": _("New conversation"), "icon": "square-pen", "url": reverse("web:home"), "shortcut": "Alt N"},
        {"label": _("Use the dark theme"), "icon": "moon", "command": "theme-dark"},
        {"label": _("Use the light theme"), "icon": "sun", "command": "theme-light"},
        {"label": _("Use the theme of the system"), "icon": "sun-moon", "command": "theme-auto"},
        {"label": _("List of keys"), "icon": "keyboard", "command": "keys", "shortcut": "?"},
        {"label": _("Sign out"), "icon": "log-out", "url": reverse("account_logout")},
    ]


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _moment(text: str | None, at: time) -> datetime | None:
    try:
        day = parse_date(text) if text else None
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day, at)) if day else None


def _cost(text: str | None) -> float | None:
    try:
        value = Decimal((text or "").replace(",", "."))
    except InvalidOperation:
        return None
    return float(value) if value.is_finite() and value >= 0 else None
