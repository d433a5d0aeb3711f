"""One's devices, and the attempts to sign in as oneself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import policies, sign_in_selectors
from apps.accounts.services import devices
from apps.accounts.types import RiskSignal, RiskVerdict, SignInMethod
from apps.accounts.words import device_words, reason_words
from apps.core.api import APIView, Order, Page, PageQuery


class DeviceOut(serializers.Serializer):
    id = serializers.UUIDField()
    user_agent = serializers.CharField()
    label = serializers.SerializerMethodField(help_text="Browser and system in words.")
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(allow_null=True)

    def get_label(self, device: Any) -> str:
        return device_words(device.user_agent)


class DevicePageOut(serializers.Serializer):
    results = DeviceOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class SignInSignalOut(serializers.Serializer):
    signal = serializers.ChoiceField(choices=RiskSignal.choices)
    points = serializers.IntegerField()
    reason = serializers.SerializerMethodField(help_text="In words.")

    def get_reason(self, row: Any) -> str:
        return reason_words(row.signal, row.facts)


class SignInAttemptOut(serializers.Serializer):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    method = serializers.ChoiceField(choices=SignInMethod.choices)
    address = serializers.CharField(allow_null=True)
    country = serializers.CharField(help_text="ISO 3166 code, or empty.")
    user_agent = serializers.CharField()
    device_id = serializers.UUIDField(allow_null=True)
    has_succeeded = serializers.BooleanField(help_text="A session began.")
    score = serializers.IntegerField(help_text="The sum of the points of its signals.")
    verdict = serializers.SerializerMethodField(help_text="Null where the proof was wrong: nothing was judged.")
    signals = SignInSignalOut(many=True)

    @extend_schema_field(serializers.ChoiceField(choices=RiskVerdict.choices, allow_null=True))
    def get_verdict(self, attempt: Any) -> str | None:
        return attempt.verdict if attempt.judged_at else None


class SignInAttemptPageOut(serializers.Serializer):
    results = SignInAttemptOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


DEVICE_EXAMPLE = OpenApiExample(
    "devices",
    {
        "results": [
            {
                "id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f13",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "label": "Firefox · Linux",
                "created_at": "2026-11-20T09:12:00Z",
                "last_seen_at": "2026-11-21T08:01:00Z",
            }
        ],
        "next": None,
        "previous": None,
    },
    response_only=True,
)
ATTEMPT_EXAMPLE = OpenApiExample(
    "attempts",
    {
        "results": [
            {
                "id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f14",
                "created_at": "2026-11-21T08:01:00Z",
                "method": "password",
                "address": "192.0.2.7",
                "country": "PT",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "device_id": None,
                "has_succeeded": False,
                "score": 85,
                "verdict": "step_up",
                "signals": [
                    {"signal": "new_device", "points": 20, "reason": "New device"},
                    {
                        "signal": "known_bad",
                        "points": 65,
                        "reason": "A network that is known for attacks (192.0.2.0/24)",
                    },
                ],
            }
        ],
        "next": None,
        "previous": None,
    },
    response_only=True,
)


class DeviceListView(APIView):
    @extend_schema(
        operation_id="me_devices_list",
        tags=["me"],
        parameters=[PageQuery],
        responses=DevicePageOut,
        examples=[DEVICE_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Devices one signed in from, newest first."""
        policies.require(policies.can_change_own_account(request.actor))
        query = PageQuery.parse_query(request)
        rows = sign_in_selectors.list_own_devices(request.actor)
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: DeviceOut(row).data))


class DeviceView(APIView):
    @extend_schema(operation_id="me_devices_forget", tags=["me"], request=None, responses={204: None})
    def delete(self, request: Request, device_id: UUID) -> Response:
        """Forget it: its sessions end, and it counts as new."""
        devices.forget_device(actor=request.actor, device_id=device_id)
        return Response(status=204)


class SignInListView(APIView):
    @extend_schema(
        operation_id="me_sign_ins_list",
        tags=["me"],
        parameters=[PageQuery],
        responses=SignInAttemptPageOut,
        examples=[ATTEMPT_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """Attempts at one's own account in the last 90 days, newest first, with what made them risky."""
        policies.require(policies.can_change_own_account(request.actor))
        query = PageQuery.parse_query(request)
        rows = sign_in_selectors.list_own_attempts(request.actor)
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: SignInAttemptOut(row).data))
