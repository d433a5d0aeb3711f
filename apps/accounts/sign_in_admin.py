"""Attempts to sign in, devices and the list of blocked networks for operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.models import BlockedNetwork, Device, IdentityProvider, Organization, SignInAttempt, SignInSignal
from apps.accounts.services import identity, networks
from apps.accounts.types import FreshSignInNeeded, IdentityProviderKind, NetworkListRefused
from apps.core import addresses, rules
from apps.core.admin import ServiceAdmin
from apps.core.errors import DomainError


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


class IdentityProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """The secret is written and never read: an empty field keeps the one that is there."""

    of_organization = forms.ModelChoiceField(
        label=_("Organization"), queryset=Organization.objects.filter(deleted_at=None)
    )
    issuer = forms.URLField(label=_("Issuer"), max_length=500, required=False, assume_scheme="https")
    new_secret = forms.CharField(
        label=_("Client secret"),
        max_length=500,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = IdentityProvider
        fields = ("kind", "slug", "name", "client_id", "domains", "joins_as", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.organization_id:
            del self.fields["of_organization"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, rule in identity.WORDS.items():
            self._keep(name, rule)
        self._keep("domains", rules.domains)
        kind = data.get("kind") or self.instance.kind
        if not self.instance.pk and not data.get("new_secret"):
            self.add_error("new_secret", _("Type the secret that the provider gave."))
        if kind == IdentityProviderKind.OIDC and not data.get("issuer"):
            self.add_error("issuer", _("Type the issuer's address."))
        elif data.get("issuer"):
            try:
                addresses.check_url(data["issuer"], resolves=False)
            except DomainError as error:
                self.add_error("issuer", str(error.detail))
        return data

    def _keep(self, name: str, rule: Callable[[Any], Any]) -> None:
        """What the service would refuse is said at its field."""
        if not self.cleaned_data.get(name):
            return
        try:
            rule(self.cleaned_data[name])
        except rules.RuleBroken as broken:
            self.add_error(name, broken.sentence)


@admin.register(IdentityProvider)
class IdentityProviderAdmin(ServiceAdmin):
    """Of all organizations: operators switch one off that went wrong."""

    list_display = ("name", "organization", "kind", "slug", "domains", "joins_as", "is_enabled")
    list_filter = ("kind", "is_enabled")
    search_fields = ("name", "slug", "organization__name")
    list_select_related = ("organization",)
    form = IdentityProviderForm
    actions = ("switch_on", "switch_off", "remove")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        whose = ["organization"] if obj else ["of_organization"]
        return [
            *whose,
            "kind",
            "slug",
            "name",
            "issuer",
            "client_id",
            "new_secret",
            "domains",
            "joins_as",
            "is_enabled",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("organization", "kind", "slug") if obj else ()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with _proof_is_asked_for():
            return super().changeform_view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with _proof_is_asked_for():
            return super().changelist_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: IdentityProvider, form: Any, change: Any) -> None:
        actor = request.actor  # type: ignore[attr-defined]
        data = dict(form.cleaned_data)
        data["client_secret"] = data.pop("new_secret")
        if change:
            identity.change_provider(actor=actor, provider_id=obj.pk, **data)
            return
        made = identity.make_provider(actor=actor, organization_id=data.pop("of_organization").pk, **data)
        obj.pk = made.pk

    def _switch(self, request: HttpRequest, queryset: QuerySet[IdentityProvider], *, is_enabled: bool) -> None:
        for row in queryset:
            identity.change_provider(actor=request.actor, provider_id=row.pk, is_enabled=is_enabled)  # type: ignore[attr-defined]
        text = ngettext("%(count)d provider changed.", "%(count)d providers changed.", len(queryset))
        self.message_user(request, text % {"count": len(queryset)}, messages.SUCCESS)

    @admin.action(description=_("Switch these providers on"))
    def switch_on(self, request: HttpRequest, queryset: QuerySet[IdentityProvider]) -> None:
        self._switch(request, queryset, is_enabled=True)

    @admin.action(description=_("Switch these providers off; their sessions end"))
    def switch_off(self, request: HttpRequest, queryset: QuerySet[IdentityProvider]) -> None:
        self._switch(request, queryset, is_enabled=False)

    @admin.action(description=_("Remove these providers, with every link of a person to them"))
    def remove(self, request: HttpRequest, queryset: QuerySet[IdentityProvider]) -> None:
        count = len(queryset)
        for row in queryset:
            identity.remove_provider(actor=request.actor, provider_id=row.pk)  # type: ignore[attr-defined]
        text = ngettext("%(count)d provider removed.", "%(count)d providers removed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@contextmanager
def _proof_is_asked_for() -> Iterator[None]:
    """By the page that does afterwards what was asked for."""
    try:
        yield
    except FreshSignInNeeded as error:
        raise ReauthenticationRequired from error


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
