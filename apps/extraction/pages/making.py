"""Pages that begin operations in which a model works on a collection. They plan only: what it costs is seen before anything runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.accounts.policies import require
from apps.agents import selectors as agents
from apps.bulk import services as operations
from apps.core.errors import DomainError
from apps.extraction import selectors
from apps.extraction.made_types import MAX_BRIEF, MAX_MADE
from apps.extraction.models import Collection
from apps.extraction.pages.asking import asked_in, chips_of
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import as_uuid, columns_of
from apps.llm import selectors as llm

USUAL_COUNT = 10


def models_of(collection: Collection) -> list[tuple[str, str]]:
    rows = list(llm.list_enabled_models(organization_id=collection.organization_id).order_by("provider__name", "name"))
    standard = llm.best_of(rows) if rows else None
    chosen = llm.find_default_model(organization_id=collection.organization_id) or standard
    rows.sort(key=lambda row: chosen is None or row.pk != chosen.pk)
    return [(str(row.pk), f"{row.provider.name} / {row}") for row in rows]


class OperationForm(CollectionView, ABC):
    """What is typed becomes the parameters of an operation; what its kind refuses stands beside the field."""

    kind = ""
    template = ""

    @abstractmethod
    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """The parameters that were typed."""

    @abstractmethod
    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """What the template gets beside them."""

    def found(self, request: HttpRequest, collection_id: UUID) -> Collection:
        collection = super().found(request, collection_id)
        require(self.can_write)
        return collection

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        return self.page(request, self.found(request, collection_id))

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        try:
            operation = operations.create_operation(
                actor=request.actor,  # type: ignore[attr-defined]
                project_id=collection.project_id,
                kind=self.kind,
                params={"collection": str(collection.pk)} | self.read(request, collection),
            )
        except DomainError as error:
            return self.page(request, collection, error)
        return redirect("bulk:page", operation.pk)

    def page(self, request: HttpRequest, collection: Collection, error: DomainError | None = None) -> HttpResponse:
        wrong = {each.field.removeprefix("params."): each.detail for each in error.fields} if error else {}
        context = {
            "models": models_of(collection),
            "given": request.POST,
            "wrong": wrong,
            "problem": error.detail if error and not wrong else "",
        }
        shown = self.base(collection) | self.shown(request, collection) | context
        return render(request, self.template, shown, status=error.status if error else 200)


class MakePage(OperationForm):
    kind = "records.create"
    template = "extraction/make.html"

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        count = request.POST.get("count", "").strip()
        return {
            "brief": request.POST.get("brief", ""),
            "count": int(count) if count.isdecimal() and len(count) < 10 else 0,  # noqa: PLR2004
            "model": request.POST.get("model", ""),
            "review": bool(request.POST.get("review")),
        }

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        said = request.POST.get("review") if request.method == "POST" else collection.asks_first
        return {
            "is_reviewed": bool(said),
            "most": MAX_MADE,
            "most_characters": MAX_BRIEF,
            "usual": USUAL_COUNT,
            "example": _("for a noir set in Lisbon"),
        }


_LOOKS = ("sort", "columns", "look", "view")


class PromptPage(OperationForm):
    """Over what the table shows, or the rows that were chosen in it."""

    kind = "records.prompt"
    template = "extraction/prompt.html"

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        if request.POST.get("act") == "choose":
            return self.page(request, self.found(request, collection_id))
        return super().post(request, collection_id)

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        asked, ids = asked_in(request.POST), self.ids(request)
        agent, model = request.POST.get("agent", ""), request.POST.get("model", "")
        return {
            **({"ids": ids} if ids else asked.as_selection()),
            "prompt": request.POST.get("prompt", ""),
            "into": request.POST.get("into", ""),
            "agent": agent,
            "model": model,
            "only_empty": bool(request.POST.get("only_empty")),
        }

    def ids(self, request: HttpRequest) -> list[str]:
        return [str(found) for found in map(as_uuid, request.POST.getlist("record")) if found]

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        viewer = request.actor  # type: ignore[attr-defined]
        known = selectors.schema_of(collection)
        asked = asked_in(request.POST or request.GET)
        return {
            "ids": self.ids(request),
            "asked": asked.hidden(without=_LOOKS),
            "text": asked.text,
            "chips": chips_of(asked, columns_of(known)),
            "fields": [{"place": f"{{{each.name}}}"} for each in known.top],
            "targets": [each for each in known.top if each.relation is None],
            "agents": agents.list_agents(viewer, project_id=collection.project_id).order_by("name"),
            "most_characters": MAX_BRIEF,
            "example": _("What could {name} be hiding? One sentence."),
        }
