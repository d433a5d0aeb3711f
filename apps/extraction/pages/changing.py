"""Pages that begin operations which change or delete many records: those that were chosen in the table, or all that it shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.core.errors import FieldError, Invalid
from apps.extraction import schema, selectors
from apps.extraction.models import Collection
from apps.extraction.pages.beginning import OverRecords
from apps.extraction.pages.filling import HELP
from apps.extraction.pages.values import Column, cell_of, columns_of, read, relation_ids


class ChangePage(OverRecords):
    """One field says the same in all of them, or nothing any more. Which field is the first step; the second shows what it is typed into."""

    kind = "records.update"
    template = "extraction/change.html"
    beside = ("field", "value")
    steps = ("field",)

    def column(self, request: HttpRequest, collection: Collection) -> Column | None:
        name = request.POST.get("field") or request.GET.get("field")
        columns = columns_of(selectors.schema_of(collection))
        return next((column for column in columns if column.name == name), None)

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        if (column := self.column(request, collection)) is None:
            raise Invalid(fields=[FieldError("field", "required", _("Choose a field."))])
        return self.selection(request, collection) | {"data": {column.name: self.value(request, collection, column)}}

    def value(self, request: HttpRequest, collection: Collection, column: Column) -> Any:
        """None takes it away, which is never what an empty control means."""
        if request.POST.get("how") == "empty":
            return None
        texts = [text.replace("\r\n", "\n") for text in request.POST.getlist(f"v-{column.name}")]
        value = read(column, texts)
        if value is None:
            raise Invalid(fields=[FieldError("value", "required", _("Say what it is to say, or that it is emptied."))])
        if wrong := _alone(selectors.schema_of(collection), column.name).validate({column.name: value}):
            raise Invalid(fields=[FieldError("value", wrong[0].code, wrong[0].detail)])
        return value

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        column = self.column(request, collection)
        columns = columns_of(selectors.schema_of(collection))
        context = self.which(request, collection) | {"columns": columns, "column": column}
        if column is None:
            return context
        viewer, texts = request.actor, request.POST.getlist(f"v-{column.name}")  # type: ignore[attr-defined]
        raw = "\n".join(texts)
        typed = {column.name: texts if column.kind == "relations" else raw}
        titles = selectors.titles_of(viewer, relation_ids([column], [typed])) if column.is_relation else {}
        targets = selectors.collections_by_slug(viewer, collection.project_id, [column.relation])
        return context | {
            "name": f"v-{column.name}",
            "raw": raw,
            "chosen": texts,
            "parts": cell_of(column, typed, titles).parts if column.is_relation else (),
            "target": targets.get(column.relation) if column.relation else None,
            "help": column.help or HELP.get(column.kind, ""),
            "how": request.POST.get("how", "say"),
        }


def _alone(found: schema.Schema, name: str) -> schema.Schema:
    """What the schema says of one field, whatever it says of them together: that is asked for each record."""
    own = schema.properties_of(found)[name]
    more = {"$defs": found.document["$defs"]} if "$defs" in found.document else {}
    return schema.check({"type": "object", "properties": {name: own}, **more})


class DeleteManyPage(OverRecords):
    kind = "records.delete"
    template = "extraction/delete_many.html"

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        return self.selection(request, collection)

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        return self.which(request, collection)
