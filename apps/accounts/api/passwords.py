"""``auth/password/``: a new password by mail."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.tokens import PublicAPIView
from apps.accounts.services import passwords
from apps.core.api import Serializer
from apps.core.rule_fields import Mail


class ResetIn(Serializer):
    email = Mail()


class ResetConfirmIn(Serializer):
    token = serializers.CharField(max_length=200, help_text="The end of the mailed address.")
    password = serializers.CharField(max_length=200, trim_whitespace=False)


class PasswordResetView(PublicAPIView):
    @extend_schema(operation_id="auth_password_reset", tags=["auth"], request=ResetIn, responses={202: None}, auth=[])
    def post(self, request: Request) -> Response:
        """Mail a link to this address, if somebody has it. The answer is the same if not."""
        passwords.request_reset(request=request._request, **ResetIn.parse(request))  # noqa: SLF001
        return Response(status=202)


class PasswordResetConfirmView(PublicAPIView):
    @extend_schema(
        operation_id="auth_password_reset_confirm",
        tags=["auth"],
        request=ResetConfirmIn,
        responses={204: None},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Set it. Every session and token of the person ends."""
        passwords.reset_password(**ResetConfirmIn.parse(request))
        return Response(status=204)
