"""The official clients talk to the scripted provider."""

from __future__ import annotations

import anthropic
import openai
import pytest

from tests.provider.script import expected_text


@pytest.fixture
def openai_client(provider):
    with openai.OpenAI(api_key="key", base_url=provider.openai_url, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(provider):
    with anthropic.Anthropic(api_key="key", base_url=provider.url, max_retries=0) as client:
        yield client


def test_openai_stream_and_whole(provider, openai_client):
    ask = {"model": "stub-small", "messages": [{"role": "user", "content": "hello"}]}

    stream = openai_client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    whole = openai_client.chat.completions.create(**ask)

    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == expected_text(20)
    assert chunks[-1].usage.completion_tokens == 20
    assert whole.choices[0].message.content == expected_text(20)
    assert whole.choices[0].finish_reason == "stop"
    assert [(call["stream"], call["tokens"]) for call in provider.calls] == [(True, 20), (False, 20)]


def test_answer_is_held_until_it_is_released(provider, openai_client):
    provider.script({"tokens": 20, "hold": 5})
    ask = {"model": "stub-small", "messages": [{"role": "user", "content": "hello"}]}
    said = []

    for chunk in openai_client.chat.completions.create(**ask, stream=True):
        said.append(chunk.choices[0].delta.content or "" if chunk.choices else "")
        if "".join(said) == expected_text(5):
            provider.release()

    assert "".join(said) == expected_text(20)


def test_openai_tools_models_and_embeddings(provider, openai_client):
    provider.script({"tool": "weather", "arguments": '{"city": "Berlin"}'})
    messages = [{"role": "user", "content": "hello"}]

    call = openai_client.chat.completions.create(model="m", messages=messages).choices[0].message.tool_calls[0]
    names = [model.id for model in openai_client.models.list()]
    vectors = openai_client.embeddings.create(model="m", input=["one", "two", "one"], dimensions=16).data

    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Berlin"}')
    assert names == ["stub-small", "stub-large", "stub-vision"]
    assert len(vectors[0].embedding) == 16
    assert vectors[0].embedding == vectors[2].embedding != vectors[1].embedding


def test_anthropic_stream_and_whole(provider, anthropic_client):
    ask = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}

    with anthropic_client.messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    whole = anthropic_client.messages.create(**ask)
    names = [model.id for model in anthropic_client.models.list()]

    assert text == expected_text(20) == whole.content[0].text
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 20)
    assert names == ["stub-small", "stub-large", "stub-vision"]


def test_anthropic_reasoning_and_tools(provider, anthropic_client):
    provider.script({"reasoning": 2, "tool": "weather", "arguments": '{"city": "Berlin"}'})

    ask = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
    with anthropic_client.messages.stream(**ask) as stream:
        message = stream.get_final_message()

    assert [block.type for block in message.content] == ["thinking", "tool_use"]
    assert message.content[0].thinking == "thought 0 thought 1 "
    assert message.content[1].input == {"city": "Berlin"}


def test_errors_and_magic_words(provider, openai_client):
    messages = [{"role": "user", "content": '[[stub status=429 headers=\'{"Retry-After": "5"}\' times=1]] hi'}]

    with pytest.raises(openai.RateLimitError) as refused:
        openai_client.chat.completions.create(model="m", messages=messages)
    again = openai_client.chat.completions.create(model="m", messages=messages)

    assert refused.value.response.headers["retry-after"] == "5"
    assert again.choices[0].message.content == expected_text(20)
    assert [call["status"] for call in provider.calls] == [429, 200]


def test_closing_is_counted(provider, openai_client):
    messages = [{"role": "user", "content": "[[stub tokens=1000 rate=100]]"}]

    stream = openai_client.chat.completions.create(model="m", messages=messages, stream=True)
    next(iter(stream))
    stream.close()

    stats = provider.wait_for(lambda stats: stats["client_closes"] == 1)
    assert stats["calls"][0]["client_closed_at"] is not None
    assert stats["calls"][0]["tokens"] < 1000
