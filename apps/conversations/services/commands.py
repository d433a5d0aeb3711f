"""Slash commands: the door is open to every app; these five are our own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.types import Actor
from apps.conversations import selectors
from apps.conversations.services.conversations import change_conversation
from apps.conversations.types import UnknownCommand
from apps.core import rules
from apps.core.doors.commands import Command, CommandCall, CommandResult, commands


def describe_commands() -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "summary": str(each.summary),
            "arguments": str(each.arguments),
            "needs_words": each.needs_words,
        }
        for each in sorted(commands, key=lambda command: command.name)
    ]


def run_command(*, actor: Actor, conversation_id: UUID, name: str, arguments: str = "") -> CommandResult:
    """Runs for the caller; what it changes goes through services and asks their policies."""
    selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    command = commands.get(name)
    if command is None:
        raise UnknownCommand
    return command.run(CommandCall(actor, conversation_id, arguments.strip()))


def _help(_call: CommandCall) -> CommandResult:
    lines = [f"/{each['name']} {each['arguments']}".strip() + f" — {each['summary']}" for each in describe_commands()]
    mention = _("@ and a name: an agent or a model answers; a message that names only people gets no answer.")
    branch = _(
        "What is read, and saved as Markdown, is your own branch of the conversation; JSON and ZIP hold all branches."
    )
    return CommandResult("\n".join([*lines, mention, branch]))


def _change(call: CommandCall, **changes: Any) -> None:
    change_conversation(actor=call.actor, conversation_id=call.conversation_id, changes=changes)  # type: ignore[arg-type]


def _model(call: CommandCall) -> CommandResult:
    _change(call, model=call.arguments or None)
    if call.arguments:
        return CommandResult(_("%(model)s answers from now on.") % {"model": call.arguments})
    return CommandResult(_("The default model answers from now on."))


def _system(call: CommandCall) -> CommandResult:
    _change(call, system_prompt=call.arguments)
    if call.arguments:
        return CommandResult(_("The instructions of this conversation are set."))
    return CommandResult(_("The instructions of this conversation are removed."))


def _title(call: CommandCall) -> CommandResult:
    _change(call, title=call.arguments[: rules.TITLE.max_length])
    if call.arguments:
        return CommandResult(_("The title is set."))
    return CommandResult(_("The next answer gives this conversation a title."))


def _export(call: CommandCall) -> CommandResult:
    chosen = call.arguments.lower() or "markdown"
    if chosen not in ("markdown", "json", "zip"):
        return CommandResult(_("Write /export markdown, /export json or /export zip."))
    url = reverse("conversations_export", kwargs={"conversation_id": call.conversation_id})
    return CommandResult(_("The export is ready."), {"download": f"{url}?format={chosen}"})


def register() -> None:
    for command in (
        Command("help", gettext_lazy("List the commands"), _help),
        Command("model", gettext_lazy("Choose who answers here"), _model, gettext_lazy("<name>")),
        Command("system", gettext_lazy("Set instructions for this conversation"), _system, gettext_lazy("<text>")),
        Command("title", gettext_lazy("Name this conversation"), _title, gettext_lazy("<text>")),
        Command(
            "export", gettext_lazy("Download this conversation"), _export, "markdown | json | zip", needs_words=True
        ),
    ):
        commands.register(command.name, command)
