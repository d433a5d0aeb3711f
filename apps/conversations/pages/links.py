"""Which conversations of the organization are shared by link, and whether any may be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import BaseForm
from django.utils.translation import gettext as _

from apps.accounts import policies as account_policies
from apps.accounts.pages.settings import SettingsView
from apps.conversations import selectors, services
from apps.conversations.types import SHARE_LINKS, LinkNotFound
from apps.core import preferences
from apps.core.doors.settings import Level


class LinksSettings(SettingsView):
    template_name = "settings/links.html"
    handlers = {"switch": "switch", "withdraw": "withdraw"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        organization = self.organization()
        return {
            "links": self.part_of(selectors.list_links_in(viewer=self.actor, organization_id=organization.pk)),
            "are_on": selectors.are_links_on(organization.pk),
            "can_manage": account_policies.can_manage_organization(self.actor, self.role()),
        }

    def switch(self) -> None:
        """Off: links that are there open nothing, until it is on again."""
        organization = self.organization()
        preferences.change_setting(
            actor=self.actor,
            key=SHARE_LINKS,
            level=Level.ORGANIZATION,
            target_id=organization.pk,
            value=self.request.POST.get("on") == "yes",
            organization_id=organization.pk,
        )
        messages.success(self.request, _("Saved."))

    def withdraw(self) -> None:
        try:
            link_id = UUID(self.request.POST.get("link", ""))
        except ValueError:
            raise LinkNotFound from None
        rows = selectors.list_links_in(viewer=self.actor, organization_id=self.organization().pk)
        link = rows.filter(pk=link_id).first()
        if link is None:
            raise LinkNotFound
        services.withdraw_link(actor=self.actor, conversation_id=link.conversation_id, link_id=link.pk)
        messages.success(self.request, _("The link opens nothing any more."))
