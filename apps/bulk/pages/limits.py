"""The limits of an operation as a form has them: who goes first, how many at once, how fast, for how much, until when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.bulk.models import Operation
from apps.core.types import Priority

#: What the API takes as well.
MOST_AT_ONCE = 1000
LEAST_A_MINUTE, MOST_A_MINUTE = 0.1, 6_000_000.0
PREFIX = "limit"


class AmountField(forms.DecimalField):
    """Shows ``1.5`` of ``1.50000000``, and never ``1E-8``."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class LimitsForm(forms.Form):
    """Empty is no limit. ``critical`` is for operators, over the API."""

    priority = forms.TypedChoiceField(
        label=_("Comes"),
        coerce=int,
        required=False,
        empty_value=Priority.NORMAL.value,
        choices=[
            (Priority.HIGH.value, _("before other operations")),
            (Priority.NORMAL.value, _("as its turn comes")),
            (Priority.LOW.value, _("when nothing else waits")),
        ],
    )
    concurrency = forms.IntegerField(
        label=_("Items at once"),
        required=False,
        min_value=1,
        max_value=MOST_AT_ONCE,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    per_minute = forms.FloatField(
        label=_("Items a minute"),
        required=False,
        min_value=LEAST_A_MINUTE,
        max_value=MOST_A_MINUTE,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    budget = AmountField(
        label=_("Budget"),
        required=False,
        min_value=Decimal(0),
        max_digits=18,
        decimal_places=8,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        help_text=_("In the currency of the model. At the limit it pauses, and can go on with a larger one."),
    )
    deadline = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("What has not begun by then is left."),
    )

    def clean_deadline(self) -> datetime | None:
        said: datetime | None = self.cleaned_data["deadline"]
        if said is not None and "deadline" in self.changed_data and said <= timezone.now():
            raise forms.ValidationError(_("This time is over. Choose a later one, or none."), code="over")
        return said

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed in a form that is valid, as ``create_operation`` and ``change_pace`` take it."""
        found = {name: self.cleaned_data[name] for name in self.changed_data}
        if "per_minute" in found:
            said = found.pop("per_minute")
            found["rate_per_second"] = said / 60 if said is not None else None
        return found

    @property
    def is_open(self) -> bool:
        """Whether something stands in it that is to be seen."""
        return bool(self.errors) or (self.is_bound and self.has_changed())


def limits_of(operation: Operation, data: Any = None) -> LimitsForm:
    budget, deadline, each_second = operation.budget, operation.deadline, operation.rate_per_second
    there = {
        "priority": operation.priority,
        "concurrency": operation.concurrency,
        "per_minute": round(each_second * 60, 3) if each_second is not None else None,
        "budget": budget,
        "deadline": deadline.replace(second=0, microsecond=0) if deadline else None,  # as the field shows it
    }
    form = LimitsForm(data, prefix=PREFIX, initial=there)
    if operation.priority == Priority.CRITICAL:
        del form.fields["priority"]
    return form


def limits_in(data: Any = None) -> LimitsForm:
    """Of an operation that is not there yet."""
    return LimitsForm(data, prefix=PREFIX, initial={"priority": Priority.NORMAL.value})
