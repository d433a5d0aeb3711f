"""What an agent is given, and what it is called by."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict
from apps.llm.errors import EmptyAnswer
from apps.llm.types import NeutralMessage, Parameters, Purpose, ToolSpec


class AgentNameTaken(Conflict):
    code = "agent_name_taken"
    default_detail = _("An agent of this project has that name. Choose another.")


class DefaultAgentNeeded(Conflict):
    code = "default_agent_needed"
    default_detail = _("A project keeps one default agent. Make another the default first.")


class AnswerWithoutWords(EmptyAnswer):
    """It asked for tools as often as it may, and again when none were offered any more."""

    code = "without_words"
    title = default_detail = _("The model asked for tools again and again and said nothing. Choose another model.")


@dataclass(frozen=True, slots=True)
class Instructions:
    """The frozen part of an agent that an answer needs; read once with the turn, so that an edit does not change a running answer."""

    agent_id: UUID | None
    name: str
    text: str
    model_id: UUID | None
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """Everything one answer is made from. ``messages`` are the path, oldest first, without instructions.

    ``overrides`` are parameters that the caller asks for; what they leave open is the agent's. Calls of programs have no turn.
    ``unread_files`` are still being read by a worker: a second look at them may find their words.
    ``may_cut_results``: what tools gave is ours, and may be cut to what the model can read. ``without_tools``: as of a model that knows none.
    ``may_leave_out``: of so many of the first messages the oldest are left out where the model cannot read all.
    """

    organization_id: UUID
    project_id: UUID
    turn_id: UUID | None
    user_id: UUID | None
    instructions: Instructions
    messages: tuple[NeutralMessage, ...]
    system_prompt: str = ""
    model_id: UUID | None = None
    tools: tuple[ToolSpec, ...] = ()
    language: str = "en"
    correlation_id: str = ""
    people: tuple[str, ...] = ()
    overrides: Parameters | None = None
    unread_files: tuple[UUID, ...] = ()
    purpose: Purpose = Purpose.CHAT
    may_cut_results: bool = False
    without_tools: bool = False
    may_leave_out: int = 0
