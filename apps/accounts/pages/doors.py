"""Ways in besides the sign-in form: links that sign in once, the claim of a fresh installation, invitations."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts.models import User
from apps.accounts.pages.answers import add_errors
from apps.accounts.pages.forms import NewPersonForm
from apps.accounts.services import people, sessions
from apps.core.errors import Invalid

BACKEND = settings.AUTHENTICATION_BACKENDS[0]


def sign_in(request: HttpRequest, user: User) -> HttpResponse:
    login(request, user, backend=BACKEND)
    return redirect(settings.LOGIN_REDIRECT_URL)


@method_decorator([never_cache, sensitive_post_parameters("password")], name="dispatch")
class LinkView(View):
    """``GET`` only shows what the link is for: programs that look at links in mails must not use them up."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        link = sessions.find_sign_in_link(token=token)
        if link is None:
            return render(request, "accounts/link_used.html", status=400)
        if link.user is None:
            return render(request, "accounts/claim.html", {"form": NewPersonForm()})
        return render(request, "accounts/link.html")

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        link = sessions.find_sign_in_link(token=token)
        if link is None:
            return render(request, "accounts/link_used.html", status=400)
        if link.user is not None:
            return sign_in(request, sessions.use_sign_in_link(token=token))
        form = NewPersonForm(request.POST)
        if form.is_valid():
            try:
                return sign_in(request, people.claim_instance(token=token, **form.cleaned_data))
            except Invalid as error:
                add_errors(form, error)
        return render(request, "accounts/claim.html", {"form": form}, status=400)
