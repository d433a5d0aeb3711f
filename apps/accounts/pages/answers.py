"""Domain errors beside the field they are about."""

from __future__ import annotations

from django.forms import BaseForm

from apps.core.errors import DomainError


def add_errors(form: BaseForm, error: DomainError) -> None:
    for found in error.fields:
        form.add_error(found.field if found.field in form.fields else None, found.detail)
    if not error.fields:
        form.add_error(None, error.detail)


def first_sentence(error: DomainError) -> str:
    """What is wrong, in the words of the first field that has some."""
    return next((found.detail for found in error.fields), error.detail)
