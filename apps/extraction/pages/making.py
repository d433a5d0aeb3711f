"""Pages that begin operations in which a model works on a collection."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.agents import selectors as agents
from apps.extraction import selectors
from apps.extraction.made_types import MAX_BRIEF, MAX_MADE
from apps.extraction.models import Collection
from apps.extraction.pages.beginning import OperationForm, OverRecords
from apps.llm import selectors as llm

USUAL_COUNT = 10


def models_of(collection: Collection) -> list[tuple[str, str]]:
    rows = list(llm.list_enabled_models(organization_id=collection.organization_id).order_by("provider__name", "name"))
    standard = llm.best_of(rows) if rows else None
    chosen = llm.find_default_model(organization_id=collection.organization_id) or standard
    rows.sort(key=lambda row: chosen is None or row.pk != chosen.pk)
    return [(str(row.pk), f"{row.provider.name} / {row}") for row in rows]


class MakePage(OperationForm):
    kind = "records.create"
    beside = ("brief", "count", "model", "review")
    template = "extraction/make.html"

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        count = request.POST.get("count", "").strip()
        return {
            "collection": str(collection.pk),
            "brief": request.POST.get("brief", ""),
            "count": int(count) if count.isdecimal() and len(count) < 10 else 0,  # noqa: PLR2004
            "model": request.POST.get("model", ""),
            "review": bool(request.POST.get("review")),
        }

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        said = request.POST.get("review") if request.method == "POST" else collection.asks_first
        return {
            "models": models_of(collection),
            "is_reviewed": bool(said),
            "most": MAX_MADE,
            "most_characters": MAX_BRIEF,
            "usual": USUAL_COUNT,
            "example": _("for a noir set in Lisbon"),
        }


class PromptPage(OverRecords):
    kind = "records.prompt"
    template = "extraction/prompt.html"
    beside = ("prompt", "into", "model")

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        agent, model = request.POST.get("agent", ""), request.POST.get("model", "")
        return {
            **self.selection(request, collection),
            "prompt": request.POST.get("prompt", ""),
            "into": request.POST.get("into", ""),
            "agent": agent,
            "model": model,
            "only_empty": bool(request.POST.get("only_empty")),
        }

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        viewer = request.actor  # type: ignore[attr-defined]
        known = selectors.schema_of(collection)
        return {
            **self.which(request, collection),
            "models": models_of(collection),
            "fields": [{"place": f"{{{each.name}}}"} for each in known.top],
            "targets": [each for each in known.top if each.relation is None],
            "agents": agents.list_agents(viewer, project_id=collection.project_id).order_by("name"),
            "most_characters": MAX_BRIEF,
            "example": _("What could {name} be hiding? One sentence."),
        }
