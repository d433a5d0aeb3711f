"""Settings page: somebody leaves the organization, or their account is switched off, and who gets what they had."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts import rights
from apps.accounts.pages import right_forms
from apps.accounts.pages.settings import SettingsView, identifier
from apps.accounts.services import belongings, organizations


class LeavingView(SettingsView):
    template_name = "settings/leaving.html"
    handlers = {"remove": "remove", "hand_over": "hand_over"}

    def _form(self, left: rights.Belongings, data: Any = None) -> right_forms.HeirForm:
        heirs = self.offered(rights.list_heirs(left.member, self.actor))
        return right_forms.HeirForm(data, heirs=heirs, first=self.actor.user_id)

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        left = rights.get_belongings(ids["member_id"], self.actor)
        return {
            "left": left,
            "leaver": left.member.user,
            "things": [thing for thing in left.things.values() if thing[1]],
            "is_oneself": left.member.user_id == self.actor.user_id,
            "form": form or self._form(left),
        }

    def _heir(self, form: right_forms.HeirForm) -> UUID | None:
        chosen = form.cleaned_data["heir"]
        return identifier(chosen) if chosen else None

    def remove(self, member_id: UUID) -> BaseForm | HttpResponse:
        left = rights.get_belongings(member_id, self.actor)
        form = self._form(left, self.request.POST)
        if not form.is_valid():
            return form
        is_oneself = left.member.user_id == self.actor.user_id
        organizations.remove_member(actor=self.actor, member_id=member_id, heir_id=self._heir(form))
        messages.success(self.request, _("You have left.") if is_oneself else _("Removed. What they wrote stays."))
        return redirect("account_login" if is_oneself else reverse("accounts:settings_people"))

    def hand_over(self, member_id: UUID) -> BaseForm | HttpResponse:
        form = self._form(rights.get_belongings(member_id, self.actor), self.request.POST)
        if not form.is_valid():
            return form
        belongings.hand_over(actor=self.actor, member_id=member_id, heir_id=self._heir(form))
        messages.success(self.request, _("Handed over."))
        return redirect(reverse("accounts:settings_people"))
