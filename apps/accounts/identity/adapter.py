"""allauth's social accounts: apps come from our providers, calls go our way out, and ``services.identity`` decides who comes in."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.identity.known import Known, find_known
from apps.accounts.identity.outbound import Session
from apps.accounts.rules import is_in
from apps.accounts.services import identity
from apps.accounts.types import IdentityProviderKind, SsoRefused
from apps.core import http

#: Whose provider is being asked: the operator's own may be on a private network, an organization's only in public.
asked: ContextVar[Known | None] = ContextVar("parlance_identity_provider", default=None)


#: How long ago the provider may have asked for a proof that is to count as fresh; its clock is not ours.
PROOF_SECONDS = 5 * 60


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        known = asked.get() or find_known(str(provider or ""))
        return [app_of(known)] if known else []

    def get_requests_session(self) -> Session:
        known = asked.get()
        return Session(http.TRUSTED if known and known.row is None else http.PUBLIC)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """After this the account exists and is linked, or a ``DomainError`` says why not."""
        known = asked.get()
        if known is None:
            raise SsoRefused
        address = _address_of(sociallogin, known)
        said = sociallogin.account.extra_data
        word = identity.Word(
            slug=known.slug,
            uid=sociallogin.account.uid,
            email=str(address.email) if address else "",
            is_verified=bool(address and address.verified is True),
            name=str(said.get("userinfo", said).get("name") or ""),
        )
        is_connecting = sociallogin.state.get("process") == "connect" and request.user.is_authenticated
        linked_to = sociallogin.user.pk if sociallogin.is_existing else None
        if sociallogin.state.get("process") == AuthProcess.REDIRECT:
            self._prove_again(request, sociallogin, word)
            return
        if is_connecting:
            identity.require_may_connect(actor=request.actor, word=word)  # type: ignore[attr-defined]
            return
        user = identity.admit(word=word, linked_to=linked_to)
        if linked_to is None:
            sociallogin.lookup()
        if getattr(request, "sso_second_factor", False):
            record_authentication(request, user, "mfa", type="identity_provider")

    def _prove_again(self, request: HttpRequest, sociallogin: SocialLogin, word: identity.Word) -> None:
        """Only the identity that is linked to who is signed in, and where the provider says when it asked: just now."""
        asked_at = getattr(request, "sso_asked_at", None)
        is_stale = asked_at is not None and time.time() - asked_at > PROOF_SECONDS
        if not sociallogin.is_existing or sociallogin.user != request.user or is_stale:
            raise SsoRefused
        identity.admit(word=word, linked_to=sociallogin.user.pk)
        record_authentication(
            request, sociallogin.user, "socialaccount", provider=word.slug, uid=word.uid, reauthenticated=True
        )

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("accounts:settings_security")


def _address_of(sociallogin: SocialLogin, known: Known) -> EmailAddress | None:
    """Of several (GitHub tells all of them): a confirmed one, in the domains that the provider speaks for, the person's first."""
    domains = known.row.domains if known.row else []

    def rank(address: EmailAddress) -> tuple[bool, ...]:
        return address.verified is not True, bool(domains) and not is_in(address.email, domains), not address.primary

    return min(sociallogin.email_addresses, key=rank, default=None)


def app_of(known: Known) -> SocialApp:
    """Never saved: nothing is in allauth's own table."""
    is_github = known.kind == IdentityProviderKind.GITHUB
    return SocialApp(
        provider="github" if is_github else "openid_connect",
        provider_id=known.slug,
        name=known.name,
        client_id=known.client_id,
        secret=known.secret,
        settings={"server_url": known.issuer.rstrip("/"), "oauth_pkce_enabled": True},
    )
