"""The stage map beside a conversation: the runs that belong to it, and a place to begin one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.doors.context_tabs import ContextTab, context_tabs
from apps.workflows import gates, policies, selectors
from apps.workflows.pages.shown import shown_run
from apps.workflows.types import FINAL

#: Drawn with their stages; of the others only the names.
MOST_DRAWN = 3
MOST_NAMED = 20


def is_shown(viewer: Any, role: Any) -> bool:
    """To whoever sees the project; who was let into one conversation sees nothing of what it belongs to."""
    return role is not None and policies.has_read_scope(viewer)


def read(viewer: Any, conversation_id: UUID, project_id: UUID) -> dict[str, Any]:
    """The newest runs that are under way with their stages, or the newest of all where none is."""
    actor: Actor = viewer
    role = accounts.project_role(actor, project_id)
    rows = selectors.list_runs(actor, project_id=project_id, conversation_id=conversation_id).filter(parent=None)
    found = list(rows.order_by("-created_at")[:MOST_NAMED])
    drawn = [run for run in found if run.status not in FINAL][:MOST_DRAWN] or found[:1]
    can_run = policies.can_run(actor, role)
    startable = list(selectors.list_startable(actor, project_id=project_id)[:100])
    glance = gates.Glance()
    return {
        "shown": [shown_run(run, actor, role, glance=glance) for run in drawn],
        "others": [run for run in found if run not in drawn],
        "can_run": can_run,
        "has_startable": bool(startable),
        "startable": [each for each in startable if not each.wants_input],
        "with_form": [each for each in startable if each.wants_input],
        "topics": " ".join(f"run:{run.pk}" for run in drawn),
    }


def register() -> None:
    context_tabs.register(
        "workflow", ContextTab("workflow", _("Workflow"), "workflows/panel.html", is_shown, read, order=20)
    )
