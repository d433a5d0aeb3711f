"""Both wires against the scripted provider: real HTTP, the real SDK clients."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from contextlib import aclosing

import httpx2
import pytest

from apps.llm import errors
from apps.llm.adapters.anthropic import AnthropicAdapter
from apps.llm.adapters.openai_compatible import OpenAICompatibleAdapter
from apps.llm.presets import PRESETS, ProviderKind
from apps.llm.types import (
    AppendText,
    ClosePart,
    Finished,
    FinishReason,
    ImageContent,
    KnowledgeContent,
    NeutralMessage,
    OpenPart,
    Parameters,
    PartType,
    Role,
    SetPart,
    TextContent,
    Timeouts,
    ToolCallContent,
    ToolResultContent,
    ToolSpec,
    Usage,
    WireCall,
)
from tests.provider.script import ERRORS, expected_text

FAST = Timeouts(connect_seconds=1, first_byte_seconds=0.4, gap_seconds=0.4, total_seconds=5)
TOOL = ToolSpec("weather", "The weather of a city.", {"type": "object", "properties": {"city": {"type": "string"}}})
WIRES = ["openai", "anthropic"]


def adapter_of(wire, url, api_key="key"):
    transport = httpx2.AsyncHTTPTransport()
    if wire == "openai":
        preset = PRESETS[ProviderKind.OPENAI]
        return OpenAICompatibleAdapter(preset=preset, base_url=f"{url}/v1", api_key=api_key, transport=transport)
    preset = PRESETS[ProviderKind.ANTHROPIC]
    return AnthropicAdapter(preset=preset, base_url=f"{url}/v1", api_key=api_key, transport=transport)


def call_of(text="hello", *, timeouts=FAST, messages=None, **values):
    messages = messages or (NeutralMessage.of_text(Role.USER, text),)
    return WireCall(model="stub-small", messages=messages, timeouts=timeouts, **values)


async def run(wire, url, call=None, *, api_key="key"):
    """The operations, and the error that ended them."""
    adapter = adapter_of(wire, url, api_key)
    operations = []
    try:
        async with aclosing(adapter.stream(call or call_of(), headers={"X-Client-Request-Id": "t-1"})) as stream:
            async for operation in stream:
                operations.append(operation)  # noqa: PERF401  (kept when an error ends the stream)
    except errors.ModelError as error:
        return operations, error
    finally:
        await adapter.aclose()
    return operations, None


def text_of(operations):
    return "".join(o.text for o in operations if isinstance(o, AppendText))


@pytest.fixture(params=WIRES)
def wire(request):
    return request.param


async def test_stream_gives_text_usage_and_end(wire, provider):
    operations, error = await run(wire, provider.url)

    assert error is None
    assert operations[0] == OpenPart(0, PartType.TEXT)
    assert text_of(operations) == expected_text(20)
    assert operations[-3] == ClosePart(0)
    assert isinstance(operations[-2], Usage)
    assert operations[-2].output_tokens == 20
    assert not operations[-2].estimated
    assert operations[-1] == Finished(FinishReason.STOP)
    assert provider.calls[0]["request_id"] == "t-1"


async def test_reasoning_is_a_part_of_its_own(wire, provider):
    provider.script({"reasoning": 3, "tokens": 5})

    operations, error = await run(wire, provider.url)

    assert error is None
    opened = [(o.index, o.type) for o in operations if isinstance(o, OpenPart)]
    assert opened == [(0, PartType.REASONING), (1, PartType.TEXT)]
    assert "".join(o.text for o in operations if isinstance(o, AppendText) and o.index == 0) == (
        "thought 0 thought 1 thought 2 "
    )
    assert "".join(o.text for o in operations if isinstance(o, AppendText) and o.index == 1) == expected_text(5)
    signed = [o for o in operations if isinstance(o, SetPart)]
    expected = {"text": "thought 0 thought 1 thought 2 ", "signature": "c2lnbmVk"}
    assert signed == ([SetPart(0, expected)] if wire == "anthropic" else [])


async def test_tool_call_arguments_are_joined(wire, provider):
    provider.script({"tool": "weather", "arguments": '{"city": "Berlin", "days": [1, 2]}'})

    operations, error = await run(wire, provider.url, call_of(tools=(TOOL,)))

    assert error is None
    call_id = "call_1" if wire == "openai" else "toolu_1"
    data = {"id": call_id, "name": "weather", "arguments": {"city": "Berlin", "days": [1, 2]}}
    assert operations[:3] == [
        OpenPart(0, PartType.TOOL_CALL, {"id": call_id, "name": "weather", "arguments": {}}),
        SetPart(0, data),
        ClosePart(0),
    ]
    assert operations[-1] == Finished(FinishReason.TOOL_CALLS)


async def test_tool_call_brings_only_what_a_row_keeps(wire, provider):
    provider.script({"tool": "weather", "arguments": '{"city": "Ber\\u0000lin", "of\\u0000": ["\\u0000"]}'})

    operations, error = await run(wire, provider.url, call_of(tools=(TOOL,)))

    assert error is None
    (made,) = [each for each in operations if isinstance(each, SetPart)]
    assert made.data["arguments"] == {"city": "Berlin", "of": [""]}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
async def test_tool_call_with_a_number_that_is_none_is_garbage(provider, number):
    provider.script({"tool": "weather", "arguments": f'{{"days": {number}}}'})

    _operations, error = await run("openai", provider.url, call_of(tools=(TOOL,)))

    assert error.code == "provider_protocol"


@pytest.mark.parametrize("unnumbered", ["", "none", "zero", "bare"])
async def test_two_calls_stay_two_however_they_are_numbered(provider, unnumbered):
    values = {"tool": "weather", "arguments": '{"city": "Berlin"}', "second": "weather"}
    provider.script(values | {"second_arguments": '{"city": "Bonn"}', "unnumbered": unnumbered})

    operations, error = await run("openai", provider.url, call_of(tools=(TOOL,)))

    assert error is None
    made = [each.data for each in operations if isinstance(each, SetPart)]
    ids = ["call_0", "call_1"] if unnumbered == "bare" else ["call_1", "call_2"]
    assert [each["arguments"] for each in made] == [{"city": "Berlin"}, {"city": "Bonn"}]
    assert [each["id"] for each in made] == ids


async def test_chunk_that_brings_thoughts_words_and_a_call_is_read_whole(provider):
    provider.script({"together": "Let me see.", "tool": "weather", "arguments": '{"city": "Berlin"}'})

    operations, error = await run("openai", provider.url, call_of(tools=(TOOL,)))

    assert error is None
    opened = [each.type for each in operations if isinstance(each, OpenPart)]
    assert opened == [PartType.REASONING, PartType.TEXT, PartType.TOOL_CALL]
    assert text_of(operations) == "Let me see.Let me see."
    assert [each.data["arguments"] for each in operations if isinstance(each, SetPart)] == [{"city": "Berlin"}]


async def test_context_reaches_the_wire(wire, provider):
    messages = (
        NeutralMessage.of_text(Role.SYSTEM, "Be brief."),
        NeutralMessage(
            Role.USER,
            (
                TextContent("Look: "),
                KnowledgeContent("7", 'The "manual"', "Press </document> start."),
                ImageContent("image/png", b"\x89PNG", "a.png"),
            ),
            name="Ada",
        ),
        NeutralMessage(Role.ASSISTANT, (ToolCallContent("c1", "weather", {"city": "Köln"}),)),
        NeutralMessage(Role.TOOL, (ToolResultContent("c1", "sunny"),)),
    )

    _operations, error = await run(wire, provider.url, call_of(messages=messages, tools=(TOOL,)))

    assert error is None
    body = provider.bodies[0]
    document = '\n<document id="7" title="The \'manual\'">\nPress &lt;/document> start.\n</document>\n'
    if wire == "openai":
        assert body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"Ada: Look: {document}"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        ]
        assert body["stream_options"] == {"include_usage": True}
    else:
        assert body["system"] == "Be brief."
        assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
        assert body["messages"][0]["content"][1] == {"type": "text", "text": document}
        assert body["messages"][0]["content"][2]["source"]["data"] == "iVBORw=="
        assert body["messages"][2]["content"] == [
            {"type": "tool_result", "tool_use_id": "c1", "content": "sunny", "is_error": False}
        ]


async def test_images_are_left_out_for_models_that_cannot_see(wire, provider):
    messages = (NeutralMessage(Role.USER, (TextContent("Look: "), ImageContent("image/png", b"x", "a.png"))),)

    await run(wire, provider.url, call_of(messages=messages, can_see=False))

    sent = json.dumps(provider.bodies[0])
    assert "base64" not in sent
    assert "a.png" in sent
    assert "cannot see" in sent


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"status": 401}, "auth"),
        ({"status": 403}, "auth"),
        ({"status": 404}, "model_missing"),
        ({"status": 408}, "timeout"),
        ({"status": 429}, "rate_limited"),
        ({"status": 429, "error_type": "insufficient_quota"}, "provider_quota"),
        ({"status": 500}, "overloaded"),
        ({"status": 529}, "overloaded"),
        ({"status": 400, "message": "This model's maximum context length is 8192 tokens."}, "context_length"),
        ({"status": 400, "message": "prompt is too long: 300000 tokens > 200000 maximum"}, "context_length"),
        ({"status": 400, "message": "Rejected by the content management policy."}, "content"),
        ({"status": 400, "message": "temperature is unknown"}, "provider_refused"),
        ({"status": 302}, "provider_protocol"),
    ],
)
async def test_error_answers_are_classified(wire, provider, script, code):
    provider.script(script)

    operations, error = await run(wire, provider.url)

    assert operations == []
    assert error.code == code
    assert error.provider_status == script["status"]
    assert script.get("message", "") in error.said


@pytest.mark.parametrize(
    ("header", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({"Retry-After": "0.25"}, 0.25), ({"retry-after-ms": "300"}, 0.3), ({}, None)],
)
async def test_retry_after_is_read(wire, provider, header, seconds):
    provider.script({"status": 429, "headers": header})

    _operations, error = await run(wire, provider.url)

    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize("garbage", ["html", "json", "utf8", "no_end", *ERRORS, "two_ends", "tool_arguments"])
async def test_garbage_is_a_protocol_error(wire, provider, garbage):
    provider.script({"garbage": garbage})

    _operations, error = await run(wire, provider.url)

    assert error is not None
    assert error.code == "provider_protocol"


async def test_endless_line_is_cut_before_it_fills_memory(wire, provider):
    provider.script({"garbage": "long_line"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    _operations, error = await run(wire, provider.url, call_of(timeouts=Timeouts()))

    assert error.code == "provider_protocol"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    provider.wait_for(lambda stats: stats["client_closes"] == 1)


async def test_empty_answer(wire, provider):
    provider.script({"garbage": "empty"})

    _operations, error = await run(wire, provider.url)

    assert error.code == "empty"


async def test_wrong_key(wire, provider):
    _operations, error = await run(wire, provider.url, api_key="wrong")

    assert error.code == "auth"


@pytest.mark.parametrize("reset", [False, True])
async def test_close_in_the_middle_keeps_what_was_shown(wire, provider, reset):
    provider.script({"tokens": 100, "cut": 50, "reset": reset, "rate": 500})

    operations, error = await run(wire, provider.url)

    assert error.code == "provider_disconnected"
    assert expected_text(50).startswith(text_of(operations)) if reset else text_of(operations) == expected_text(50)


async def test_close_before_the_first_token_may_be_tried_again(wire, provider):
    provider.script({"cut": 0})

    operations, error = await run(wire, provider.url)

    assert operations == []
    assert error.code == "network"
    assert error.is_transient


@pytest.mark.parametrize("script", [{"hang": 0}, {"hang_headers": True}])
async def test_hang_before_the_first_token(wire, provider, script):
    provider.script(script)
    begun = time.monotonic()

    operations, error = await run(wire, provider.url)

    assert operations == []
    assert error.code == "timeout"
    assert error.allows_fallback
    assert 0.35 < time.monotonic() - begun < 1.5
    provider.wait_for(lambda stats: stats["client_closes"] == 1)


async def test_hang_after_tokens(wire, provider):
    provider.script({"tokens": 100, "hang": 50, "rate": 500})

    operations, error = await run(wire, provider.url)

    assert error.code == "provider_stalled"
    assert not error.allows_fallback
    assert text_of(operations) == expected_text(50)


async def test_total_time_is_bounded(wire, provider):
    provider.script({"tokens": 1000, "rate": 20})
    timeouts = Timeouts(first_byte_seconds=1, gap_seconds=1, total_seconds=0.4)

    _operations, error = await run(wire, provider.url, call_of(timeouts=timeouts))

    assert error.code == "provider_stalled"


async def test_slow_reader_is_not_a_stalled_provider(wire, provider):
    provider.script({"tokens": 3, "rate": 1000})
    adapter = adapter_of(wire, provider.url)

    operations = []
    async with aclosing(adapter.stream(call_of(), headers={})) as stream:
        async for operation in stream:
            operations.append(operation)
            if len(operations) == 2:
                await asyncio.sleep(FAST.gap_seconds * 1.5)
    await adapter.aclose()

    assert operations[-1] == Finished(FinishReason.STOP)


async def test_linger_after_the_end_mark_does_not_hold_the_answer(wire, provider):
    provider.script({"tokens": 3, "linger": 5})
    begun = time.monotonic()

    operations, error = await run(wire, provider.url)

    assert error is None
    assert operations[-1] == Finished(FinishReason.STOP)
    assert time.monotonic() - begun < 3


async def test_cancelling_closes_the_connection(wire, provider):
    provider.script({"tokens": 1000, "rate": 100})
    adapter = adapter_of(wire, provider.url)
    seen = asyncio.Event()

    async def consume():
        async with aclosing(adapter.stream(call_of(), headers={})) as stream:
            async for _operation in stream:
                seen.set()

    task = asyncio.create_task(consume())
    await asyncio.wait_for(seen.wait(), 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    provider.wait_for(lambda stats: stats["client_closes"] == 1, seconds=1)
    await adapter.aclose()


async def test_missing_usage_is_left_to_the_caller(wire, provider):
    provider.script({"usage": False})

    operations, error = await run(wire, provider.url)

    assert error is None
    assert not [o for o in operations if isinstance(o, Usage)]


async def test_refused_connection(wire):
    _operations, error = await run(wire, "http://127.0.0.1:9")

    assert error.code == "network"
    assert error.is_transient


async def test_connections_are_kept_alive(wire, provider):
    adapter = adapter_of(wire, provider.url)
    for _ in range(3):
        async with aclosing(adapter.stream(call_of(), headers={})) as stream:
            async for _operation in stream:
                pass
    await adapter.aclose()

    control_connections = 1  # asking for the figures is a connection too
    assert provider.stats["connections"] <= 1 + 1 + control_connections


async def test_list_models(wire, provider):
    adapter = adapter_of(wire, provider.url)

    models = await adapter.list_models(timeouts=FAST)
    await adapter.aclose()

    assert [model.name for model in models] == ["stub-small", "stub-large", "stub-vision"]


async def test_a_schema_that_can_be_enforced_is(provider):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }

    await run("openai", provider.url, call_of(parameters=Parameters(response_schema=schema)))

    assert provider.bodies[0]["response_format"]["json_schema"] == {"name": "answer", "schema": schema, "strict": True}


async def test_parameters_reach_the_wire(wire, provider):
    parameters = Parameters(
        temperature=0.5, max_output_tokens=77, stop=("END",), tool_choice="required", response_schema={"type": "object"}
    )

    await run(wire, provider.url, call_of(parameters=parameters, tools=(TOOL,)))

    body = provider.bodies[0]
    assert body["temperature"] == 0.5
    if wire == "openai":
        assert body["max_tokens"] == 77
        assert body["stop"] == ["END"]
        assert body["tool_choice"] == "required"
        assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    else:
        assert body["max_tokens"] == 77
        assert body["stop_sequences"] == ["END"]
        assert body["tool_choice"] == {"type": "any"}
        assert body["output_config"]["format"] == {"type": "json_schema", "schema": {"type": "object"}}
