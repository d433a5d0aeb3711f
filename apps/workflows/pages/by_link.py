"""A question that came by mail: its page, for whoever has the link, who answers in the name of whom it was sent to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views import View

from apps.accounts.actors import actor_of_row
from apps.accounts.addresses import client_address, counted_as
from apps.accounts.types import Actor
from apps.core import limits
from apps.core.errors import DomainError, Invalid
from apps.workflows import letters, presentation, selectors, services
from apps.workflows.models import Choice, Run
from apps.workflows.pages.shown import asked, refused, said_in
from apps.workflows.types import AnswerLinkGone, ChoiceClosed, ChoiceStatus, RunState

#: Nobody tries tokens by the million.
LIMIT = limits.Limit(1, 60)
HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "same-origin"}


class AnswerByLink(View):
    """Reading changes nothing: programs that look at the links of a mail answer nothing."""

    http_method_names = ("get", "head", "post")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if limits.are_on():
            limits.take("answer_link.address", counted_as(client_address(request)), LIMIT.rate, LIMIT.burst)
        response = super().dispatch(request, *args, **kwargs)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return render(request, "workflows/by_link.html", self.context(token, *self.found(token)))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        actor, run, choice = self.found(token)
        option, text = said_in(request)
        try:
            services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option=option, text=text)
        except Invalid as error:
            context = self.context(token, actor, run, choice)
            context["choice"] = refused(context["choice"], error, option=option, text=text)
            return render(request, "workflows/by_link.html", context, status=error.status)
        except (ChoiceClosed, RunState) as error:
            choice.refresh_from_db()
            late = {"is_open": False, "too_late": {"why": error.detail, "text": text}}
            return render(
                request, "workflows/by_link.html", self.context(token, actor, run, choice) | late, status=error.status
            )
        return redirect("workflows:by_link", token)

    def context(self, token: str, actor: Actor, run: Run, choice: Choice) -> dict[str, Any]:
        answers = selectors.list_answers([choice.pk]).get(choice.pk, [])
        return {
            "run": run,
            "choice": asked(presentation.choice_data(choice, answers, actor)),
            "is_open": choice.status == ChoiceStatus.OPEN,
            "token": token,
        }

    def found(self, token: str) -> tuple[Actor, Run, Choice]:
        """With the rights that the person has now: who may answer no more finds nothing here."""
        choice_id, user_id = letters.read_token(token)
        actor = actor_of_row(user_id=user_id)
        try:
            run, choice = selectors.get_choice(choice_id=choice_id, viewer=actor)
        except DomainError:
            raise AnswerLinkGone from None
        return actor, run, choice
