"""How people of an organization sign in: its identity providers and its rules."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import policies, rules, selectors, sign_in_selectors
from apps.accounts.api.right_shapes import SERVICE_ROLES
from apps.accounts.api.serializers import InOrganizationQuery
from apps.accounts.services import identity, sign_in_rules
from apps.accounts.types import IdentityProviderKind
from apps.core import rules as words
from apps.core.api import APIView, Order, Page, Serializer, etag, expected_version
from apps.core.rule_fields import Text, Url

MOST_DOMAINS = 100


def _domains(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=Text(words.DOMAIN), max_length=MOST_DOMAINS, **kwargs)


class IdentityProviderIn(Serializer):
    organization = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=IdentityProviderKind.choices)
    slug = Text(words.SLUG, help_text="Part of the address; it never changes.")
    name = Text(words.NAME)
    issuer = Url(
        words.URL.of(500), required=False, help_text="For Google none; for GitHub only that of a server of one's own."
    )
    client_id = Text(words.NAME.of(300))
    client_secret = serializers.CharField(max_length=500, write_only=True, help_text="Kept sealed and never shown.")
    domains = _domains(help_text="Mail domains whose addresses its word counts for.")
    joins_as = serializers.ChoiceField(
        choices=SERVICE_ROLES,
        required=False,
        allow_blank=True,
        help_text="The role of strangers with such an address; empty: they stay out.",
    )


class IdentityProviderChangeIn(Serializer):
    name = Text(words.NAME, required=False)
    issuer = Url(words.URL.of(500), required=False)
    client_id = Text(words.NAME.of(300), required=False)
    client_secret = serializers.CharField(max_length=500, required=False, write_only=True)
    domains = _domains(required=False)
    joins_as = serializers.ChoiceField(choices=SERVICE_ROLES, required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False, help_text="False ends the sessions that came through it.")


class IdentityProviderOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    kind = serializers.ChoiceField(choices=IdentityProviderKind.choices)
    slug = serializers.CharField()
    name = serializers.CharField()
    issuer = serializers.CharField()
    client_id = serializers.CharField()
    has_secret = serializers.SerializerMethodField()
    domains = serializers.ListField(child=serializers.CharField())
    joins_as = serializers.ChoiceField(choices=SERVICE_ROLES, allow_blank=True)
    is_enabled = serializers.BooleanField()
    callback_url = serializers.SerializerMethodField(help_text="To be registered at the provider.")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def get_has_secret(self, row: Any) -> bool:
        return bool(row.client_secret)

    def get_callback_url(self, row: Any) -> str:
        return settings.PARLANCE_URL + reverse("accounts:sso_callback", args=[row.slug])


class IdentityProviderPageOut(serializers.Serializer):
    results = IdentityProviderOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class SignInRulesIn(Serializer):
    require_second_factor = serializers.BooleanField(required=False)
    sso_only = serializers.BooleanField(required=False)
    mail_domains = _domains(required=False)
    session_hours = serializers.IntegerField(min_value=0, max_value=rules.HOURS.maximum, required=False)
    idle_minutes = serializers.IntegerField(min_value=0, max_value=rules.IDLE_MINUTES.maximum, required=False)


class SignInRulesOut(serializers.Serializer):
    require_second_factor = serializers.BooleanField()
    sso_only = serializers.BooleanField()
    mail_domains = serializers.ListField(child=serializers.CharField())
    session_hours = serializers.IntegerField(help_text="0: as the installation has it.")
    idle_minutes = serializers.IntegerField(help_text="0: as the installation has it.")


class ChangedRulesOut(SignInRulesOut):
    ended_sessions = serializers.IntegerField(help_text="Sessions that no longer satisfied and ended.")


EXAMPLE = OpenApiExample(
    "provider",
    {
        "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
        "kind": "oidc",
        "slug": "harbour",
        "name": "Harbour",
        "issuer": "https://id.example.org",
        "client_id": "parlance",
        "client_secret": "…",
        "domains": ["example.org"],
        "joins_as": "member",
    },
    request_only=True,
)
RULES_EXAMPLE = OpenApiExample("rules", {"require_second_factor": True, "idle_minutes": 60}, request_only=True)


class IdentityProviderListView(APIView):
    @extend_schema(
        operation_id="identity_providers_list",
        tags=["sign-in"],
        parameters=[InOrganizationQuery],
        responses=IdentityProviderPageOut,
    )
    def get(self, request: Request) -> Response:
        """Of the organizations that one manages."""
        query = InOrganizationQuery.parse_query(request)
        rows = sign_in_selectors.visible_identity_providers(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: IdentityProviderOut(row).data))

    @extend_schema(
        operation_id="identity_providers_create",
        tags=["sign-in"],
        request=IdentityProviderIn,
        responses={201: IdentityProviderOut},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """For owners of the home organization, and operators: whose word counts for which addresses opens accounts."""
        data = IdentityProviderIn.parse(request)
        made = identity.make_provider(actor=request.actor, organization_id=data.pop("organization"), **data)
        return Response(IdentityProviderOut(made).data, status=201, headers={"ETag": etag(made.version)})


class IdentityProviderView(APIView):
    @extend_schema(operation_id="identity_providers_read", tags=["sign-in"], responses=IdentityProviderOut)
    def get(self, request: Request, identity_provider_id: UUID) -> Response:
        """Without its secret."""
        row = sign_in_selectors.get_identity_provider(identity_provider_id, request.actor)
        return Response(IdentityProviderOut(row).data, headers={"ETag": etag(row.version)})

    @extend_schema(
        operation_id="identity_providers_change",
        tags=["sign-in"],
        request=IdentityProviderChangeIn,
        responses=IdentityProviderOut,
    )
    def patch(self, request: Request, identity_provider_id: UUID) -> Response:
        """Switched off, the sessions that came through it end at once."""
        changed = identity.change_provider(
            actor=request.actor,
            provider_id=identity_provider_id,
            expected_version=expected_version(request),
            **IdentityProviderChangeIn.parse(request),
        )
        return Response(IdentityProviderOut(changed).data, headers={"ETag": etag(changed.version)})

    @extend_schema(operation_id="identity_providers_delete", tags=["sign-in"], request=None, responses={204: None})
    def delete(self, request: Request, identity_provider_id: UUID) -> Response:
        """With every link of a person to it; its sessions end."""
        identity.remove_provider(
            actor=request.actor, provider_id=identity_provider_id, expected_version=expected_version(request)
        )
        return Response(status=204)


class SignInRulesView(APIView):
    @extend_schema(operation_id="sign_in_rules_read", tags=["sign-in"], responses=SignInRulesOut)
    def get(self, request: Request, organization_id: UUID) -> Response:
        """For those who manage the organization."""
        return Response(self._rules(request, organization_id))

    @extend_schema(
        operation_id="sign_in_rules_change",
        tags=["sign-in"],
        request=SignInRulesIn,
        responses=ChangedRulesOut,
        examples=[RULES_EXAMPLE],
    )
    def patch(self, request: Request, organization_id: UUID) -> Response:
        """What is sent changes. Open sessions that fall short end at once."""
        ended = sign_in_rules.change_rules(
            actor=request.actor, organization_id=organization_id, **SignInRulesIn.parse(request)
        )
        return Response(self._rules(request, organization_id) | {"ended_sessions": ended})

    def _rules(self, request: Request, organization_id: UUID) -> dict[str, Any]:
        organization = selectors.get_organization(organization_id, request.actor)
        role = selectors.role_of(request.actor, organization)
        policies.require(policies.can_manage_organization(request.actor, role))
        return rules.said_in(organization_id)
