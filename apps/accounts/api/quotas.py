"""``me/quotas/``: what one has left of what is counted."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import quotas, selectors
from apps.accounts.models import Organization
from apps.accounts.types import Actor
from apps.core.api import APIView, Serializer

MOST_ORGANIZATIONS = 20

EXAMPLE = OpenApiExample(
    "quotas",
    {
        "results": [
            {
                "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
                "name": "answers_an_hour",
                "most": 100,
                "remaining": 97,
                "window_seconds": 3600,
                "next_seconds": 36,
            }
        ]
    },
    response_only=True,
)


class QuotaQuery(Serializer):
    organization = serializers.UUIDField(
        required=False, help_text="Only there; without it in every organization of one's own."
    )


class QuotaOut(serializers.Serializer):
    organization = serializers.UUIDField()
    name = serializers.ChoiceField(choices=[quota.name for quota in quotas.QUOTAS])
    most = serializers.IntegerField(help_text="So many fit in the window.")
    remaining = serializers.IntegerField()
    window_seconds = serializers.IntegerField()
    next_seconds = serializers.IntegerField(help_text="When there is one more; 0 when nothing was taken.")


class QuotaListOut(serializers.Serializer):
    results = QuotaOut(many=True)


def _lines(organization: Organization, viewer: Actor) -> list[dict[str, object]]:
    return [
        {
            "organization": organization.pk,
            "name": each.quota.name,
            "most": each.most,
            "remaining": each.remaining,
            "window_seconds": int(each.quota.window.total_seconds()),
            "next_seconds": each.next_seconds,
        }
        for each in quotas.list_remainders(viewer=viewer, organization_id=organization.pk)
    ]


class QuotaListView(APIView):
    @extend_schema(
        operation_id="me_quotas", tags=["me"], parameters=[QuotaQuery], responses=QuotaListOut, examples=[EXAMPLE]
    )
    def get(self, request: Request) -> Response:
        """How many answers of models one may still ask for, in an hour and in a day. A key sees its own organization only."""
        wanted = QuotaQuery.parse_query(request).get("organization")
        organizations = (
            [selectors.get_organization(wanted, request.actor)]
            if wanted
            else selectors.visible_organizations(request.actor).order_by("name", "pk")[:MOST_ORGANIZATIONS]
        )
        lines = [line for organization in organizations for line in _lines(organization, request.actor)]
        return Response(QuotaListOut({"results": lines}).data)
