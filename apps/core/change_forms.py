"""Forms that change what others change too."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from django import forms
from django.core.serializers.json import DjangoJSONEncoder


class ShownField(forms.CharField):
    """The values that a page was drawn with, as JSON: those that are still so here are not meant to change."""

    widget = forms.HiddenInput


class ChangeForm(forms.Form):
    """Only what its sender changed is saved: what a colleague changed while the page was open stays as it is."""

    shown = ShownField(required=False, max_length=20_000)

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        if field_name == "shown":
            return json.dumps(self._drawn(), cls=DjangoJSONEncoder)
        return super().get_initial_for_field(field, field_name)

    def changed(self) -> dict[str, Any]:
        values = dict(self.cleaned_data)
        try:
            shown = json.loads(values.pop("shown") or "{}")
        except ValueError:
            shown = {}
        was = shown if isinstance(shown, dict) else {}
        sent = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
        return {name: value for name, value in values.items() if name not in was or was[name] != sent[name]}

    def _drawn(self) -> dict[str, Any]:
        """As they come back when nobody touches them; what the field would refuse counts as changed."""
        drawn = {}
        for name, field in self.fields.items():
            if name != "shown":
                with suppress(forms.ValidationError):
                    drawn[name] = field.clean(field.prepare_value(self.get_initial_for_field(field, name)))
        return drawn
