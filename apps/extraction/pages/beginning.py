"""Forms that begin operations over a collection. Most plan only: what would become of it, and what it costs, is seen before anything runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from apps.accounts.policies import require
from apps.bulk import services as operations
from apps.bulk.pages.limits import LimitsForm, limits_in
from apps.core.errors import DomainError
from apps.extraction import selectors
from apps.extraction.models import Collection
from apps.extraction.pages.asking import asked_in, chips_of
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import columns_of

_LOOKS = ("sort", "columns", "look", "view")
#: Rows that stand in an address: those of a page of the table and some, in less than the 8 kB that servers take.
_MOST_IN_ADDRESS = 100


class OperationForm(CollectionView, ABC):
    """What is typed becomes the parameters of an operation. What its kind refuses of the fields ``beside`` which an error stands is told
    there, all else above the form.
    """

    kind = ""
    template = ""
    beside: Sequence[str] = ()

    @abstractmethod
    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """The parameters that were typed. May raise ``DomainError``."""

    @abstractmethod
    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """What the template gets beside them."""

    def how(self, request: HttpRequest) -> dict[str, Any]:
        """How it begins, where that is not by a plan that somebody starts."""
        return {}

    def found(self, request: HttpRequest, collection_id: UUID) -> Collection:
        collection = super().found(request, collection_id)
        require(self.can_write)
        return collection

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        return self.page(request, self.found(request, collection_id), limits_in())

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection, limits = self.found(request, collection_id), limits_in(request.POST)
        try:
            params = self.read(request, collection)  # files that it brings are in, whatever else is refused
            if not limits.is_valid():
                return self.page(request, collection, limits, status=400)
            operation = operations.create_operation(
                actor=request.actor,  # type: ignore[attr-defined]
                project_id=collection.project_id,
                kind=self.kind,
                params=params,
                **limits.changes,
                **self.how(request),
            )
        except DomainError as error:
            return self.page(request, collection, limits, error, status=error.status)
        return redirect("bulk:page", operation.pk)

    def page(
        self,
        request: HttpRequest,
        collection: Collection,
        limits: LimitsForm,
        error: DomainError | None = None,
        status: int = 200,
    ) -> HttpResponse:
        wrong = {each.field.removeprefix("params."): each.detail for each in error.fields} if error else {}
        above = [detail for name, detail in wrong.items() if name not in self.beside]
        context = {
            "given": request.POST,
            "limits": limits,
            "wrong": wrong,
            "problem": " ".join(above) if above else error.detail if error and not wrong else "",
        }
        shown = self.base(collection) | self.shown(request, collection) | context
        return render(request, self.template, shown, status=status)


class OverRecords(OperationForm):
    """Over the rows that were chosen in the table, or all that it shows. A step before the last has an address that says all of it, so
    that the browser's way back leads to it; one with more rows than an address has room for is drawn at once.
    """

    steps: Sequence[str] = ()

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        if request.POST.get("act") != "choose":
            return super().post(request, collection_id)
        collection, ids = self.found(request, collection_id), request.POST.getlist("record")
        if len(ids) > _MOST_IN_ADDRESS:
            return self.page(request, collection, limits_in())
        address = QueryDict(mutable=True)
        address.setlist("record", ids)
        for name, value in [] if ids else asked_in(request.POST).hidden(without=_LOOKS):
            address.appendlist(name, value)
        for name in self.steps:
            if name in request.POST:
                address[name] = request.POST[name]
        return redirect(f"{request.path}?{address.urlencode()}")

    def selection(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """Ids as they came: of what is no id the operation is refused, and never one over all records."""
        ids = request.POST.getlist("record")
        which = {"ids": ids} if ids else asked_in(request.POST).as_selection()
        return {"collection": str(collection.pk)} | which

    def which(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        """What the template shows of it, and hands on."""
        asked = asked_in(request.POST or request.GET)
        return {
            "ids": (request.POST or request.GET).getlist("record"),
            "asked": asked.hidden(without=_LOOKS),
            "text": asked.text,
            "chips": chips_of(asked, columns_of(selectors.schema_of(collection))),
            "total": selectors.count_records([collection]).get(collection.pk, 0),
        }
