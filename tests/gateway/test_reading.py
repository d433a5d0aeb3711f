import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.gateway.openai.reading import read_completion
from apps.gateway.types import ParameterRefused, ParameterUnsupported
from apps.llm.types import (
    ImageContent,
    NeutralMessage,
    Parameters,
    Role,
    TextContent,
    ToolCallContent,
    ToolResultContent,
    ToolSpec,
)

PNG = b"\x89PNG\r\n\x1a\n....."
HI = [{"role": "user", "content": "Hi"}]


def read(**fields):
    return read_completion({"model": "stub/small", "messages": HI, **fields})


def test_read_the_smallest_request():
    found = read()

    assert found.model == "stub/small"
    assert found.messages == (NeutralMessage(Role.USER, (TextContent("Hi"),)),)
    assert found.parameters == Parameters()
    assert (found.tools, found.is_stream, found.has_usage) == ((), False, False)


def test_read_everything_that_is_carried_out():
    function = {"name": "weather", "description": "of a city", "parameters": {"type": "object"}}
    found = read(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "name": "ines",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"a": 1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rain"}]},
        ],
        stream=True,
        stream_options={"include_usage": True},
        temperature=0.5,
        top_p=1,
        max_completion_tokens=100,
        max_tokens=50,
        stop="END",
        seed=-7,
        reasoning_effort="low",
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "weather"}},
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        n=1,
        presence_penalty=0,
        user="somebody",
        metadata={"a": "b"},
        something_new=True,
    )

    assert found.messages == (
        NeutralMessage(Role.SYSTEM, (TextContent("Be brief."),)),
        NeutralMessage(Role.USER, (TextContent("What is this?"), ImageContent("image/png", PNG)), name="ines"),
        NeutralMessage(Role.ASSISTANT, (ToolCallContent("c1", "weather", {"a": 1}),)),
        NeutralMessage(Role.TOOL, (ToolResultContent("c1", "rain"),)),
    )
    assert found.parameters == Parameters(
        temperature=0.5,
        top_p=1.0,
        max_output_tokens=100,
        stop=("END",),
        seed=-7,
        reasoning_effort="low",
        response_schema={"type": "object"},
        tool_choice="weather",
    )
    assert found.tools == (ToolSpec("weather", "of a city", {"type": "object"}),)
    assert (found.is_stream, found.has_usage) == (True, True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 1000}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": -1}, "frequency_penalty"),
        ({"functions": []}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"store": True}, "store"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}],
                    }
                ]
            },
            "messages[0].content[0].image_url.url",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}}],
                    }
                ]
            },
            "messages[0].content[0].image_url.url",
        ),
    ],
)
def test_read_refuses_what_it_knows_and_cannot_do(fields, param):
    with pytest.raises(ParameterUnsupported) as refused:
        read(**fields)

    assert refused.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": ["x"]}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": HI * 2001}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": "x" * 4_000_001}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "[1]"}}]}
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,!!!"}}],
                    }
                ]
            },
            "messages[0].content[0].image_url.url",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,PHN2Zz4="}}],
                    }
                ]
            },
            "messages[0].content[0].image_url.url",
        ),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": "many"}, "max_completion_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"seed": 2**70}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"reasoning_effort": ["low"]}, "reasoning_effort"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "missing"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": ["x"]}}}, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ],
)
def test_read_names_the_wrong_place(fields, param):
    with pytest.raises(ParameterRefused) as refused:
        read(**fields)

    assert refused.value.param == param
    assert refused.value.detail


NAMES = st.sampled_from(
    [
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "tool_call_id",
        "parameters",
        "json_schema",
        "schema",
        "include_usage",
        "description",
        "user",
        "assistant",
        "tool",
        "system",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "model",
        "messages",
        "n",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "seed",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "logprobs",
        "functions",
    ]
)


@settings(max_examples=400, deadline=None)
@given(body=st.dictionaries(FIELDS, ANYTHING, max_size=6), messages=st.lists(ANYTHING, max_size=3))
def test_read_of_anything_is_read_or_refused(body, messages):
    try:
        read_completion({"model": "m", "messages": messages, **body})
    except ParameterRefused as refused:
        place = refused.param
    else:
        place = "nowhere"

    assert place
