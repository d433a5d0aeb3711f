"""``auth/token/``: a pair of tokens for programs that sign in as a person."""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import tokens
from apps.accounts.addresses import client_address
from apps.accounts.models import SignInAttempt
from apps.accounts.services import attempts, codes, devices, second_factors, sessions
from apps.accounts.types import RiskVerdict, SecondFactorNeeded, SecondFactorNotValid, SessionKind
from apps.core.api import APIView, Serializer
from apps.core.errors import NotAuthenticated
from apps.core.rule_fields import Mail

CHALLENGE_SALT = "accounts.second-factor"


class TokenIn(Serializer):
    email = Mail()
    password = serializers.CharField(max_length=200, trim_whitespace=False)
    code = serializers.CharField(
        max_length=40,
        required=False,
        help_text="From the authenticator app, or a recovery code: for people who set up a second factor.",
    )
    device = serializers.CharField(
        max_length=100, required=False, help_text="What an earlier answer gave: this device is then no new one."
    )


class SecondFactorIn(Serializer):
    challenge = serializers.CharField(max_length=300, help_text="From the problem `second_factor_needed`.")
    code = serializers.CharField(max_length=40, help_text="The code that was mailed.")
    device = serializers.CharField(max_length=100, required=False)


class RefreshIn(Serializer):
    refresh = serializers.CharField(max_length=tokens.MAX_TOKEN_LENGTH)


class PairOut(serializers.Serializer):
    access = serializers.CharField(help_text="Good for ten minutes.")
    refresh = serializers.CharField(help_text="Good once: the answer to it holds the next one.")


class SignedInOut(PairOut):
    device = serializers.CharField(help_text="Keep it and send it with the next sign-in.")


class PublicAPIView(APIView):
    """Takes no credentials, so a stale cookie or key in the request changes nothing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


EXAMPLE = OpenApiExample("pair", {"access": "eyJhbGciOi…", "refresh": "eyJhbGciOi…"}, response_only=True)
SIGNED_IN = OpenApiExample(
    "signed in", {"access": "eyJhbGciOi…", "refresh": "eyJhbGciOi…", "device": "q3Zk…"}, response_only=True
)


def signed_in(request: Request, attempt: SignInAttempt, *, level: int, device_token: str | None) -> Response:
    assert attempt.user is not None
    address, user_agent = client_address(request), request.headers.get("User-Agent", "")
    device, token = devices.remember_device(user=attempt.user, device_token=device_token, user_agent=user_agent)
    session = sessions.begin_session(
        user=attempt.user,
        kind=SessionKind.TOKEN,
        auth_level=level,
        address=address,
        user_agent=user_agent,
        device=device,
    )
    attempts.admit(attempt=attempt, device=device, is_told=False)
    pair = tokens.pair_for(session)
    body = {"access": pair.access, "refresh": pair.refresh, "device": token}
    return Response(body, headers={"Cache-Control": "no-store"})


class TokenView(PublicAPIView):
    @extend_schema(
        operation_id="auth_token_create",
        tags=["auth"],
        request=TokenIn,
        responses={200: SignedInOut},
        auth=[],
        examples=[
            SIGNED_IN,
            OpenApiExample("sign in", {"email": "ines@example.org", "password": "…"}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign in with e-mail and password, and the code of the second factor where there is one.

        An unusual sign-in of somebody without a second factor is answered 401 `second_factor_needed` with a `challenge`,
        and a code is mailed: send both to `auth/token/second-factor/` within ten minutes. Where no mail goes out it is let in,
        and *Sign-in activity* says so. One that looks like an attack is 403 `sign_in_refused`.
        """
        data = TokenIn.parse(request)
        device_token = data.get("device")
        proof = attempts.check_password(
            email=data["email"],
            password=data["password"],
            address=client_address(request),
            user_agent=request.headers.get("User-Agent", ""),
            device_token=device_token,
        )
        verdict = attempts.judge(attempt=proof.attempt, user=proof.user)
        level = second_factors.require_for_token(user=proof.user, code=data.get("code"), attempt=proof.attempt)
        if verdict == RiskVerdict.STEP_UP and level == 1:
            codes.send_code(attempt=proof.attempt)
            raise SecondFactorNeeded(
                _(
                    "This sign-in is unusual. Send the challenge with the code that was mailed to auth/token/second-factor/."
                ),
                challenge=signing.dumps(str(proof.attempt.pk), salt=CHALLENGE_SALT),
                methods=["mail_code"],
            )
        return signed_in(request, proof.attempt, level=level, device_token=device_token)


class TokenSecondFactorView(PublicAPIView):
    @extend_schema(
        operation_id="auth_token_second_factor",
        tags=["auth"],
        request=SecondFactorIn,
        responses={200: SignedInOut},
        auth=[],
        examples=[
            SIGNED_IN,
            OpenApiExample("code", {"challenge": "IjAxOWFk…", "code": "1234 5678"}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """The second step of an unusual sign-in. Five wrong codes, or ten minutes, and it begins anew."""
        data = SecondFactorIn.parse(request)
        attempt = codes.take_code(attempt_id=_attempt_of(data["challenge"]), code=data["code"])
        return signed_in(request, attempt, level=1, device_token=data.get("device"))


def _attempt_of(challenge: str) -> UUID:
    try:
        return UUID(signing.loads(challenge, salt=CHALLENGE_SALT, max_age=codes.LIFETIME))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise SecondFactorNotValid from None


class TokenRefreshView(PublicAPIView):
    @extend_schema(
        operation_id="auth_token_refresh",
        tags=["auth"],
        request=RefreshIn,
        responses={200: PairOut},
        auth=[],
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """The next pair. A refresh token works once; one that comes a second time ends the session."""
        claims = tokens.read_refresh(RefreshIn.parse(request)["refresh"])
        if claims is None:
            raise NotAuthenticated
        session = sessions.renew_token_session(
            session_id=claims.session_id, user_id=claims.user_id, epoch=claims.epoch, refresh_id=claims.token_id
        )
        pair = tokens.pair_for(session)
        return Response({"access": pair.access, "refresh": pair.refresh}, headers={"Cache-Control": "no-store"})


class TokenRevokeView(PublicAPIView):
    @extend_schema(operation_id="auth_token_revoke", tags=["auth"], request=RefreshIn, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        """End the session of this refresh token, with every token it gave."""
        claims = tokens.read_refresh(RefreshIn.parse(request)["refresh"])
        if claims is None:
            raise NotAuthenticated
        sessions.revoke_token_session(session_id=claims.session_id, user_id=claims.user_id)
        return Response(status=204)
