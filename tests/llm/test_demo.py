from __future__ import annotations

import json

import pytest

from apps.llm.adapters.demo import DemoAdapter
from apps.llm.types import (
    AppendText,
    Finished,
    FinishReason,
    KnowledgeContent,
    NeutralMessage,
    Parameters,
    Purpose,
    Role,
    SetPart,
    TextContent,
    ToolCallContent,
    ToolResultContent,
    ToolSpec,
    WireCall,
)

TOOL = ToolSpec(
    "weather",
    "The weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
)


async def operations_of(*messages, **values):
    call = WireCall(model="demo", messages=messages, **values)
    return [operation async for operation in DemoAdapter(seconds_a_word=0).stream(call, headers={})]


async def text_of(*messages, **values):
    return "".join(o.text for o in await operations_of(*messages, **values) if isinstance(o, AppendText))


def user(text):
    return NeutralMessage.of_text(Role.USER, text)


@pytest.mark.parametrize(("language", "word"), [("en", "**demo**"), ("de", "**Demo**"), ("fr", "**demo**")])
async def test_demo_says_what_it_is(language, word):
    text = await text_of(user("What is this?"), language=language)

    assert word in text
    assert "\n- " in text


async def test_demo_streams_in_words():
    pieces = [o.text for o in await operations_of(user("hi")) if isinstance(o, AppendText)]

    assert len(pieces) > 20
    assert max(len(piece) for piece in pieces) < 40


async def test_demo_writes_code_and_tables_when_asked():
    assert "```python" in await text_of(user("Show me code"))
    assert "| --- |" in await text_of(user("Eine Tabelle bitte"), language="de")


async def test_demo_says_what_it_is_once_an_answer():
    asked = user("What is the weather?")
    first = await text_of(asked, tools=(TOOL,))
    call = NeutralMessage(Role.ASSISTANT, (TextContent(first), ToolCallContent("x", "weather", {})))
    given = NeutralMessage(Role.TOOL, (ToolResultContent("x", "sunny"),))

    last = await text_of(asked, call, given, tools=(TOOL,))

    assert (first.count("**demo**"), last.count("**demo**")) == (1, 0)
    assert last.startswith("The tool answered:")
    assert "**demo**" in await text_of(asked, call, given, user("And tomorrow?"), tools=(TOOL,))
    unsaid = NeutralMessage(Role.ASSISTANT, (ToolCallContent("x", "weather", {}),))
    assert "**demo**" in await text_of(asked, unsaid, given, tools=(TOOL,))


async def test_demo_calls_a_named_tool_and_tells_its_result():
    asked = user('What is the weather in "Berlin" for 3 days?')
    operations = await operations_of(asked, tools=(TOOL,))
    call = next(o for o in operations if isinstance(o, SetPart))

    told = await text_of(
        asked,
        NeutralMessage(Role.ASSISTANT, (ToolCallContent("x", "weather", {}),)),
        NeutralMessage(Role.TOOL, (ToolResultContent("x", "sunny, 21 °C"),)),
        tools=(TOOL,),
    )

    assert call.data["name"] == "weather"
    assert call.data["arguments"] == {"city": "Berlin", "days": 3}
    assert operations[-1] == Finished(FinishReason.TOOL_CALLS)
    assert "sunny, 21 °C" in told


@pytest.mark.parametrize(("language", "words"), [("en", "What comes next"), ("de", "So geht es weiter")])
async def test_demo_says_that_records_come_next_where_there_are_collections(language, words):
    records = ToolSpec("records_search", "Records of a collection.", {"type": "object", "properties": {}})

    there = await text_of(user("Sarah, a journalist"), tools=(TOOL, records), language=language)
    elsewhere = await text_of(user("Sarah, a journalist"), tools=(TOOL,), language=language)

    assert words in there
    assert "`/extract`" in there
    assert "/extract" not in elsewhere


async def test_demo_quotes_the_knowledge_that_fits():
    passage = KnowledgeContent(
        "4", "Handbook", "Lunch is at noon. Holidays are thirty days a year. Doors close at six."
    )
    message = NeutralMessage(Role.USER, (passage, TextContent("How many days of holidays?")))

    text = await text_of(message)

    assert "> Holidays are thirty days a year." in text
    assert "Handbook [4]" in text
    assert "Lunch" not in text


async def test_demo_extracts_by_rules():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "born": {"type": "string", "format": "date"},
            "email": {"type": ["string", "null"]},
        },
        "required": ["name", "age", "email"],
    }

    text = await text_of(
        user("Ada Lovelace is 36 years old, born 1815-12-10."), parameters=Parameters(response_schema=schema)
    )

    assert json.loads(text) == {"name": "Ada Lovelace", "age": 36, "born": "1815-12-10", "email": None}


async def test_demo_writes_titles():
    assert await text_of(user("How do we plan the spring release together?"), purpose=Purpose.TITLE) == (
        "How do we plan the spring release together"
    )


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("What is 17 * 23?", "What is 17 * 23"),
        ("<b>tag in my text", "<b>tag in my text"),
        ("items[0] > max_items", "items[0] > max_items"),
        ("# The **port**\n```", "The port"),
    ],
)
async def test_title_of_the_demo_keeps_what_is_no_mark(said, title):
    assert await text_of(user(said), purpose=Purpose.TITLE) == title


async def test_demo_keeps_to_the_limit():
    operations = await operations_of(user("hi"), parameters=Parameters(max_output_tokens=3))

    assert operations[-1] == Finished(FinishReason.LENGTH)
