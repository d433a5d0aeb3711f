"""A body of ``chat/completions`` → ``Completion`` (https://platform.openai.com/docs/api-reference/chat/create).

Fields this door knows and cannot carry out are refused; fields nobody knows are ignored, as OpenAI's own clients expect.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.gateway.types import Completion, ParameterRefused, ParameterUnsupported
from apps.llm.types import (
    ImageContent,
    NeutralMessage,
    NeutralPart,
    Parameters,
    Role,
    TextContent,
    ToolCallContent,
    ToolResultContent,
    ToolSpec,
)

MAX_MESSAGES = 2000
MAX_TOOLS = 128
MAX_STOP = 4
MAX_CHARACTERS = 4_000_000
MAX_OUTPUT_TOKENS = 1_000_000
MAX_IMAGES = 20
ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
# Field → the values that ask for nothing; any other value is refused.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": (),
    "functions": (),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "parallel_tool_calls": (True,),
    "prediction": (),
    "presence_penalty": (0,),
    "store": (False,),
    "top_logprobs": (0,),
    "verbosity": (),
    "web_search_options": (),
}
_IMAGE = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,", re.IGNORECASE)
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}


def read_completion(body: Mapping[str, Any]) -> Completion:
    """Raises ``ParameterRefused`` naming the first wrong place."""
    for name, harmless in UNSUPPORTED.items():
        if body.get(name) is not None and body[name] not in harmless:
            raise ParameterUnsupported(name, _("%(name)s is not supported here. Leave it out.") % {"name": name})
    if _whole(body, "n", 1, 1_000_000, default=1) != 1:
        raise ParameterUnsupported("n", _("One answer a request: n can only be 1."))
    tools = _tools(body)
    return Completion(
        model=_text(body, "model", limit=300),
        messages=_messages(body),
        parameters=_parameters(body, tools),
        tools=tools,
        is_stream=_flag(body, "stream"),
        has_usage=_flag(_mapping(body, "stream_options"), "include_usage", place="stream_options.include_usage"),
    )


def _parameters(body: Mapping[str, Any], tools: tuple[ToolSpec, ...]) -> Parameters:
    limits = [
        limit
        for name in ("max_completion_tokens", "max_tokens")
        if (limit := _whole(body, name, 1, MAX_OUTPUT_TOKENS)) is not None
    ]
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        raise ParameterRefused("reasoning_effort", _one_of(EFFORTS))
    return Parameters(
        temperature=_decimal(body, "temperature", 0, 2),
        top_p=_decimal(body, "top_p", 0, 1),
        max_output_tokens=limits[0] if limits else None,
        stop=_stop(body.get("stop")),
        seed=_whole(body, "seed", -(2**63), 2**63 - 1),
        reasoning_effort=effort,
        response_schema=_response_schema(body),
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
    )


def _messages(body: Mapping[str, Any]) -> tuple[NeutralMessage, ...]:
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise ParameterRefused("messages", _("Send a list of at least one message."))
    if len(given) > MAX_MESSAGES:
        raise ParameterRefused("messages", _("At most %(count)s messages are taken.") % {"count": MAX_MESSAGES})
    messages = tuple(_message(item, f"messages[{i}]") for i, item in enumerate(given))
    parts = [part for message in messages for part in message.parts]
    characters = sum(len(part.text) for part in parts if isinstance(part, TextContent))
    characters += sum(len(part.content) for part in parts if isinstance(part, ToolResultContent))
    if characters > MAX_CHARACTERS:
        raise ParameterRefused(
            "messages", _("The messages are longer than %(count)s characters.") % {"count": MAX_CHARACTERS}
        )
    if sum(isinstance(part, ImageContent) for part in parts) > MAX_IMAGES:
        raise ParameterRefused("messages", _("At most %(count)s images are taken.") % {"count": MAX_IMAGES})
    return messages


def _message(given: Any, place: str) -> NeutralMessage:
    if not isinstance(given, dict):
        raise ParameterRefused(place, _("A message is an object."))
    said = given.get("role")
    role = ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise ParameterRefused(f"{place}.role", _one_of(ROLES))
    name = _text(given, "name", limit=64, place=f"{place}.name", is_required=False)
    if role is Role.TOOL:
        content = "".join(
            part.text for part in _content(given.get("content"), f"{place}.content") if isinstance(part, TextContent)
        )
        call_id = _text(given, "tool_call_id", limit=200, place=f"{place}.tool_call_id")
        return NeutralMessage(role=role, parts=(ToolResultContent(id=call_id, content=content),))
    parts: list[NeutralPart] = []
    calls = given.get("tool_calls") if role is Role.ASSISTANT else None
    if given.get("content") is not None or not calls:
        parts += _content(given.get("content"), f"{place}.content", can_show=role is Role.USER)
    if calls:
        parts += _tool_calls(calls, f"{place}.tool_calls")
    return NeutralMessage(role=role, parts=tuple(parts), name=name)


def _content(given: Any, place: str, *, can_show: bool = False) -> list[NeutralPart]:
    if isinstance(given, str):
        return [TextContent(given)]
    if not isinstance(given, list):
        raise ParameterRefused(place, _("The content is text or a list of parts."))
    parts: list[NeutralPart] = []
    for i, item in enumerate(given):
        here = f"{place}[{i}]"
        kind = item.get("type") if isinstance(item, dict) else None
        if kind in ("text", "refusal"):
            parts.append(
                TextContent(_text(item, kind, limit=MAX_CHARACTERS, place=f"{here}.{kind}", may_be_empty=True))
            )
        elif kind == "image_url" and can_show:
            parts.append(_image(item.get("image_url"), f"{here}.image_url"))
        else:
            raise ParameterUnsupported(f"{here}.type", _("Parts are text, and in a user's message image_url."))
    return parts


def _image(given: Any, place: str) -> ImageContent:
    url = given.get("url") if isinstance(given, dict) else given
    found = _IMAGE.match(url) if isinstance(url, str) else None
    if found is None or not isinstance(url, str):
        # Fetching an address that a caller names would make us its proxy.
        raise ParameterUnsupported(
            f"{place}.url", _("Send the picture itself as a data: URL (png, jpeg, gif or webp, base64).")
        )
    media_type = found.group(1).lower()
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise ParameterRefused(f"{place}.url", _("The picture is not valid base64.")) from None
    if not data.startswith(_MAGIC[media_type]):
        raise ParameterRefused(f"{place}.url", _("The picture is not of the type it says."))
    return ImageContent(media_type=media_type, data=data)


def _tool_calls(given: Any, place: str) -> list[NeutralPart]:
    if not isinstance(given, list):
        raise ParameterRefused(place, _("tool_calls is a list."))
    calls: list[NeutralPart] = []
    for i, item in enumerate(given):
        here = f"{place}[{i}]"
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict):
            raise ParameterRefused(f"{here}.function", _("A tool call names its function."))
        raw = _text(function, "arguments", limit=MAX_CHARACTERS, place=f"{here}.function.arguments", may_be_empty=True)
        try:
            arguments = json.loads(raw or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise ParameterRefused(f"{here}.function.arguments", _("The arguments are a JSON object, as text."))
        calls.append(
            ToolCallContent(
                id=_text(item, "id", limit=200, place=f"{here}.id"),
                name=_tool_name(function, f"{here}.function.name"),
                arguments=arguments,
            )
        )
    return calls


def _tools(body: Mapping[str, Any]) -> tuple[ToolSpec, ...]:
    given = body.get("tools")
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > MAX_TOOLS:
        raise ParameterRefused("tools", _("tools is a list of at most %(count)s functions.") % {"count": MAX_TOOLS})
    tools = []
    for i, item in enumerate(given):
        place = f"tools[{i}]"
        if not isinstance(item, dict) or item.get("type") != "function" or not isinstance(item.get("function"), dict):
            raise ParameterUnsupported(f"{place}.type", _("Tools are functions."))
        function = item["function"]
        parameters = function.get("parameters")
        if parameters is not None and not isinstance(parameters, dict):
            raise ParameterRefused(f"{place}.function.parameters", _("The parameters are a JSON Schema object."))
        tools.append(
            ToolSpec(
                name=_tool_name(function, f"{place}.function.name"),
                description=_text(
                    function,
                    "description",
                    limit=20_000,
                    place=f"{place}.function.description",
                    is_required=False,
                ),
                parameters=parameters or {"type": "object", "properties": {}},
            )
        )
    return tuple(tools)


def _tool_choice(given: Any, tools: tuple[ToolSpec, ...]) -> str | None:
    if given is None or given in ("auto", "none", "required"):
        if given == "required" and not tools:
            raise ParameterRefused("tool_choice", _("tool_choice needs tools."))
        return given
    function = given.get("function") if isinstance(given, dict) and given.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if name not in [tool.name for tool in tools]:
        raise ParameterRefused("tool_choice", _("tool_choice is auto, none, required or one of the tools."))
    return name


def _response_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = _mapping(body, "response_format")
    match given.get("type"):
        case None | "text":
            return None
        case "json_object":
            return {"type": "object"}
        case "json_schema":
            wrapped = given.get("json_schema")
            schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
            if not isinstance(schema, dict):
                raise ParameterRefused("response_format.json_schema.schema", _("The schema is an object."))
            return schema
        case _:
            raise ParameterRefused("response_format.type", _one_of(("text", "json_object", "json_schema")))


def _stop(given: Any) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    if words is None:
        return ()
    if (
        not isinstance(words, list)
        or len(words) > MAX_STOP
        or not all(isinstance(word, str) and 0 < len(word) <= 200 for word in words)  # noqa: PLR2004
    ):
        raise ParameterRefused("stop", _("stop is text or a list of at most four texts."))
    return tuple(words)


def _tool_name(function: Mapping[str, Any], place: str) -> str:
    name = function.get("name")
    if not isinstance(name, str) or not _TOOL_NAME.match(name):
        raise ParameterRefused(place, _("A function's name has 1 to 64 letters, digits, _ or -."))
    return name


def _mapping(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = body.get(name)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ParameterRefused(name, _("%(name)s is an object.") % {"name": name})
    return given


def _text(
    given: Mapping[str, Any],
    name: str,
    *,
    limit: int,
    place: str = "",
    is_required: bool = True,
    may_be_empty: bool = False,
) -> str:
    value = given.get(name)
    if value is None and not is_required:
        return ""
    if not isinstance(value, str) or len(value) > limit or (is_required and not value and not may_be_empty):
        raise ParameterRefused(
            place or name, _("%(name)s is text of at most %(limit)s characters.") % {"name": name, "limit": limit}
        )
    return value


def _flag(given: Mapping[str, Any], name: str, *, place: str = "") -> bool:
    value = given.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ParameterRefused(place or name, _("%(name)s is true or false.") % {"name": name})
    return value


def _whole(body: Mapping[str, Any], name: str, least: int, most: int, *, default: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ParameterRefused(name, _between(name, least, most))
    return value


def _decimal(body: Mapping[str, Any], name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ParameterRefused(name, _between(name, least, most))
    return float(value)


def _between(name: str, least: float, most: float) -> str:
    return _("%(name)s is a number from %(least)s to %(most)s.") % {"name": name, "least": least, "most": most}


def _one_of(values: Any) -> str:
    return _("Use one of: %(values)s.") % {"values": ", ".join(values)}
