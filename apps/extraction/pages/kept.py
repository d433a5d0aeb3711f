"""Views of a collection as its page keeps, changes and deletes them."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.errors import DomainError, NotFound
from apps.extraction import services, use_selectors
from apps.extraction.pages import asking
from apps.extraction.pages.tables import CollectionView


class ViewsPage(CollectionView):
    """``state`` is the address of the table as it is looked at."""

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        asked = asking.asked_in(QueryDict(request.POST.get("state", "").removeprefix("?")[:4000]))
        where = reverse("extraction:table", args=[collection.pk])
        try:
            view = services.keep_view(
                actor=request.actor,  # type: ignore[attr-defined]
                collection_id=collection.pk,
                name=request.POST.get("name", ""),
                state=asked.as_json(),
                is_shared=request.POST.get("is_shared") == "yes",
            )
        except DomainError as error:
            messages.error(request, next((each.detail for each in error.fields), error.detail))
            return redirect(where + asked.url())
        return redirect(f"{where}?view={view.pk}")


class ViewPage(CollectionView):
    def post(self, request: HttpRequest, collection_id: UUID, view_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        actor = request.actor  # type: ignore[attr-defined]
        if use_selectors.get_view(view_id=view_id, viewer=actor).collection_id != collection.pk:
            raise NotFound
        where = reverse("extraction:table", args=[collection.pk])
        match request.POST.get("act"):
            case "delete":
                services.delete_view(actor=actor, view_id=view_id)
                messages.success(request, _("View deleted. The records stay."))
                return redirect(where)
            case "share" | "unshare" as act:
                services.change_view(actor=actor, view_id=view_id, changes={"is_shared": act == "share"})
            case "state":
                asked = asking.asked_in(QueryDict(request.POST.get("state", "").removeprefix("?")[:4000]))
                services.change_view(actor=actor, view_id=view_id, changes={"state": asked.as_json()})
            case _:
                raise NotFound
        return redirect(f"{where}?view={view_id}")
