"""Who sees a collection: everyone in its project, or who is named. For whoever manages the project."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apps.accounts.policies import require
from apps.accounts.types import ProjectRole
from apps.core.errors import DomainError, NotFound
from apps.extraction import reader_selectors, services
from apps.extraction.models import Collection
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import as_uuid


class AccessPage(CollectionView):
    def found(self, request: HttpRequest, collection_id: UUID) -> Collection:
        collection = super().found(request, collection_id)
        require(self.can_define)
        return collection

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        return render(request, "extraction/access.html", self.base(collection) | self.named(request, collection))

    def named(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """``people_for`` and ``teams_for`` may be named yet; managers see it anyway."""
        viewer = request.actor  # type: ignore[attr-defined]
        readers: list[dict[str, Any]] = [
            {"row": row, "name": row.user.display_name if row.user else row.team.name if row.team else ""}
            for row in reader_selectors.list_readers(collection)
        ]
        people = reader_selectors.list_people_for(collection, viewer)
        there = {each["row"].user_id or each["row"].team_id for each in readers}
        roles = {each.id for each in people}
        for each in readers:
            each["is_without_role"] = each["row"].user_id is not None and each["row"].user_id not in roles
        return {
            "readers": sorted(readers, key=lambda each: (each["row"].team_id is None, each["name"].casefold())),
            "managers": [each for each in people if each.role == ProjectRole.MANAGER],
            "people_for": [each for each in people if each.id not in there and each.role != ProjectRole.MANAGER],
            "teams_for": [
                (pk, name) for pk, name in reader_selectors.list_teams_for(collection, viewer) if pk not in there
            ],
        }

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        try:
            self.change(request, collection)
        except DomainError as error:
            if error.status not in {400, 429}:
                raise
            messages.error(request, next((each.detail for each in error.fields), error.detail))
        return redirect("extraction:access", collection.pk)

    def change(self, request: HttpRequest, collection: Collection) -> None:
        actor = request.actor  # type: ignore[attr-defined]
        match request.POST.get("act"):
            case "see":
                changes = {"visibility": "named" if request.POST.get("visibility") == "named" else "project"}
                services.change_collection(actor=actor, collection_id=collection.pk, changes=changes)
                messages.success(request, _("Saved."))
            case "name":
                kind, _colon, raw = request.POST.get("who", "").partition(":")
                if (who := as_uuid(raw)) is None or kind not in {"user", "team"}:
                    raise NotFound
                chosen = {"user_id": who} if kind == "user" else {"team_id": who}
                services.name_reader(actor=actor, collection_id=collection.pk, **chosen)
            case "remove":
                if (reader_id := as_uuid(request.POST.get("reader"))) is None:
                    raise NotFound
                services.remove_reader(actor=actor, collection_id=collection.pk, reader_id=reader_id)
            case _:
                raise NotFound
