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

from apps.accounts.identity import published
from apps.accounts.identity.known import Known
from apps.accounts.types import IdentityProviderKind, ProviderUnreachable, SsoRefused

#: Signatures that a published key can check; never ``none``, never a shared secret.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ENDPOINTS = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
KEPT = ("sub", "name", "preferred_username")
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
            issuer = self.known.issuer.rstrip("/")
            found = published.find(self.known.slug, f"{issuer}/.well-known/openid-configuration")
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
        documents = [claims]
        if profile := self.openid_config.get("userinfo_endpoint"):
            with get_adapter().get_requests_session() as session:
                answer = session.get(profile, headers={"Authorization": f"Bearer {token.token}"})
                answer.raise_for_status()
                more = answer.json()
            if not isinstance(more, dict) or more.get("sub") != claims["sub"]:  # Core 1.0, section 5.3.2
                raise SsoRefused
            documents.append(more)
        said = {name: document[name] for document in documents for name in KEPT if name in document}
        kept = said | self._address_in(documents)
        when = claims.get("auth_time")
        request.sso_asked_at = when if isinstance(when, int | float) else None  # type: ignore[attr-defined]
        request.sso_second_factor = bool(STRONG & set(claims.get("amr") or ()))  # type: ignore[attr-defined]
        return self.get_provider().sociallogin_from_response(request, {"userinfo": kept})

    def _key(self, named: object) -> jwt.PyJWK:
        """Providers change their keys: one that is not among those that are kept is looked for once more."""
        for max_age in (published.KEPT_SECONDS, published.AGAIN_SECONDS):
            found = published.find(self.known.slug, self.openid_config["jwks_uri"], max_age=max_age)
            for key in jwt.PyJWKSet.from_dict(found).keys:
                if named is None or key.key_id == named:
                    return key
        raise SsoRefused

    def _address_in(self, documents: list[dict[str, Any]]) -> dict[str, Any]:
        """The address and the word that it is confirmed stand in one document: in the profile anybody may have written another.

        Microsoft's profile holds what its person typed; only the token's address counts, once ``xms_edov`` says whose domain it is.
        """
        if self.known.kind == IdentityProviderKind.MICROSOFT:
            return _address(documents[0], "xms_edov")
        found = [_address(document, "email_verified") for document in documents if document.get("email")]
        confirmed = [each for each in found if each["email_verified"]]
        return next(iter(confirmed or found), {"email": None, "email_verified": False})

    def _claims(self, app: SocialApp, id_token: object) -> dict[str, Any]:
        """Core 1.0, section 3.1.3.7, the signature too, although the token came straight from the issuer."""
        if not isinstance(id_token, str):
            raise SsoRefused
        try:
            key = self._key(jwt.get_unverified_header(id_token).get("kid"))
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
        except (jwt.PyJWTError, AttributeError, TypeError):
            raise SsoRefused from None


def _address(document: dict[str, Any], claim: str) -> dict[str, Any]:
    said = document.get(claim)
    return {"email": document.get("email"), "email_verified": said is True or said in ("true", "1", 1)}


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
