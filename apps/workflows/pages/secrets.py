"""The secrets of a project's workflows, for who manages it: their names, who kept them and when. What is in one is written and never shown."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.core import rules
from apps.core.api import Order, Page, page_url
from apps.core.errors import DomainError, NotFound
from apps.core.rule_fields import TextField
from apps.workflows import policies, selectors, services
from apps.workflows.types import SecretKind

WINDOW = 50


def _sealed(label: Any) -> forms.CharField:
    """It is not sent back with a form that has a mistake, and no browser keeps it."""
    control = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
    return forms.CharField(
        label=label, max_length=10_000, strip=False, widget=control, help_text=_("Nobody can read it again.")
    )


class SecretForm(forms.Form):
    """``kind`` and ``value`` say what is kept of it."""

    kind: SecretKind
    name = TextField(
        rules.NAME.of(61),
        label=_("Name"),
        help_text=_("As the document calls it: letters, digits and underscores. A secret of that name is replaced."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )

    def value(self) -> dict[str, Any]:
        return {name: said for name, said in self.cleaned_data.items() if name != "name"}


class TokenForm(SecretForm):
    kind = SecretKind.BEARER
    token = _sealed(_("Token"))


class BasicForm(SecretForm):
    kind = SecretKind.BASIC
    username = TextField(rules.NAME.of(200), label=_("User name"))
    password = _sealed(_("Password"))


class ClientForm(SecretForm):
    """Client credentials (RFC 6749, 4.4)."""

    kind = SecretKind.OAUTH2
    authority = TextField(
        rules.URL, label=_("Where tokens are given"), widget=forms.URLInput(attrs={"placeholder": "https://"})
    )
    token_path = TextField(
        rules.NAME.of(200), label=_("Path of the token endpoint"), required=False, help_text=_("Empty: /oauth2/token")
    )
    client_id = TextField(rules.NAME.of(200), label=_("Client"))
    client_secret = _sealed(_("Client secret"))
    scopes = TextField(rules.TEXT.of(1000), label=_("Scopes"), required=False, help_text=_("Separated by blanks."))

    def value(self) -> dict[str, Any]:
        said = self.cleaned_data
        found: dict[str, Any] = {
            "authority": said["authority"],
            "grant": "client_credentials",
            "client": {"id": said["client_id"], "secret": said["client_secret"]},
        }
        if said["token_path"]:
            found["endpoints"] = {"token": said["token_path"]}
        return found | ({"scopes": said["scopes"].split()} if said["scopes"] else {})


FORMS: dict[str, type[SecretForm]] = {form.kind: form for form in (TokenForm, BasicForm, ClientForm)}


class SecretsPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(request, _project(request))

    def post(self, request: HttpRequest) -> HttpResponse:
        project = _project(request)
        form_class = FORMS.get(request.POST.get("kind", ""))
        if form_class is None:
            raise NotFound
        form = form_class(request.POST, prefix=form_class.kind)
        if form.is_valid():
            try:
                services.keep_secret(
                    actor=request.actor,  # type: ignore[attr-defined]
                    project_id=project.pk,
                    name=form.cleaned_data["name"],
                    value=form.value(),
                )
            except DomainError as error:
                for each in error.fields:
                    form.add_error("name" if each.field == "name" else None, each.detail)
                if not error.fields:
                    form.add_error(None, error.detail)
            else:
                return redirect("workflows:secrets")
        return self.shown(request, project, form)

    def shown(self, request: HttpRequest, project: Any, wrong: SecretForm | None = None) -> HttpResponse:
        rows = selectors.list_secrets(request.actor, project_id=project.pk).select_related("kept_by")  # type: ignore[attr-defined]
        page = Page.of(rows, order=Order("created_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        kinds = selectors.kinds_of_secrets(page.results)
        initial = {"name": request.GET.get("name", "")[:61]}
        made = [
            wrong if wrong and wrong.kind == kind else made(initial=initial, prefix=kind)
            for kind, made in FORMS.items()
        ]
        context = {
            "project": project,
            "secrets": [(row, kinds.get(row.pk)) for row in page.results],
            "forms": made,
            "open_kind": wrong.kind if wrong else request.GET.get("kind", ""),
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "workflows/secrets.html", context, status=400 if wrong else 200)


class DeleteSecretPage(LoginRequiredMixin, View):
    def post(self, request: HttpRequest, workflow_secret_id: UUID) -> HttpResponse:
        services.delete_secret(actor=request.actor, secret_id=workflow_secret_id)  # type: ignore[attr-defined]
        return redirect("workflows:secrets")


def _project(request: HttpRequest) -> Any:
    """The one that the form was made for, whatever was opened since, else where one is: for who may define workflows there; others are
    told that their role does not allow it.
    """
    try:
        project = accounts.get_project(UUID(request.POST["project"]), request.actor)  # type: ignore[attr-defined]
    except KeyError:
        project = places.find_project(request)
    except ValueError:
        raise NotFound from None
    if project is None:
        raise NotFound
    policies.require(policies.can_define(request.actor, accounts.role_in(request.actor, project)))  # type: ignore[attr-defined]
    return project
