"""Pages of collections: the list of a project, a new one, and the fields of one that is there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.core.errors import DomainError, NotFound, TooLarge
from apps.extraction import policies, schema, selectors, services, use_selectors, wish_selectors
from apps.extraction.models import Collection, Wish
from apps.extraction.pages import builder
from apps.extraction.pages.builder import Draft, Line
from apps.extraction.pages.schema_effects import Effects, effects_of
from apps.extraction.pages.tables import CollectionView
from apps.extraction.schema_forms import slug_of
from apps.extraction.types import Trust
from apps.extraction.wish_types import WishDecided, WishKind, WishStatus

WAYS = ("fields", "schema", "csv")
MAX_UPLOAD_BYTES = 1024 * 1024
_BLANK = (Line(key="0"), Line(key="1"), Line(key="2"))


class CollectionListPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        is_deleted = request.GET.get("view") == "deleted"
        rows: list[Collection] = []
        if project and is_deleted:
            rows = list(selectors.list_deleted_collections(viewer, project_id=project.pk)[:100])
        elif project:
            there = selectors.list_collections(viewer, project_id=project.pk)
            rows = list(use_selectors.with_last_change(there).order_by("name", "pk"))
        counts = selectors.count_records(rows)
        role = accounts.role_in(viewer, project) if project else None
        context = {
            "collections": [(row, counts.get(row.pk, 0)) for row in rows],
            "can_define": policies.can_define_collections(viewer, role),
            "is_deleted": is_deleted,
        }
        return render(request, "extraction/list.html", context)


class NewCollectionPage(LoginRequiredMixin, View):
    """Field by field, from a JSON Schema, from the head of a table, or from a description in a conversation (``?wish=``): all of them
    end in the form builder.
    """

    def wish(self, request: HttpRequest) -> Wish | None:
        if not (said := request.GET.get("wish")):
            return None
        viewer = request.actor  # type: ignore[attr-defined]
        wish = wish_selectors.get_wish(wish_id=_id(said), viewer=viewer)
        if wish.kind != WishKind.COLLECTION:
            raise NotFound
        request.project = accounts.get_project(wish.project_id, viewer)  # type: ignore[attr-defined]
        return wish

    def project(self, request: HttpRequest) -> Any:
        if (project := places.find_project(request)) is None:
            raise NotFound
        viewer = request.actor  # type: ignore[attr-defined]
        require(policies.can_define_collections(viewer, accounts.role_in(viewer, project)))
        return project

    def get(self, request: HttpRequest) -> HttpResponse:
        wish = self.wish(request)
        project = self.project(request)
        way = request.GET.get("from", "fields")
        if way in {"schema", "csv"}:
            return _begin(request, way)
        if wish is not None:
            if wish.status != WishStatus.PROPOSED:
                raise WishDecided
            return _builder(request, project, None, builder.draft_of_wish(wish))
        return _builder(request, project, None, Draft(lines=_BLANK))

    def post(self, request: HttpRequest) -> HttpResponse:
        wish = self.wish(request)
        project = self.project(request)
        way = request.POST.get("read", "")
        if way in {"schema", "csv"}:
            return self.read(request, project, way)
        draft = builder.draft_in(request.POST, {})
        try:
            base = builder.base_in(request.POST)
            draft = builder.draft_in(request.POST, base)
            slug = draft.slug or slug_of(draft.name)
            document = builder.document_of(draft, schema.check(base) if base else None, slug=slug)
            settings = builder.settings_of(draft) | {"document": document}
            actor = request.actor  # type: ignore[attr-defined]
            if wish is not None:
                made_id = services.confirm_wish(actor=actor, wish_id=wish.pk, edited=settings).collection_id
            else:
                made_id = services.create_collection(actor=actor, project_id=project.pk, **settings).pk
        except DomainError as error:
            return _builder(request, project, None, draft, error)
        return redirect("extraction:table", made_id)

    def read(self, request: HttpRequest, project: Any, way: str) -> HttpResponse:
        try:
            text = _given(request)
            document = builder.document_of_csv(text) if way == "csv" else builder.document_of_text(text)
            draft = builder.draft_of_document(document, name=request.POST.get("name", "").strip())
        except DomainError as error:
            return _begin(request, way, error)
        return _builder(request, project, None, draft)


class FieldsPage(CollectionView):
    """What a change breaks is shown first; what breaks nothing is saved at once."""

    def found(self, request: HttpRequest, collection_id: UUID) -> Collection:
        collection = super().found(request, collection_id)
        require(self.can_define)
        return collection

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        draft = builder.draft_of(collection, selectors.schema_of(collection))
        return _builder(request, collection.project, collection, draft)

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        draft = builder.draft_in(request.POST, {})
        version = request.POST.get("version", "")
        try:
            slug = draft.slug or collection.slug
            new = schema.check(builder.document_of(draft, selectors.schema_of(collection), slug=slug))
            settings = builder.settings_of(draft)
            effects = effects_of(collection, new, request.actor)  # type: ignore[attr-defined]
            if effects and effects.breaks and request.POST.get("seen") != new.digest:
                return _builder(request, collection.project, collection, draft, effects=effects, digest=new.digest)
            # Records stay as they are and are checked by the new schema when they are written next.
            services.change_collection(
                actor=request.actor,  # type: ignore[attr-defined]
                collection_id=collection.pk,
                changes=settings | ({"document": new.document} if effects else {}),
                expected_version=int(version) if version.isdecimal() else None,
            )
        except DomainError as error:
            return _builder(request, collection.project, collection, draft, error)
        messages.success(request, _("Saved."))
        is_behind = bool(effects) and selectors.list_records(collection=collection).exists()
        return redirect("extraction:bring_along" if is_behind else "extraction:table", collection.pk)


class CollectionActPage(LoginRequiredMixin, View):
    """Delete a collection, or bring it back."""

    def post(self, request: HttpRequest, collection_id: UUID, act: str) -> HttpResponse:
        actor = request.actor  # type: ignore[attr-defined]
        if act == "delete":
            services.delete_collection(actor=actor, collection_id=collection_id)
            messages.success(request, _("Collection deleted. It can be brought back from “Deleted”."))
            return redirect("extraction:list")
        if act == "restore":
            services.restore_collection(actor=actor, collection_id=collection_id)
            return redirect("extraction:table", collection_id)
        raise NotFound


def _id(said: str) -> UUID:
    try:
        return UUID(said)
    except ValueError:
        raise NotFound from None


def _given(request: HttpRequest) -> str:
    """What was uploaded, else what was pasted."""
    upload = request.FILES.get("file")
    if isinstance(upload, UploadedFile):
        if (upload.size or 0) > MAX_UPLOAD_BYTES:
            raise TooLarge
        return upload.read().decode("utf-8-sig", "replace")
    return request.POST.get("text", "")


def _begin(request: HttpRequest, way: str, error: DomainError | None = None) -> HttpResponse:
    context = {
        "way": way,
        "name": request.POST.get("name", ""),
        "text": request.POST.get("text", ""),
        "problems": [each.detail for each in error.fields] or [error.detail] if error else [],
    }
    return render(request, "extraction/begin.html", context, status=error.status if error else 200)


def _builder(
    request: HttpRequest,
    project: Any,
    collection: Collection | None,
    draft: Draft,
    error: DomainError | None = None,
    *,
    effects: Effects | None = None,
    digest: str = "",
) -> HttpResponse:
    viewer = request.actor  # type: ignore[attr-defined]
    draft, problems = builder.with_errors(draft, error) if error else (draft, [])
    rows = list(selectors.list_collections(viewer, project_id=project.pk).order_by("name"))
    context: dict[str, Any] = {
        "collection": collection,
        "draft": draft,
        "blank": Line(),
        "targets": builder.collections_as_targets(rows, collection),
        "trusts": Trust.choices,
        "problems": problems,
        "effects": effects,
        "digest": digest,
        "version": request.POST.get("version") or getattr(collection, "version", ""),
        "has_more": bool(draft.slug or draft.keys or draft.description) or collection is not None,
    }
    return render(request, "extraction/fields.html", context, status=error.status if error else 200)
