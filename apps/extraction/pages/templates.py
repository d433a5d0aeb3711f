"""Templates of a collection: the list, one with what it makes beside it while it is written, and the files it makes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from apps.accounts.policies import require
from apps.bulk import services as bulk
from apps.core.errors import DomainError, NotFound
from apps.extraction import rendering, selectors, services
from apps.extraction.models import Collection, RecordTemplate
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import as_uuid, columns_of
from apps.extraction.template_types import TemplateFormat

PREVIEWED = 50
SHOWN_VERSIONS = 5
_REFUSED = {400, 409, 412, 422, 429}
BEGINNING = """# {{ record._title }}

{% for name, value in record|items %}
{% if name not in ("_id", "_title") %}
- **{{ name }}**: {{ value }}
{% endif %}
{% endfor %}
"""


class TemplatesPage(CollectionView):
    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        rows = rendering.list_templates(request.actor, collection_id=collection.pk).order_by("name", "pk")  # type: ignore[attr-defined]
        return render(request, "extraction/templates.html", self.base(collection) | {"templates": rows})


class TemplatePage(CollectionView):
    """A new one, or one that is there."""

    template: RecordTemplate | None = None

    def found_template(self, request: HttpRequest, collection_id: UUID, template_id: UUID | None) -> Collection:
        collection = self.found(request, collection_id)
        if template_id:
            self.template = rendering.get_template(template_id=template_id, viewer=request.actor)  # type: ignore[attr-defined]
            if self.template.collection_id != collection.pk:
                raise NotFound
        else:
            require(self.can_write)
        return collection

    def get(self, request: HttpRequest, collection_id: UUID, template_id: UUID | None = None) -> HttpResponse:
        collection = self.found_template(request, collection_id, template_id)
        return self.show(request, collection, self.said())

    def said(self, request: HttpRequest | None = None) -> dict[str, Any]:
        if request is not None:
            return {
                "name": request.POST.get("name", ""),
                "source": request.POST.get("source", "").replace("\r\n", "\n"),
                "format": request.POST.get("format", TemplateFormat.MARKDOWN.value),
                "is_of_set": request.POST.get("is_of_set") == "yes",
            }
        if self.template:
            return {name: getattr(self.template, name) for name in ("name", "source", "format", "is_of_set")}
        return {"name": "", "source": BEGINNING, "format": TemplateFormat.MARKDOWN.value, "is_of_set": False}

    def show(
        self, request: HttpRequest, collection: Collection, said: dict[str, Any], error: DomainError | None = None
    ) -> HttpResponse:
        revisions = rendering.list_template_revisions(self.template)[: SHOWN_VERSIONS + 1] if self.template else ()
        records = list(selectors.list_records(collection=collection).order_by("title", "pk")[: PREVIEWED + 1])
        context = {
            "template": self.template,
            "said": said,
            "formats": TemplateFormat.choices,
            "columns": columns_of(selectors.schema_of(collection)),
            "records": records[:PREVIEWED],
            "has_more_records": len(records) > PREVIEWED,
            "preview": preview_of(request, collection, said),
            "revisions": revisions[:SHOWN_VERSIONS],
            "has_more_revisions": len(revisions) > SHOWN_VERSIONS,
            "problems": ([each.detail for each in error.fields] or [error.detail]) if error else [],
        }
        status = error.status if error else 200
        return render(request, "extraction/template.html", self.base(collection) | context, status=status)

    def post(self, request: HttpRequest, collection_id: UUID, template_id: UUID | None = None) -> HttpResponse:
        collection = self.found_template(request, collection_id, template_id)
        said, actor = self.said(request), request.actor  # type: ignore[attr-defined]
        version = request.POST.get("version", "")
        try:
            if self.template is None:
                kept = services.make_template(actor=actor, collection_id=collection.pk, **said)
            else:
                kept = services.change_template(
                    actor=actor,
                    template_id=self.template.pk,
                    changes=said,
                    expected_version=int(version) if version.isdecimal() else None,
                )
        except DomainError as error:
            if error.status not in _REFUSED:
                raise
            return self.show(request, collection, said, error)
        messages.success(request, _("Saved."))
        return redirect("extraction:template", collection.pk, kept.pk)


class PreviewFragment(TemplatePage):
    """What the words in the form would make, of the record that is chosen."""

    def post(self, request: HttpRequest, collection_id: UUID, template_id: UUID | None = None) -> HttpResponse:
        collection = self.found_template(request, collection_id, template_id)
        require(self.can_write)
        context = {"preview": preview_of(request, collection, self.said(request))}
        return render(request, "extraction/_preview.html", context)


class TemplateActPage(TemplatePage):
    """Make files of it, or delete it."""

    def post(self, request: HttpRequest, collection_id: UUID, template_id: UUID, act: str) -> HttpResponse:  # type: ignore[override]
        collection = self.found_template(request, collection_id, template_id)
        actor = request.actor  # type: ignore[attr-defined]
        if act == "delete":
            services.delete_template(actor=actor, template_id=template_id)
            return redirect("extraction:templates", collection.pk)
        if act != "make":
            raise NotFound
        params: dict[str, Any] = {
            "collection": str(collection.pk),
            "template": str(template_id),
            "as": request.POST.get("as", "pdf"),
        }
        if record_id := as_uuid(request.POST.get("record")):
            params["ids"] = [str(record_id)]
        made = bulk.create_operation(
            actor=actor, project_id=collection.project_id, kind="records.render", params=params, start=True
        )
        return redirect("bulk:page", made.pk)


def preview_of(request: HttpRequest, collection: Collection, said: dict[str, Any]) -> dict[str, Any]:
    viewer = request.actor  # type: ignore[attr-defined]
    rows = selectors.list_records(collection=collection).order_by("title", "pk")
    chosen = as_uuid(request.POST.get("record"))
    records = list(rows[:PREVIEWED] if said["is_of_set"] else rows.filter(pk=chosen)[:1] if chosen else rows[:1])
    if not records:
        return {"is_empty": True}
    try:
        words = rendering.words_of(
            said["source"], collection, records, viewer, is_html=said["format"] == TemplateFormat.HTML
        )
    except DomainError as error:
        return {"problem": error.detail}
    return {"html": mark_safe(rendering.safe_html(words, said["format"]))}  # noqa: S308
