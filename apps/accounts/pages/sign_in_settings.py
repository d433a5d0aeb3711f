"""How people of an organization sign in: its rules, and its identity providers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.forms import BaseForm
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts import policies, rules, sign_in_selectors
from apps.accounts.pages.answers import add_errors
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import identity, sign_in_rules
from apps.accounts.types import FreshSignInNeeded, IdentityProviderKind, OrganizationRole
from apps.core import preferences
from apps.core import rules as words
from apps.core.change_forms import ChangeForm
from apps.core.errors import DomainError
from apps.core.rule_fields import TextField


class Domains(forms.CharField):
    """Several, apart from each other by spaces or commas."""

    def clean(self, value: Any) -> Any:
        try:
            return words.domains(str(super().clean(value) or "").replace(",", " ").split())
        except words.RuleBroken as broken:
            raise forms.ValidationError(broken.sentence, code=broken.rule_code) from None


class RulesForm(ChangeForm):
    require_second_factor = forms.BooleanField(
        label=rules.SECOND_FACTOR.title, help_text=rules.SECOND_FACTOR.help, required=False
    )
    sso_only = forms.BooleanField(label=rules.SSO_ONLY.title, help_text=rules.SSO_ONLY.help, required=False)
    mail_domains = Domains(
        label=rules.MAIL_DOMAINS.title, help_text=rules.MAIL_DOMAINS.help, required=False, max_length=2000
    )
    session_hours = forms.IntegerField(
        label=rules.HOURS.title, help_text=rules.HOURS.help, min_value=0, max_value=24 * 365
    )
    idle_minutes = forms.IntegerField(
        label=rules.IDLE_MINUTES.title, help_text=rules.IDLE_MINUTES.help, min_value=0, max_value=60 * 24 * 365
    )


class ProviderForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=IdentityProviderKind.choices)
    name = TextField(words.NAME.of(40), label=gettext_lazy("Name"))
    slug = TextField(
        words.SLUG,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy("Part of the address; it never changes."),
    )
    issuer = TextField(
        words.URL.of(500).or_empty(),
        label=gettext_lazy("Issuer"),
        help_text=gettext_lazy(
            "For Google nothing; for GitHub only the address of a server of your own; for Microsoft that of your tenant."
        ),
    )
    client_id = TextField(words.NAME.of(300), label=gettext_lazy("Client id"))
    client_secret = forms.CharField(
        label=gettext_lazy("Client secret"), max_length=500, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    domains = Domains(
        label=gettext_lazy("Mail domains it speaks for"),
        max_length=2000,
        help_text=gettext_lazy("Its word about other addresses opens nothing."),
    )
    joins_as = forms.ChoiceField(
        label=gettext_lazy("Who comes with such an address and has no account"),
        required=False,
        choices=[
            ("", gettext_lazy("stays out")),
            *((value, label) for value, label in OrganizationRole.choices if value != OrganizationRole.OWNER),
        ],
    )


class SignInSettingsView(SettingsView):
    template_name = "settings/sign_in.html"
    handlers = {"rules": "save", "add": "add", "switch": "switch", "remove": "remove"}

    def _may_add(self) -> bool:
        organization = self.organization()
        return policies.can_manage_identity(self.actor, self.role(), is_home=organization.is_home)

    def _form(self, data: Any = None) -> RulesForm:
        organization_id = self.organization().pk
        initial = {
            name: preferences.get(f"accounts.{name}", organization=organization_id)
            for name in RulesForm.base_fields
            if name != "shown"
        }
        initial["mail_domains"] = " ".join(initial["mail_domains"])
        return RulesForm(data, initial=initial)

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        policies.require(policies.can_manage_organization(self.actor, self.role()))
        organization = self.organization()
        found = sign_in_selectors.list_providers_in_use(self.actor, organization.pk)
        rows = self.part_of(found.order_by("name", "pk"))
        return {
            "form": form if isinstance(form, RulesForm) else self._form(),
            "provider_form": form if isinstance(form, ProviderForm) else ProviderForm(),
            "can_add": self._may_add(),
            "part": rows,
            "providers": [
                (row, settings.PARLANCE_URL + reverse("accounts:sso_callback", args=[row.slug])) for row in rows
            ],
        }

    def save(self) -> BaseForm:
        form = self._form(self.request.POST)
        if form.is_valid():
            ended = sign_in_rules.change_rules(
                actor=self.actor, organization_id=self.organization().pk, **form.changed()
            )
            text = ngettext("Saved. %(count)d session ended.", "Saved. %(count)d sessions ended.", ended)
            messages.success(self.request, text % {"count": ended} if ended else _("Saved."))
        return form

    def add(self) -> BaseForm:
        form = ProviderForm(self.request.POST)
        if form.is_valid():
            try:
                identity.make_provider(actor=self.actor, organization_id=self.organization().pk, **form.cleaned_data)
                messages.success(self.request, _("Saved."))
            except FreshSignInNeeded:
                raise
            except DomainError as error:
                add_errors(form, error)
        return form

    def switch(self) -> None:
        identity.change_provider(
            actor=self.actor,
            provider_id=identifier(self.request.POST.get("provider")),
            is_enabled=self.request.POST.get("on") == "1",
        )

    def remove(self) -> None:
        identity.remove_provider(actor=self.actor, provider_id=identifier(self.request.POST.get("provider")))
        messages.success(self.request, _("Removed. Its sessions have ended."))
