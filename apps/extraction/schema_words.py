"""What the validator says, as codes and sentences for people."""

from __future__ import annotations

import re
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import FieldError
from apps.extraction.pointers import pointer

_SNAKE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MOST_CHOICES = 8
_KINDS: dict[str, str | Promise] = {
    "string": gettext_lazy("a text"),
    "integer": gettext_lazy("a whole number"),
    "number": gettext_lazy("a number"),
    "boolean": gettext_lazy("yes or no"),
    "array": gettext_lazy("a list"),
    "object": gettext_lazy("a group of fields"),
    "null": gettext_lazy("empty"),
}
_SENTENCES: dict[str, str | Promise] = {
    "minimum": gettext_lazy("This should be at least %(limit)s."),
    "maximum": gettext_lazy("This should be at most %(limit)s."),
    "exclusiveMinimum": gettext_lazy("This should be more than %(limit)s."),
    "exclusiveMaximum": gettext_lazy("This should be less than %(limit)s."),
    "multipleOf": gettext_lazy("This should be a multiple of %(limit)s."),
    "minLength": gettext_lazy("This should have at least %(limit)s characters."),
    "maxLength": gettext_lazy("This should have at most %(limit)s characters."),
    "minItems": gettext_lazy("There should be at least %(limit)s of these."),
    "maxItems": gettext_lazy("There should be at most %(limit)s of these."),
    "uniqueItems": gettext_lazy("The same stands here twice."),
    "pattern": gettext_lazy("This does not have the form that is asked for."),
    "format": gettext_lazy("This is not of the form “%(limit)s”."),
    "const": gettext_lazy("This should be “%(limit)s”."),
}
#: What to write where the schema names a format.
_FORMS: dict[str, str | Promise] = {
    "date": gettext_lazy("Write a date as 2026-11-23."),
    "time": gettext_lazy("Write a time as 14:30:00Z."),
    "date-time": gettext_lazy("Write a date with its time as 2026-11-23T14:30:00Z."),
    "email": gettext_lazy("This is no e-mail address."),
    "uri": gettext_lazy("Write a whole address, as https://example.org."),
}


def errors_of(error: Any) -> list[FieldError]:
    """A field that is missing or too many is named itself, not the object that lacks or has it."""
    name, value, path = str(error.kind.name), error.kind.value, list(error.instance_path)
    code = _SNAKE.sub("_", name).lower()
    if name == "required":
        return [FieldError(pointer([*path, value]), code, _("This is needed."))]
    if name in {"additionalProperties", "unevaluatedProperties"}:
        return [FieldError(pointer([*path, each]), code, _("There is no such field.")) for each in value]
    if name == "enum":
        shown = ", ".join(str(each) for each in value[:_MOST_CHOICES]) + ("…" if len(value) > _MOST_CHOICES else "")
        return [FieldError(pointer(path), code, _("This should be one of: %(choices)s.") % {"choices": shown})]
    if name == "type":
        expected = _(" or ").join(
            str(_KINDS.get(each, each)) for each in sorted(value, key=lambda kind: kind == "null")
        )
        return [FieldError(pointer(path), code, _("This should be %(expected)s.") % {"expected": expected})]
    if name == "format" and value in _FORMS:
        return [FieldError(pointer(path), code, str(_FORMS[value]))]
    if name in _SENTENCES:
        return [FieldError(pointer(path), code, str(_SENTENCES[name]) % {"limit": value})]
    return [FieldError(pointer(path), code, _("This does not fit the schema."))]
