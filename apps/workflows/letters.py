"""The mails of workflows, each in its receiver's language, and the links in them that answer a choice without signing in."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts import selectors as accounts
from apps.core.letters import Letter, queue_letter
from apps.workflows.models import Choice, Run
from apps.workflows.types import AnswerLinkGone, ChoiceRule

_SALT = "workflows.choice"
LINK_SECONDS = 30 * 24 * 3600


def send_word(*, run: Run, people: Iterable[UUID], text: str) -> None:
    """What a step has to say, with the way to the run."""
    for pk in people:
        user = accounts.get_user(pk)
        with translation.override(user.language):
            letter = Letter(
                subject=_subject(run),
                greeting=_("Hello %(name)s,") % {"name": user.display_name},
                lead=text,
                label=_("Open the run"),
                link=f"{settings.PARLANCE_URL}{reverse('workflows:run', args=[run.pk])}",
            )
            queue_letter(recipient=user.email, letter=letter)


def send_question(*, run: Run, choice: Choice, people: Iterable[UUID]) -> None:
    """Each gets a link of their own, which answers this choice and opens nothing else."""
    for pk in people:
        user = accounts.get_user(pk)
        with translation.override(user.language):
            options = [(str(place), option["title"][:200]) for place, option in enumerate(choice.options, start=1)]
            letter = Letter(
                subject=_subject(run),
                greeting=_("Hello %(name)s,") % {"name": user.display_name},
                lead=choice.question,
                facts=[*options, *_facts(choice, user.time_zone)],
                label=_("Answer"),
                link=settings.PARLANCE_URL + reverse("workflows:by_link", args=[token_of(choice.pk, pk)]),
                closing=[
                    _("Whoever has this link answers in your name, this question and nothing else. Do not pass it on.")
                ],
            )
            queue_letter(recipient=user.email, letter=letter)


def _facts(choice: Choice, time_zone: str) -> list[tuple[str, str]]:
    """Until when it may be answered, by the clock of the mail's receiver, and what decides."""
    found = []
    if choice.deadline:
        until = choice.deadline.astimezone(ZoneInfo(time_zone))
        found.append((_("Until"), f"{date_format(until, 'DATETIME_FORMAT')} ({time_zone})"))
    if choice.rule == ChoiceRule.QUORUM:
        said = ngettext(
            "As soon as %(number)d person says so",
            "As soon as %(number)d people say the same",
            choice.quorum,
        )
        found.append((_("Decided"), said % {"number": choice.quorum}))
    elif choice.rule == ChoiceRule.VOTE:
        found.append((_("Decided"), _("By most votes, when everybody has answered or the time is up")))
    return found


def _subject(run: Run) -> str:
    return _("%(project)s: %(run)s") % {"project": run.project.name, "run": run.title or run.definition.title}


def token_of(choice_id: UUID, user_id: UUID) -> str:
    return signing.dumps([choice_id.hex, user_id.hex], salt=_SALT, compress=True)


def read_token(token: str) -> tuple[UUID, UUID]:
    """(choice, person). ``AnswerLinkGone`` for what nobody was sent, and after thirty days."""
    try:
        choice, person = signing.loads(token, salt=_SALT, max_age=LINK_SECONDS)
        return UUID(choice), UUID(person)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise AnswerLinkGone from None
