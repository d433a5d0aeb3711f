"""To an identity provider and back."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts import knocks
from apps.accounts.identity.adapter import asked
from apps.accounts.identity.known import Known, find_known
from apps.accounts.identity.protocols import protocol_of
from apps.accounts.services import fresh_proofs
from apps.accounts.types import IdentityProviderKind

View = Callable[[HttpRequest, Known], HttpResponse]


#: In the session: what a link has to carry that connects an identity.
LINK_KEY = "sso_connect"


def connect_word(request: HttpRequest) -> str:
    """For the links of a page of ours. A GET begins the way (a form could not leave our origin), so it proves where it was clicked."""
    word: str = request.session.setdefault(LINK_KEY, secrets.token_urlsafe(24))
    return word


def _take_connect_word(request: HttpRequest) -> bool:
    """Good once."""
    kept, sent = request.session.get(LINK_KEY), request.GET.get("word", "")
    if not kept or not constant_time_compare(kept, sent):
        return False
    del request.session[LINK_KEY]
    return True


def _was_sent_here(request: HttpRequest) -> bool:
    """By a page that is not ours. Browsers that do not say (old ones, and all over plain http) are believed."""
    return request.headers.get("Sec-Fetch-Site", "") in {"cross-site", "same-site"}


def _of_provider(view: View) -> Callable[[HttpRequest, str], HttpResponse]:
    @wraps(view)
    def found(request: HttpRequest, slug: str) -> HttpResponse:
        known = find_known(slug)
        if known is None:
            raise Http404
        token = asked.set(known)
        try:
            return view(request, known)
        finally:
            asked.reset(token)

    return never_cache(require_GET(found))


@_of_provider
def start(request: HttpRequest, known: Known) -> HttpResponse:
    """A link and no form: a form's redirect to somewhere else is what the content security policy forbids.

    Who comes from another site is asked first: a provider may answer without asking, and nobody is signed in, or gets an
    identity connected, without an act.
    """
    is_connecting = request.GET.get("process") == "connect" and request.user.is_authenticated
    if not is_connecting and _was_sent_here(request):
        context = {"name": known.name, "here": request.get_full_path()}
        return render(request, "account/sso_begin.html", context)
    if is_connecting:
        knocks.note_proofs(request)
    if is_connecting and not fresh_proofs.is_fresh(actor=request.actor):  # type: ignore[attr-defined]
        # Back to the page with the link, not here: the proof is a form, and its redirect must end on our own origin.
        way = get_adapter().get_reauthentication_methods(request.user)[0]
        return redirect(f"{way['url']}?{urlencode({'next': reverse('accounts:settings_security')})}")
    if is_connecting and not _take_connect_word(request):
        return redirect("accounts:settings_security")
    provider = protocol_of(request, known).get_provider()
    provider.get_oauth2_adapter = lambda request: protocol_of(request, known)
    process = AuthProcess.CONNECT if is_connecting else AuthProcess.LOGIN
    return provider.redirect(request, process=process, next_url=get_next_redirect_url(request))


@_of_provider
def again(request: HttpRequest, known: Known) -> HttpResponse:
    """A fresh proof for who is signed in: the provider is told to ask for one (OpenID Connect Core 1.0, section 3.1.2.1)."""
    if not request.user.is_authenticated:
        raise Http404
    if _was_sent_here(request):
        return redirect("accounts:settings_security")
    provider = protocol_of(request, known).get_provider()
    provider.get_oauth2_adapter = lambda request: protocol_of(request, known)
    after = reverse("accounts:proof_done")
    if next_url := get_next_redirect_url(request):
        after = f"{after}?{urlencode({'next': next_url})}"
    asks = {} if known.kind == IdentityProviderKind.GITHUB else {"prompt": "login", "max_age": "0"}
    return provider.redirect(request, process=AuthProcess.REDIRECT, next_url=after, auth_params=asks)


@_of_provider
def callback(request: HttpRequest, known: Known) -> HttpResponse:
    return OAuth2CallbackView.adapter_view(protocol_of(request, known))(request)
