"""Attempts to sign in, devices and the list of blocked networks for operators."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.models import BlockedNetwork, Device, SignInAttempt, SignInSignal
from apps.accounts.services import networks
from apps.accounts.types import NetworkListRefused
from apps.core.admin import ServiceAdmin


class SignalInline(admin.TabularInline):  # type: ignore[type-arg]
    model = SignInSignal
    fields = readonly_fields = ("signal", "points", "facts")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and request.user.is_staff  # type: ignore[union-attr]


@admin.register(SignInAttempt)
class SignInAttemptAdmin(ServiceAdmin):
    """Kept for 90 days, those of nobody for one. Accounts are hashes: addresses that nobody has are tried too."""

    list_display = (
        "created_at",
        "user",
        "method",
        "address",
        "country",
        "is_familiar",
        "has_succeeded",
        "score",
        "verdict",
    )
    list_filter = ("has_succeeded", "verdict", "method", "is_familiar")
    search_fields = ("address", "user__email")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    inlines = (SignalInline,)


@admin.register(Device)
class DeviceAdmin(ServiceAdmin):
    list_display = ("user", "user_agent", "created_at", "last_seen_at", "forgotten_at")
    list_filter = (("forgotten_at", admin.EmptyFieldListFilter),)
    search_fields = ("user__email", "user_agent")
    list_select_related = ("user",)


class BlockedNetworkForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = BlockedNetwork
        fields = ("network", "reason", "expires_at")

    def clean_network(self) -> str:
        typed = self.cleaned_data["network"]
        try:
            found = list(networks.read_list([typed]))
        except NetworkListRefused as error:
            raise forms.ValidationError(_("Write a network such as 198.51.100.0/24, no wider than /8.")) from error
        if not found:
            raise forms.ValidationError(_("Write a network such as 198.51.100.0/24, no wider than /8."))
        return found[0]


@admin.register(BlockedNetwork)
class BlockedNetworkAdmin(ServiceAdmin):
    list_display = ("network", "reason", "expires_at", "created_at")
    list_filter = (("expires_at", admin.EmptyFieldListFilter),)
    search_fields = ("network", "reason")
    form = BlockedNetworkForm
    actions = ("unblock",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def save_model(self, request: HttpRequest, obj: BlockedNetwork, form: Any, change: Any) -> None:
        networks.block_networks(
            actor=request.actor,  # type: ignore[attr-defined]
            networks={obj.network: obj.reason},
            expires_at=obj.expires_at,
        )
        obj.pk = BlockedNetwork.objects.values_list("pk", flat=True).get(network=obj.network)

    @admin.action(description=_("Take these networks off the list"))
    def unblock(self, request: HttpRequest, queryset: QuerySet[BlockedNetwork]) -> None:
        names = list(queryset.values_list("network", flat=True))
        count = networks.unblock_networks(actor=request.actor, networks=names)  # type: ignore[attr-defined]
        text = ngettext("%(count)d network is off the list.", "%(count)d networks are off the list.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)
