"""``auth/token/``: a pair of tokens for programs that sign in as a person."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import tokens
from apps.accounts.addresses import client_address
from apps.accounts.services import second_factors, sessions
from apps.accounts.types import SessionKind
from apps.core.api import APIView, Serializer
from apps.core.errors import NotAuthenticated


class TokenIn(Serializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=200, trim_whitespace=False)
    code = serializers.CharField(
        max_length=40,
        required=False,
        help_text="From the authenticator app, or a recovery code: for people who set up a second factor.",
    )


class RefreshIn(Serializer):
    refresh = serializers.CharField(max_length=tokens.MAX_TOKEN_LENGTH)


class PairOut(serializers.Serializer):
    access = serializers.CharField(help_text="Good for ten minutes.")
    refresh = serializers.CharField(help_text="Good once: the answer to it holds the next one.")


class PublicAPIView(APIView):
    """Takes no credentials, so a stale cookie or key in the request changes nothing."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


EXAMPLE = OpenApiExample("pair", {"access": "eyJhbGciOi…", "refresh": "eyJhbGciOi…"}, response_only=True)


class TokenView(PublicAPIView):
    @extend_schema(
        operation_id="auth_token_create",
        tags=["auth"],
        request=TokenIn,
        responses={200: PairOut},
        auth=[],
        examples=[
            EXAMPLE,
            OpenApiExample("sign in", {"email": "ines@example.org", "password": "…"}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign in with e-mail and password, and the code of the second factor where there is one."""
        data = TokenIn.parse(request)
        code = data.pop("code", None)
        user = sessions.check_password(address=client_address(request), **data)
        session = sessions.begin_session(
            user=user,
            kind=SessionKind.TOKEN,
            auth_level=second_factors.require_for_token(user=user, code=code),
            address=client_address(request),
            user_agent=request.headers.get("User-Agent", ""),
        )
        pair = tokens.pair_for(session)
        return Response({"access": pair.access, "refresh": pair.refresh}, headers={"Cache-Control": "no-store"})


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
