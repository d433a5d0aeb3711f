"""What a run is begun with by hand: a form made of the schema of the document's input, by what makes the forms of records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.core import yaml_text
from apps.core.errors import FieldError, Invalid
from apps.extraction import schema
from apps.extraction.pages.filling import defaults_of, filled_in, form_fields
from apps.extraction.pages.values import Column, columns_of
from apps.extraction.pointers import top
from apps.extraction.types import SchemaRejected
from apps.workflows.documents import input_schema
from apps.workflows.models import Definition
from apps.workflows.shapes import first_wrong

#: The name of the one field of an input that no form can be made of.
WHOLE = "input"
#: Kinds of fields that say an empty list when nothing stands in them.
LISTS = frozenset({"list", "choices", "relations"})


@dataclass(frozen=True, slots=True)
class InputForm:
    """``document`` is the schema as the definition says it. Without ``found`` no form can be made of it: the input is one field, as JSON.
    ``lists``: the fields that have to be there and may be empty.
    """

    document: Any
    columns: tuple[Column, ...]
    found: schema.Schema | None = None
    lists: tuple[str, ...] = ()

    def fields(
        self, definition: Definition, viewer: Actor, post: QueryDict | None = None, error: Invalid | None = None
    ) -> list[dict[str, Any]]:
        return form_fields(
            self.columns,
            defaults_of(self.found) if self.found else {},
            viewer=viewer,
            project_id=definition.project_id,
            post=post,
            errors={each.field: each.detail for each in reversed(error.fields)} if error else {},
        )

    def read(self, post: QueryDict) -> Any:
        """The input that somebody filled in. ``Invalid`` names fields by their names; what belongs to none by an empty one."""
        try:
            said = filled_in(self.columns, {}, post)
        except Invalid as error:
            raise Invalid(
                fields=[FieldError(each.field.removeprefix("data."), each.code, each.detail) for each in error.fields]
            ) from None
        data = {name: [] for name in self.lists} | {name: value for name, value in said.items() if value is not None}
        if self.found is None:
            return self._whole(data.get(WHOLE))
        known = {column.name for column in self.columns}
        wrong = [
            FieldError(name if (name := top(each.field)) in known else "", each.code, each.detail)
            for each in self.found.validate(data)
        ]
        if wrong:
            raise Invalid(fields=wrong)
        return data

    def _whole(self, data: Any) -> Any:
        if wrong := first_wrong(self.document, {} if data is None else data):
            raise Invalid(fields=[FieldError(WHOLE, "does_not_fit", wrong)])
        return data


def input_form(definition: Definition) -> InputForm | None:
    """Of a definition that came with its ``document`` and ``text``; None where the document says nothing of its input."""
    document = input_schema(definition.document)  # type: ignore[attr-defined]
    if document is None:
        return None
    try:
        found = schema.check(_as_written(definition, document))
    except SchemaRejected:
        found = None
    if found is None or not found.top:
        return InputForm(document, (Column(WHOLE, _("Input"), "json"),))
    columns = columns_of(found)
    lists = tuple(each.name for each in columns if each.required and _may_be_empty(found, each))
    return InputForm(
        document,
        tuple(replace(each, required=False) if each.name in lists else each for each in columns),
        found,
        lists,
    )


def _may_be_empty(found: schema.Schema, column: Column) -> bool:
    own = found.document.get("properties", {}).get(column.name)
    return column.kind in LISTS and isinstance(own, dict) and not own.get("minItems")


def _as_written(definition: Definition, document: Any) -> Any:
    """With its names in the order in which they were written, which the database does not keep."""
    text: str = definition.text  # type: ignore[attr-defined]
    written = input_schema(yaml_text.read(text)) if text else None
    return written if written == document else document
