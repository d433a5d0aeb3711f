"""Forms of the settings for providers, models and money."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core import rules
from apps.core.change_forms import ChangeForm
from apps.core.errors import DomainError
from apps.core.rule_fields import TextField
from apps.llm.models import Model
from apps.llm.presets import PRESETS, ProviderKind

CURRENCIES = [("USD", "USD $"), ("EUR", "EUR €"), ("GBP", "GBP £")]
KEPT = "•" * 12


def take_errors(form: forms.Form, error: DomainError) -> None:
    """A refusal of a service stands beside the field it names, otherwise above the form."""
    for each in error.fields:
        form.add_error(each.field if each.field in form.fields else None, each.detail)
    if not error.fields:
        form.add_error(None, error.detail)


IN_THE_CLOUD = _("Only for a proxy or a gateway; otherwise empty.")
ON_A_COMPUTER = _("Empty: the usual address on the computer that runs Parlance.")
ANYWHERE = _("Where it answers, up to the part before /chat/completions.")


def address_of(kind: ProviderKind) -> tuple[str, Any]:
    """What stands in an empty field for the address, and the help under it."""
    preset = PRESETS[kind]
    if not preset.base_url:
        return "https://", ANYWHERE
    return preset.base_url, ON_A_COMPUTER if preset.is_local else IN_THE_CLOUD


class KindSelect(forms.Select):
    """Each kind carries what the field for the address says when it is chosen."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        placeholder, help_text = address_of(ProviderKind(value))
        option["attrs"] |= {"data-address": placeholder, "data-help": help_text}
        return option


class ProviderForm(forms.Form):
    """The key is written once: an empty field keeps the stored one."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(kind.value, kind.label) for kind in ProviderKind if kind != ProviderKind.DEMO],
        widget=KindSelect(attrs={"data-provider-target": "kind", "data-action": "provider#choose"}),
    )
    name = TextField(
        rules.NAME.of(60),
        label=_("Name"),
        required=False,
        help_text=_("As everybody sees it. Empty: the kind's own name."),
    )
    base_url = TextField(
        rules.URL,
        label=_("Address"),
        required=False,
        widget=forms.URLInput(attrs={"inputmode": "url", "data-provider-target": "address"}),
    )
    api_key = forms.CharField(
        label=_("Key"),
        max_length=500,
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Stored encrypted; nobody can read it again. A server of your own may need none."),
    )

    def __init__(
        self, *args: Any, has_key: bool = False, kind: ProviderKind | None = None, kept: str | None = "", **kwargs: Any
    ) -> None:
        """``kind`` of a provider that is there: it stays what it is. ``kept``: the key that was typed a moment ago; None: it is lost."""
        super().__init__(*args, **kwargs)
        self._kept = kept
        chosen = kind or str(self["kind"].value() or ProviderKind.OPENAI)
        if kind:
            del self.fields["kind"]
        address = self.fields["base_url"]
        shown = ProviderKind(chosen) if chosen in ProviderKind.values else ProviderKind.OPENAI
        address.widget.attrs["placeholder"], address.help_text = address_of(shown)
        if has_key:
            self.fields["api_key"].help_text = _("A key is stored. Leave this empty to keep it.")
            self.fields["api_key"].widget.attrs["placeholder"] = KEPT

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        kind = values.get("kind")
        values["api_key"] = values.get("api_key") or self._kept or ""
        if kind and not values.get("name"):
            values["name"] = str(ProviderKind(kind).label)
        if not values["api_key"] and "api_key" not in self.errors:
            if self._kept is None:
                self.add_error("api_key", _("Enter the key again."))
            elif kind and PRESETS[ProviderKind(kind)].needs_key:
                self.add_error("api_key", _("This kind answers nobody without a key."))
        if kind == ProviderKind.OPENAI_COMPATIBLE and not values.get("base_url"):
            self.add_error("base_url", _("Say where it is."))
        return values


class ProviderChangeForm(ChangeForm, ProviderForm):
    pass


class DefaultsForm(ChangeForm):
    default = forms.ChoiceField(label=_("Answers when nobody is named"), required=False)
    fallback = forms.ChoiceField(
        label=_("Steps in when it fails"),
        required=False,
        help_text=_("Only before the first word. The answer says who really wrote it."),
    )

    def __init__(self, *args: Any, models: Iterable[Model], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(model.pk), f"{model} ({model.provider.name})") for model in models]
        self.fields["default"].choices = [("", _("The best that is there")), *named]
        self.fields["fallback"].choices = [("", _("Nobody")), *named]


class AmountField(forms.DecimalField):
    def prepare_value(self, value: Any) -> Any:
        """As a person writes it: 240.00 and 0.125, not all the places that the column keeps."""
        if not isinstance(value, Decimal):
            return value
        return f"{value:.2f}" if value == round(value, 2) else f"{value.normalize():f}"


def _price(label: Any, help_text: Any = "") -> AmountField:
    return AmountField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=6,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


class ModelForm(ChangeForm):
    label = TextField(rules.NAME.of(200), label=_("Label"), required=False, help_text=_("Instead of the long name."))
    is_enabled = forms.BooleanField(label=_("Offered to everybody here"), required=False)
    context_window = forms.IntegerField(
        label=_("Reads at most"), required=False, min_value=1, max_value=100_000_000, help_text=_("Tokens.")
    )
    max_output_tokens = forms.IntegerField(
        label=_("Writes at most"), required=False, min_value=1, max_value=100_000_000, help_text=_("Tokens.")
    )
    input_price_per_million_tokens = _price(_("Reading costs"), _("For a million tokens. Empty: unknown."))
    output_price_per_million_tokens = _price(_("Writing costs"), _("For a million tokens. Empty: unknown."))
    cached_price_per_million_tokens = _price(_("Reading from the cache costs"))
    currency = forms.ChoiceField(label=_("Currency"), choices=CURRENCIES)
    can_see = forms.BooleanField(label=_("Sees images"), required=False)
    can_call_tools = forms.BooleanField(label=_("Calls tools"), required=False)
    can_reason = forms.BooleanField(label=_("Thinks before it answers"), required=False)


class BudgetForm(ChangeForm):
    limit = AmountField(
        label=_("At most in a month"),
        required=False,
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        help_text=_("Empty: no limit. Calls that would pass it are refused before they are made."),
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=CURRENCIES)
