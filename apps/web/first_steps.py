"""The welcome: a light that says who answers, and four actions that fit what the project has and lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agents.answerers import Answerer

MORNING, NOON, EVENING = 5, 12, 18


@dataclass(frozen=True, slots=True)
class Step:
    """Either an address to go to or a text that is put into the composer."""

    icon: str
    title: str
    why: str
    url: str = ""
    text: str = ""
    attach: bool = False


@dataclass(frozen=True, slots=True)
class Light:
    """``kind``: good, warn, bad, demo when there is only the demo, or chosen-demo when it answers although there are others."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What decides which steps are offered; an address is empty for those who may not go there."""

    has_model: bool
    has_conversations: bool
    people: int
    connect_url: str
    invite_url: str
    samples: Sequence[Mapping[str, str]] = ()


def light_of(answerers: Sequence[Answerer]) -> Light:
    """Who answers if the person just writes, and whether that one can be reached."""
    first = next(iter(answerers), None)
    models = [each for each in answerers if each.kind == "model"]
    if first is None or first.is_demo or not models:
        return Light("demo" if all(each.is_demo for each in models) else "chosen-demo", "")
    if first.reason:
        return Light(
            "bad",
            _("%(name)s cannot answer at the moment: %(reason)s.") % {"name": first.label, "reason": first.reason},
        )
    names = {"name": first.label, "model": first.model_label}
    if first.is_doubtful:
        return Light("warn", _("%(name)s answers, on %(model)s, but the last test of its provider failed.") % names)
    return Light("good", _("%(name)s answers, on %(model)s.") % names)


def greeting(name: str) -> str:
    hour = timezone.localtime().hour
    if MORNING <= hour < NOON:
        return _("Good morning, %(name)s.") % {"name": name}
    if NOON <= hour < EVENING:
        return _("Good afternoon, %(name)s.") % {"name": name}
    return _("Good evening, %(name)s.") % {"name": name}


def list_steps(facts: ProjectFacts) -> list[Step]:
    """Always four: what is missing comes first."""
    return [*_missing(facts), *_fitting(facts), *_usual()][:4]


def _missing(facts: ProjectFacts) -> Iterator[Step]:
    if not facts.has_model and facts.connect_url:
        yield Step(
            icon="plug",
            title=_("Connect a model"),
            why=_("A key of a provider, or a model server on this machine."),
            url=facts.connect_url,
        )
    if facts.people < 2 and facts.invite_url:  # noqa: PLR2004
        yield Step(
            icon="user-plus",
            title=_("Invite people"),
            why=_("They see the same messages as they are written."),
            url=facts.invite_url,
        )


def _fitting(facts: ProjectFacts) -> Iterator[Step]:
    if facts.has_conversations:
        yield Step(
            icon="search",
            title=_("Find what was said"),
            why=_("Search all titles, messages and records you may read."),
            url=reverse("web:search"),
        )
    elif facts.samples:
        sample = facts.samples[0]
        yield Step(
            icon="layers",
            title=_("Try: %(title)s") % {"title": sample["title"]},
            why=_("Words that show what the pack of this project does.")
            if sample["text"].startswith("/")
            else _("Send these words of the pack; then /extract suggests records from them."),
            text=sample["text"],
        )


def _usual() -> list[Step]:
    return [
        Step(
            icon="message-square",
            title=_("Think something through"),
            why=_("Say what you want to decide, and what speaks for and against it."),
            text=_("Help me decide: "),
        ),
        Step(
            icon="file-text",
            title=_("Ask about a document"),
            why=_("Attach a file and ask what it says, in your own words."),
            text=_("What are the five most important points in this document?"),
            attach=True,
        ),
        Step(
            icon="pencil",
            title=_("Draft a text"),
            why=_("A mail, a brief, a page: say for whom and how long."),
            text=_("Draft a short mail to "),
        ),
        Step(
            icon="keyboard",
            title=_("See what commands do"),
            why=_("A slash at the start of a message: /help lists them."),
            text="/help",
        ),
    ]
