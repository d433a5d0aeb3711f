"""The two protocols: OpenID Connect as its core and discovery say, and GitHub's OAuth."""

from __future__ import annotations

from typing import Any

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.oauth2.views import OAuth2Adapter
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.identity.known import Known
from apps.accounts.types import IdentityProviderKind, ProviderUnreachable, SsoRefused

#: Signatures that a published key can check; never ``none``, never a shared secret.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ENDPOINTS = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
KEPT = ("sub", "email", "email_verified", "name", "preferred_username")
STRONG = frozenset({"mfa", "otp", "hwk", "swk", "fpt", "face"})  # RFC 8176
LEEWAY_SECONDS = 30


class OwnAddress:
    """The configured address, whatever ``Host`` the request claimed."""

    provider_id: str

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return settings.PARLANCE_URL + reverse("accounts:sso_callback", args=[self.provider_id])


class OpenIDConnect(OwnAddress, OpenIDConnectOAuth2Adapter):
    def __init__(self, request: HttpRequest, known: Known) -> None:
        super().__init__(request, known.slug)
        self.known = known

    @property
    def openid_config(self) -> dict[str, Any]:
        """Discovery 1.0, section 4.3: the issuer it names is the one that was asked."""
        if not hasattr(self, "_openid_config"):
            with get_adapter().get_requests_session() as session:
                answer = session.get(f"{self.known.issuer.rstrip('/')}/.well-known/openid-configuration")
                answer.raise_for_status()
                found = answer.json()
            is_whole = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ENDPOINTS)
            if not is_whole or not self._is_issuer(found["issuer"]):
                raise ProviderUnreachable
            self._openid_config = found
        return self._openid_config

    def _is_issuer(self, named: str) -> bool:
        # Microsoft's "common" names a template: the tenant is in the token, which is checked against its own issuer.
        return named.rstrip("/") == self.known.issuer.rstrip("/") or "{tenantid}" in named

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> SocialLogin:
        claims = self._claims(app, kwargs["response"].get("id_token"))
        said = dict(claims)
        if profile := self.openid_config.get("userinfo_endpoint"):
            with get_adapter().get_requests_session() as session:
                answer = session.get(profile, headers={"Authorization": f"Bearer {token.token}"})
                answer.raise_for_status()
                more = answer.json()
            if not isinstance(more, dict) or more.get("sub") != claims["sub"]:  # Core 1.0, section 5.3.2
                raise SsoRefused
            said |= more
        kept = {name: said[name] for name in KEPT if name in said}
        kept["email_verified"] = said.get("email_verified") in (True, "true") or (
            self.known.kind == IdentityProviderKind.MICROSOFT and said.get("xms_edov") in (True, 1, "1", "true")
        )
        when = claims.get("auth_time")
        request.sso_asked_at = when if isinstance(when, int | float) else None  # type: ignore[attr-defined]
        request.sso_second_factor = bool(STRONG & set(claims.get("amr") or ()))  # type: ignore[attr-defined]
        return self.get_provider().sociallogin_from_response(request, {"userinfo": kept})

    def _claims(self, app: SocialApp, id_token: object) -> dict[str, Any]:
        """Core 1.0, section 3.1.3.7, the signature too, although the token came straight from the issuer."""
        if not isinstance(id_token, str):
            raise SsoRefused
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            published = answer.json()
        try:
            keys = jwt.PyJWKSet.from_dict(published).keys
            named = jwt.get_unverified_header(id_token).get("kid")
            key = next(key for key in keys if named is None or key.key_id == named)
            issuer = self.openid_config["issuer"]
            if "{tenantid}" in issuer:
                unverified = jwt.decode(id_token, options={"verify_signature": False})
                issuer = issuer.replace("{tenantid}", str(unverified.get("tid")))
            return jwt.decode(
                id_token,
                key=key,
                algorithms=ALGORITHMS,
                issuer=issuer,
                audience=app.client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["sub", "iss", "aud", "exp"]},
            )
        except (jwt.PyJWTError, StopIteration, AttributeError, TypeError):
            raise SsoRefused from None


class GitHub(OwnAddress, GitHubOAuth2Adapter):
    def __init__(self, request: HttpRequest, known: Known) -> None:
        super().__init__(request)
        self.provider_id = known.slug
        if known.issuer:  # a GitHub of one's own: its API is below the same address
            web = known.issuer.rstrip("/")
            self.authorize_url, self.access_token_url = (
                f"{web}/login/oauth/authorize",
                f"{web}/login/oauth/access_token",
            )
            self.profile_url, self.emails_url = f"{web}/api/v3/user", f"{web}/api/v3/user/emails"


def protocol_of(request: HttpRequest, known: Known) -> OAuth2Adapter:
    return (GitHub if known.kind == IdentityProviderKind.GITHUB else OpenIDConnect)(request, known)
