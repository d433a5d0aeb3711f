"""Settings pages: API keys, one's own and those of a service account, and one key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import policies, selectors
from apps.accounts.models import ApiKey
from apps.accounts.pages import forms
from apps.accounts.pages.once import show_once
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import keys


class KeysView(SettingsView):
    template_name = "settings/keys.html"
    handlers = {"create": "create", "revoke": "revoke"}

    def key_form(self, data: Any = None) -> forms.KeyForm:
        role = self.role()
        grantable = [scope for scope in policies.SCOPES if policies.can_grant_scope(self.actor, role, scope)]
        rows = selectors.visible_projects(self.actor).filter(organization=self.organization(), archived_at=None)
        return forms.KeyForm(data, projects=self.offered(rows.order_by("name")), scopes=grantable)

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        own = selectors.visible_api_keys(self.actor).filter(
            organization=self.organization(), user=self.actor.user_id, revoked_at=None
        )
        return {
            "form": form or self.key_form(),
            "keys": self.part_of(own.order_by("-created_at", "pk")),
        }

    def service_account_id(self) -> UUID | None:
        """Whose keys they are; None: one's own."""
        return None

    def create(self, **ids: Any) -> BaseForm | HttpResponse:
        form = self.key_form(self.request.POST)
        if form.is_valid():
            data = form.cleaned_data
            days = data["expires_in_days"]
            made = keys.make_api_key(
                actor=self.actor,
                organization_id=self.organization().pk,
                name=data["name"],
                project_id=UUID(data["project"]) if data["project"] else None,
                scopes=tuple(data["scopes"]),
                expires_at=timezone.now() + timedelta(days=days) if days else None,
                allowed_networks=tuple(data["allowed_networks"].split()),
                service_account_id=self.service_account_id(),
            )
            return show_once(self.request, secret=made.token, secret_of=data["name"])
        return form

    def revoke(self, **ids: Any) -> None:
        keys.revoke_api_key(actor=self.actor, key_id=identifier(self.request.POST.get("key")))
        messages.success(self.request, _("The key no longer works."))


class KeyView(SettingsView):
    """Change, renew and withdraw one: its holder, and for a service account those who manage these."""

    template_name = "settings/key.html"
    handlers = {"change": "change", "renew": "renew", "revoke": "revoke"}

    def _key(self) -> ApiKey:
        return selectors.get_api_key(self.kwargs["key_id"], self.actor)

    def _form(self, key: ApiKey, data: Any = None) -> forms.KeyChangeForm:
        role = selectors.organization_role(self.actor, key.organization_id)
        grantable = [scope for scope in policies.SCOPES if policies.can_grant_scope(self.actor, role, scope)]
        rows = selectors.visible_projects(self.actor).filter(organization=key.organization_id, archived_at=None)
        projects = {each.pk: each for each in self.offered(rows.order_by("name"))}
        if key.project is not None:
            projects.setdefault(key.project.pk, key.project)
        scopes = [scope for scope in policies.SCOPES if scope in {*grantable, *key.scopes}]
        initial = {
            "name": key.name,
            "project": str(key.project_id or ""),
            "reach": "ticked" if key.scopes else "all",
            "scopes": [scope for scope in scopes if scope in key.scopes],
            "allowed_networks": " ".join(key.allowed_networks),
            "expires": "keep",
        }
        return forms.KeyChangeForm(
            data, initial=initial, projects=projects.values(), scopes=scopes, expires_at=key.expires_at
        )

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        key = self._key()
        role = selectors.organization_role(self.actor, key.organization_id)
        can_change = policies.can_change_key(self.actor, role, user_id=key.user_id, is_service=key.user.is_service)
        is_over = key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= timezone.now())
        is_renewal = isinstance(form, forms.KeyRenewForm)
        return {
            "key": key,
            "can_change": can_change and not is_over,
            "is_over": is_over,
            "form": form if form and not is_renewal else self._form(key),
            "renew_form": form if is_renewal else forms.KeyRenewForm(),
        }

    def change(self, key_id: UUID) -> BaseForm:
        key = self._key()
        role = selectors.organization_role(self.actor, key.organization_id)
        policies.require(policies.can_change_key(self.actor, role, user_id=key.user_id, is_service=key.user.is_service))
        form = self._form(key, self.request.POST)
        if form.is_valid():
            keys.change_api_key(actor=self.actor, key_id=key_id, **form.new_values(key.expires_at))
            messages.success(self.request, _("Saved. It holds from the next request on."))
        return form

    def renew(self, key_id: UUID) -> BaseForm | HttpResponse:
        form = forms.KeyRenewForm(self.request.POST)
        if not form.is_valid():
            return form
        hours = form.cleaned_data["overlap"]
        until = timezone.now() + timedelta(hours=hours) if hours else None
        made = keys.renew_api_key(actor=self.actor, key_id=key_id, previous_until=until)
        return show_once(self.request, secret=made.token, secret_of=made.key.name)

    def revoke(self, key_id: UUID) -> HttpResponse:
        key = keys.revoke_api_key(actor=self.actor, key_id=key_id)
        messages.success(self.request, _("The key no longer works."))
        return redirect(_home_of(key, self.actor.user_id))


def _home_of(key: ApiKey, user_id: UUID | None) -> str:
    """The list in which it is."""
    if key.user_id != user_id:
        return reverse("accounts:settings_access")
    return reverse("accounts:settings_keys")
