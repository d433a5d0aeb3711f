"""Forms that change what others change too."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

from django import forms
from django.core.serializers.json import DjangoJSONEncoder
from django.http import QueryDict
from django.utils.choices import flatten_choices
from django.utils.translation import gettext as _

MOST_OF_A_VALUE = 80


def _as_json(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return found


def _changed_meanwhile(field: forms.Field, value: Any) -> str:
    """With what it is now, where that fits into a sentence."""
    labels = dict(flatten_choices(getattr(field, "choices", ())))
    words = ", ".join(str(labels.get(each, each)) for each in (value if isinstance(value, list) else [value]))
    if isinstance(value, bool) or value in (None, "", []) or len(words) > MOST_OF_A_VALUE:
        return _("Somebody else changed this while your page was open. Save again to replace that.")
    return _("Somebody else changed this to “%(value)s” while your page was open. Save again to replace that.") % {
        "value": words
    }


class ShownField(forms.CharField):
    """The values that a page was drawn with, as JSON: those that are still so here are not meant to change."""

    widget = forms.HiddenInput


class ChangeForm(forms.Form):
    """Only what its sender changed is saved: what a colleague changed while the page was open stays as it is.

    Of what both changed the second hears first, where the form that was sent is made with the ``initial`` values of now: it is
    saved when they send it again.
    """

    shown = ShownField(required=False, max_length=20_000)

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        if field_name == "shown":
            return json.dumps(self._drawn(), cls=DjangoJSONEncoder)
        return super().get_initial_for_field(field, field_name)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if self.initial:
            was, now, sent = self._was(), _as_json(self._drawn()), _as_json(values)
            both = [name for name in sent if name in was and name in now and was[name] not in (now[name], sent[name])]
            told = [name for name in both if now[name] != sent[name]]
            for name in told:
                self.add_error(name, _changed_meanwhile(self.fields[name], now[name]))
            if told:
                again = cast("QueryDict", self.data).copy()
                again[self.add_prefix("shown")] = json.dumps(was | {name: now[name] for name in told})
                self.data = again
        return values

    def changed(self) -> dict[str, Any]:
        values, was = dict(self.cleaned_data), self._was()
        del values["shown"]
        sent = _as_json(values)
        return {name: value for name, value in values.items() if name not in was or was[name] != sent[name]}

    def _was(self) -> dict[str, Any]:
        """As the page was drawn. Empty where that was not sent, or cannot be read."""
        try:
            shown = json.loads(self.cleaned_data.get("shown") or "{}")
        except ValueError:
            return {}
        return shown if isinstance(shown, dict) else {}

    def _drawn(self) -> dict[str, Any]:
        """As they come back when nobody touches them; what the field would refuse counts as changed."""
        drawn = {}
        for name, field in self.fields.items():
            if name != "shown":
                with suppress(forms.ValidationError):
                    drawn[name] = field.clean(field.prepare_value(self.get_initial_for_field(field, name)))
        return drawn
