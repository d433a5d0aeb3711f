"""Which tools a model is offered, and what comes of it when it asks for one.

What a model asks for is untrusted, as what tools answer is: the name has to be one that was offered, the arguments have to fit its schema, and
the tool acts with the rights of who the model works for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import jsonschema_rs
import orjson
from django.db import InterfaceError, OperationalError

from apps.core import preferences
from apps.core.db import in_thread
from apps.core.doors.tool_limits import tool_limits
from apps.core.doors.tools import Tool, ToolAnswer, ToolCall, tools
from apps.core.errors import DomainError
from apps.core.leases import scaled
from apps.llm.types import ToolSpec

logger = logging.getLogger(__name__)

MOST_CHARACTERS = 20_000
MOST_IN_ARGUMENTS = 10_000
IN_ANSWERS = "agents.tools_in_answers"
#: Makes the call of a tool from its arguments: for whom and where. In a thread, where it may ask the database who that is today.
Caller = Callable[[dict[str, Any]], ToolCall]


def offered(*, allowed: Collection[str] | None = None, wanted: Collection[str] | None = None) -> tuple[Tool, ...]:
    """Of the registered tools those that only read, that are ``allowed`` here (None: all) and ``wanted`` (None: all of these)."""
    found = [tools.get(name) for name in sorted(tools.names())]
    return tuple(
        tool
        for tool in found
        if tool is not None
        and not tool.changes_something
        and (allowed is None or tool.name in allowed)
        and (wanted is None or tool.name in wanted)
    )


def offered_beside(*, organization_id: UUID, project_id: UUID, conversation_id: UUID) -> tuple[Tool, ...]:
    """What an answer in a conversation is offered now: of use in the project, and left over by every limit.

    Where nothing is of use this is one look for each kind of thing that tools read; the rest is asked only then.
    """
    found = offered()
    has_use = {look: look(project_id) for look in {tool.has_use for tool in found if tool.has_use}}
    found = tuple(tool for tool in found if tool.has_use is None or has_use[tool.has_use])
    if not found or not preferences.get(IN_ANSWERS, organization=organization_id, project=project_id):
        return ()
    for limit in tool_limits:
        allowed = limit.allowed(conversation_id)
        if allowed is not None:
            found = tuple(tool for tool in found if tool.name in allowed)
    return found


def specs_of(these: Sequence[Tool]) -> tuple[ToolSpec, ...]:
    return tuple(ToolSpec(tool.name, str(tool.summary), tool.parameters) for tool in these)


async def run(these: Sequence[Tool], name: str, arguments: Mapping[str, Any], caller: Caller) -> ToolAnswer:
    """What the model is told. Refusals are answers: it may try otherwise."""
    tool = next((each for each in these if each.name == name), None)
    if tool is None:
        return ToolAnswer(f"There is no tool {name[:60]} here.", is_error=True)
    if wrong := _first_wrong(tool, arguments):
        return ToolAnswer(wrong, is_error=True)
    try:
        async with asyncio.timeout(scaled(tool.timeout_seconds)):
            answer = await in_thread(lambda: tool.run(caller(dict(arguments))))
    except TimeoutError:
        return ToolAnswer("The tool took too long.", is_error=True)
    except (OperationalError, InterfaceError):  # away, or it ended what took too long
        logger.warning("tool_without_database", extra={"tool": tool.name})
        return ToolAnswer("The tool cannot look now.", is_error=True)
    except DomainError as error:
        said = "; ".join([error.detail, *(f"{each.field}: {each.detail}" for each in error.fields[:5])])
        return ToolAnswer(said[:MOST_CHARACTERS], is_error=True)
    except Exception:  # a model asks for what nobody thought of, and the answer goes on without it
        logger.exception("tool_failed", extra={"tool": tool.name})
        return ToolAnswer("The tool failed.", is_error=True)
    if len(answer.content) > MOST_CHARACTERS:
        return ToolAnswer(f"{answer.content[:MOST_CHARACTERS]}… (cut)", answer.is_error)
    return answer


def is_too_long(arguments: Mapping[str, Any]) -> bool:
    return len(str(arguments)) > MOST_IN_ARGUMENTS


def _first_wrong(tool: Tool, arguments: Mapping[str, Any]) -> str:
    if is_too_long(arguments):
        return "These arguments are too long."
    error = next(iter(_validator(orjson.dumps(tool.parameters)).iter_errors(dict(arguments))), None)
    return f"These arguments do not fit: {str(error.message)[:300]}" if error else ""


@lru_cache(maxsize=100)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(orjson.loads(schema))
