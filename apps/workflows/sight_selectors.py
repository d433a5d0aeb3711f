"""Reads of who sees which run, beside ``selectors.visible_to``: whom a run may ask, and what it hears from others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from apps.accounts import selectors as accounts
from apps.accounts.selectors import ProjectPerson
from apps.accounts.types import Actor, ProjectRole
from apps.conversations import selectors as conversations
from apps.extraction import reader_selectors as readers
from apps.workflows import policies
from apps.workflows.models import Run
from apps.workflows.types import TOLD_BY


def list_people_of_run(viewer: Actor, run: Run) -> list[ProjectPerson]:
    """Who sees the run, by name, with the role in its project."""
    people = accounts.list_people_of_project(accounts.get_project(run.project_id, viewer), viewer)
    named = readers.list_named_for(run.collections)
    beside = conversations.list_people_beside(run.conversation_id)
    return [
        person
        for person in people
        if (beside is None or person.id in beside)
        and (named is None or person.id in named or person.role == ProjectRole.MANAGER)
    ]


def people_with(viewer: Actor, run: Run, least: str) -> list[UUID]:
    """Who has this role in the run's project and sees the run, by name."""
    return [person.id for person in list_people_of_run(viewer, run) if policies.has_role(person.role, least)]


def list_collections_of(events: Iterable[Mapping[str, Any]]) -> set[UUID]:
    """Of which collections the runs that told these events hold words."""
    told = {UUID(each[TOLD_BY]) for each in events if TOLD_BY in each}
    rows = Run.objects.filter(pk__in=told).values_list("collections", flat=True) if told else ()
    return {pk for collections in rows for pk in collections}
