"""What one has left, and what the organization allows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.forms import BaseForm
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import policies, quotas
from apps.accounts.pages.settings import SettingsView
from apps.core import preferences, pressure, redis
from apps.core.change_forms import ChangeForm
from apps.core.doors.settings import Level


class QuotaForm(ChangeForm):
    answers_an_hour = forms.IntegerField(
        label=gettext_lazy("Answers in an hour"),
        min_value=1,
        max_value=1_000_000,
        help_text=gettext_lazy("For each person."),
    )
    answers_a_day = forms.IntegerField(label=gettext_lazy("Answers in a day"), min_value=1, max_value=1_000_000)


def _halvings() -> int:
    try:
        return pressure.halvings()
    except redis.Away:
        return 0


class LimitsView(SettingsView):
    template_name = "settings/limits.html"
    handlers = {"": "save", "quotas": "save"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        organization = self.organization()
        lines = quotas.list_remainders(viewer=self.actor, organization_id=organization.pk)
        return {
            "form": form or self._form(),
            "lines": [(line, 100 * (line.most - line.remaining) // line.most) for line in lines],
            "is_halved": _halvings() > 0,
            "can_manage": policies.can_manage_organization(self.actor, self.role()),
        }

    def _form(self, data: Any = None) -> QuotaForm:
        organization_id = self.organization().pk
        return QuotaForm(data, initial={quota.name: quota.most(organization_id) for quota in quotas.QUOTAS})

    def save(self) -> BaseForm:
        form = self._form(self.request.POST)
        if form.is_valid():
            organization, changed = self.organization(), form.changed()
            for quota in quotas.QUOTAS:
                if changed.get(quota.name, form.initial[quota.name]) != form.initial[quota.name]:
                    preferences.change_setting(
                        actor=self.actor,
                        key=quota.setting.key,
                        level=Level.ORGANIZATION,
                        target_id=organization.pk,
                        value=changed[quota.name],
                        organization_id=organization.pk,
                    )
            messages.success(self.request, _("Saved."))
        return form
