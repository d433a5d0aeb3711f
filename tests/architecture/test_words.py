"""What people send as words passes a rule of ``core.rules``: no form and no serializer judges words by itself."""

from collections.abc import Iterator

from django import forms
from django.urls import get_resolver
from rest_framework import serializers

from apps.core.api import Serializer

BARE = {
    serializers.CharField, serializers.RegexField, serializers.SlugField, serializers.URLField, serializers.EmailField,
    forms.CharField, forms.RegexField, forms.SlugField, forms.URLField, forms.EmailField,
}  # fmt: skip

#: Compared or handed on byte for byte, and never shown.
SECRETS = {
    "api_key", "challenge", "client_secret", "code", "device", "new_secret", "password", "refresh", "token",
}  # fmt: skip
#: Looked for, or named out of what there is; not kept.
SOUGHT = {
    "action", "cursor", "field", "kind", "model", "needed", "option", "q", "reason", "scopes", "sort", "stage", "tag", "to", "where",
}  # fmt: skip
#: Each with its reason. The list only shrinks.
ELSEWHERE = {
    "AnalyzeIn.text": "looked at once, not kept",
    "DefinitionIn.text": "read as YAML, and what it says by the schema of definitions",
    "DocumentIn.text": "read as YAML, and what it says by the schema of definitions",
    "IdentityProviderForm.issuer": "judged by the rule in clean(), beside the field",
    "KeyChangeForm.allowed_networks": "read as networks",
    "KeyChangeIn.allowed_networks": "read as networks",
    "KeyForm.allowed_networks": "read as networks",
    "KeyIn.allowed_networks": "read as networks",
    "OperationIn.currency": "the pattern of a currency, with the code that callers know",
    "OperationIn.key": "compared with what the caller sent before, never shown",
    "ProviderChangeIn.headers": "each judged by its rule in the service",
    "ProviderFields.headers": "each judged by its rule in the service",
    "ProviderIn.headers": "each judged by its rule in the service",
    "RouteIn.text": "looked at once, not kept",
    "ViewState.columns": "names of fields, which the schema knows or does not",
    "SignUpForm.username": "allauth's, and not in the form",
}


def _below(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _fields(kind: type) -> dict[str, object]:
    found = {**getattr(kind, "_declared_fields", {}), **getattr(kind, "declared_fields", {})}
    return {name: getattr(field, "child", field) for name, field in found.items()}


def test_words_pass_a_rule():
    assert get_resolver().url_patterns  # all forms and serializers are read by then
    ours = [
        kind for base in (Serializer, forms.BaseForm) for kind in _below(base) if kind.__module__.startswith("apps.")
    ]
    bare = {
        f"{kind.__qualname__}.{name}"
        for kind in ours
        for name, field in _fields(kind).items()
        if type(field) in BARE and name not in SECRETS | SOUGHT
    }

    assert len(ours) > 80
    assert bare == set(ELSEWHERE)
