"""What a request to ``/v1`` asks for, and what is wrong with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.errors import FieldError, Invalid, LimitReached, NotAuthenticated, NotFound
from apps.llm.types import NeutralMessage, Operation, Parameters, ToolSpec


@dataclass(frozen=True, slots=True)
class Completion:
    """A parsed body of ``chat/completions``."""

    model: str
    messages: tuple[NeutralMessage, ...]
    parameters: Parameters
    tools: tuple[ToolSpec, ...]
    is_stream: bool
    has_usage: bool


#: What an answer is made of, as ``llm`` and ``agents`` give it. Iterate under ``aclosing``.
Operations = AsyncGenerator[Operation, None]


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of ``/v1/models``."""

    id: str
    owned_by: str
    created: int
    pk: UUID  # of the model or the agent


@dataclass(frozen=True, slots=True)
class Answerer:
    """Whom a model name means. ``agent_id`` set: that agent of ``project_id``, else a model alone."""

    model_id: UUID | None
    max_output_tokens: int | None = None
    agent_id: UUID | None = None
    project_id: UUID | None = None


class ParameterRefused(Invalid):
    """``param`` is the place in the body, such as ``messages[2].content``."""

    code = "invalid_parameter"

    def __init__(self, param: str, detail: str) -> None:
        super().__init__(detail, fields=[FieldError(param, "invalid_parameter", detail)])
        self.param = param


class ParameterUnsupported(ParameterRefused):
    """A field that OpenAI knows and this door does not carry out: refused, because ignoring it would change the answer."""

    code = "unsupported_parameter"


class NoSuchModel(NotFound):
    """As OpenAI says it: ``param`` names the field of the body, also where the name stands in the address."""

    code = "model_not_found"
    param = "model"
    title = default_detail = _("There is no such model here, or this key may not use it.")


class KeyNeeded(NotAuthenticated):
    code = "invalid_api_key"
    default_detail = _("Send an API key that is in force: Authorization: Bearer pk_…")


class TooManyCalls(LimitReached):
    code = "too_many_calls"
    reason = "places"
    default_detail = _("Too many answers are being written for your organization at the moment. Try again shortly.")
