"""``/run`` in a conversation."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.core.doors.commands import Command, CommandCall, CommandResult, commands
from apps.workflows import selectors, services
from apps.workflows.models import Definition
from apps.workflows.types import InputDoesNotFit, RunCause

MOST_NAMED = 20
MOST_WRONG = 5


def run(call: CommandCall) -> CommandResult:
    """A workflow of the project by its name or title; what follows is ``text`` of the run's input. The run knows its conversation."""
    actor: Actor = call.actor  # type: ignore[assignment]
    there = _there(call)
    if not there:
        return CommandResult(_("The project has no workflow yet."))
    definition, words = _named(call.arguments, there)
    if definition is None:
        names = ", ".join(row.name for row in there[:MOST_NAMED])
        said = _("There is no workflow “%(name)s”. There are: %(names)s.")
        if not words:
            said = _("Write which workflow: “/run %(first)s”, and behind it what it is about. There are: %(names)s.")
        return CommandResult(said % {"name": words[:80], "names": names, "first": there[0].name})
    try:
        made = services.start_run(
            actor=actor,
            definition_id=definition.pk,
            data={"text": words} if words else {},
            conversation_id=call.conversation_id,
            cause=RunCause.COMMAND,
        )
    except InputDoesNotFit as error:
        raise InputDoesNotFit(_unfit(definition, error), fields=error.fields) from error
    return CommandResult(
        _("“%(title)s” runs.") % {"title": definition.title},
        {"tab": "workflow", "open": reverse("workflows:run", args=[made.pk])},
    )


def _unfit(definition: Definition, error: InputDoesNotFit) -> str:
    wrong = "; ".join(f"{each.field}: {each.detail.rstrip('.')}" for each in error.fields[:MOST_WRONG])
    said = _("“%(title)s” did not begin: it asks for other input (%(wrong)s). Start it under Workflow, by its form.")
    return said % {"title": definition.title, "wrong": wrong}


def _there(call: CommandCall) -> list[Definition]:
    actor: Actor = call.actor  # type: ignore[assignment]
    talk = conversations.get_conversation(conversation_id=call.conversation_id, viewer=actor)
    return list(selectors.list_definitions(actor, project_id=talk.project_id).order_by("name"))


def _named(said: str, there: list[Definition]) -> tuple[Definition | None, str]:
    """The longest name or title that the words begin with, and the words behind it; None with all of them for what is none."""
    words = " ".join(said.split())
    names = sorted(((name, row) for row in there for name in (row.name, row.title)), key=lambda each: -len(each[0]))
    for name, row in names:
        if words.casefold() == name.casefold() or words.casefold().startswith(f"{name.casefold()} "):
            return row, words[len(name) :].strip()
    return None, words


def register() -> None:
    summary = gettext_lazy("Start a workflow")
    commands.register("run", Command("run", summary, run, gettext_lazy("<workflow> <words>")))
