"""To an identity provider and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.identity.adapter import asked
from apps.accounts.identity.known import Known, find_known
from apps.accounts.identity.protocols import protocol_of

View = Callable[[HttpRequest, Known], HttpResponse]


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
    """A link and no form: a form's redirect to somewhere else is what the content security policy forbids."""
    is_connecting = request.GET.get("process") == "connect" and request.user.is_authenticated
    provider = protocol_of(request, known).get_provider()
    provider.get_oauth2_adapter = lambda request: protocol_of(request, known)
    process = AuthProcess.CONNECT if is_connecting else AuthProcess.LOGIN
    return provider.redirect(request, process=process, next_url=get_next_redirect_url(request))


@_of_provider
def callback(request: HttpRequest, known: Known) -> HttpResponse:
    return OAuth2CallbackView.adapter_view(protocol_of(request, known))(request)
