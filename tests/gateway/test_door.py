"""``/v1`` over a real socket, spoken to by OpenAI's own client for Python."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from tests.provider.script import expected_text

HI = [{"role": "user", "content": "Hi"}]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


@pytest.fixture
def client(door):
    with openai.OpenAI(base_url=door.url, api_key=door.key, max_retries=0, timeout=20) as client:
        yield client


def ask(client, **options):
    return client.chat.completions.create(**{"model": "stub/stub-small", "messages": HI, **options})


def test_models_are_listed_and_read(client, door):
    names = [model.id for model in client.models.list()]

    assert names == ["stub/stub-large", "stub/stub-small", "twin/stub-large", "agent/Harbour pilot"]
    for listed in client.models.list():
        assert client.models.retrieve(listed.id) == listed
    assert client.models.retrieve("Harbour pilot").owned_by == client.models.retrieve("agent/Harbour pilot").owned_by
    for unknown in ("nothing", "hidden/stub-small", "stub-large"):
        with pytest.raises(openai.NotFoundError) as missing:
            client.models.retrieve(unknown)
        assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.NotFoundError) as missing:
            ask(client, model=unknown)
        assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
        assert "Some values" not in missing.value.message
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("stub-large")
    assert "provider/name" in missing.value.message


def test_answer_in_one_piece(client, door, provider):
    provider.script({"tokens": 30})

    answer = ask(client, model="stub-small")

    assert answer.choices[0].message.content == expected_text(30)
    assert (answer.choices[0].finish_reason, answer.model, answer.object) == (
        "stop",
        "stub/stub-small",
        "chat.completion",
    )
    assert answer.usage.completion_tokens == 30
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 30
    assert door.attempts() == [("api", "completed")]


def test_answer_as_a_stream(client, door, provider):
    provider.script({"tokens": 30})

    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == expected_text(30)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 30
    assert len({chunk.id for chunk in chunks}) == 1
    assert door.attempts() == [("api", "completed")]


def test_stream_arrives_while_it_is_written(client, provider):
    provider.script({"tokens": 20, "rate": 20})
    begun = time.monotonic()

    moments = [time.monotonic() - begun for _chunk in ask(client, stream=True)]

    assert moments[1] < 0.6
    assert moments[-1] > 0.9


def test_stream_says_how_it_is_written(door, provider):
    answer = httpx.post(
        f"{door.url}/chat/completions",
        json={"model": "stub/stub-small", "stream": True, "messages": [{"role": "user", "content": "Grüße"}]},
        headers={"Authorization": f"Bearer {door.key}"},
        timeout=20,
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")


def test_parameters_reach_the_model(client, provider):
    ask(
        client,
        temperature=0.5,
        top_p=0.9,
        max_completion_tokens=100,
        stop=["END"],
        seed=7,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
        ],
    )

    body = provider.bodies[-1]
    assert (body["temperature"], body["top_p"], body["stop"], body["seed"]) == (0.5, 0.9, ["END"], 7)
    assert 100 in {body.get("max_tokens"), body.get("max_completion_tokens")}
    assert [message["role"] for message in body["messages"]] in (["system", "user"], ["developer", "user"])
    assert body["messages"][1]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


def test_max_tokens_is_capped_at_what_the_model_can(client, provider):
    ask(client, model="stub/stub-large", max_tokens=900_000)

    body = provider.bodies[-1]
    assert 64 in {body.get("max_tokens"), body.get("max_completion_tokens")}


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.mark.parametrize("is_stream", [False, True])
def test_tools_pass_through(client, provider, is_stream):
    provider.script({"tool": "weather", "arguments": '{"city": "Lisboa"}'}, {"tokens": 3})

    if is_stream:
        chunks = [chunk.choices[0] for chunk in ask(client, tools=[TOOL], stream=True)]
        (call,) = [call for choice in chunks for call in choice.delta.tool_calls or []]
        finish = chunks[-1].finish_reason
    else:
        choice = ask(client, tools=[TOOL]).choices[0]
        (call,), finish = choice.message.tool_calls, choice.finish_reason
    assert finish == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Lisboa"})
    assert provider.bodies[-1]["tools"] == [TOOL]

    said = {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lisboa"}'}}
    second = ask(
        client,
        tools=[TOOL],
        messages=[
            *HI,
            {"role": "assistant", "content": None, "tool_calls": [said]},
            {"role": "tool", "tool_call_id": call.id, "content": "rain"},
        ],
    )

    assert second.choices[0].message.content == expected_text(3)
    assert provider.bodies[-1]["messages"][-1] == {"role": "tool", "tool_call_id": call.id, "content": "rain"}


def test_agent_is_a_model(client, door, provider):
    answer = ask(client, model="agent/Harbour pilot", top_p=0.5)

    body = provider.bodies[-1]
    assert answer.model == "stub/stub-small"
    assert body["messages"][0]["content"] == "Speak like a harbour pilot."
    assert (body["temperature"], body["top_p"]) == (0.25, 0.5)
    assert door.attempts() == [("api", "completed")]


def test_keys_are_asked_for_and_limited(door, provider):
    def refused(key, kind, **options):
        with openai.OpenAI(base_url=door.url, api_key=key, max_retries=0) as client, pytest.raises(kind) as error:
            ask(client, **options)
        return error.value.code

    assert refused("pk_wrong", openai.AuthenticationError) == "invalid_api_key"
    assert refused("sk-other", openai.AuthenticationError) == "invalid_api_key"
    assert refused(door.models_only, openai.PermissionDeniedError) == "scope_missing"
    assert refused(door.other, openai.NotFoundError) == "model_not_found"
    assert httpx.get(f"{door.url}/models").status_code == 401
    assert httpx.get(f"{door.url}/models", headers={"X-API-Key": door.models_only}).status_code == 200
    assert httpx.get(f"{door.url}/models?api_key={door.key}").status_code == 401
    assert provider.calls == []


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"max_tokens": 10**9}, "max_tokens", "invalid_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"temperature": 9}, "temperature", "invalid_parameter"),
        ({"messages": []}, "messages", "invalid_parameter"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}],
                    }
                ]
            },
            "messages[0].content[0].image_url.url",
            "unsupported_parameter",
        ),
    ],
)
def test_bad_requests_name_the_parameter(client, door, provider, options, param, code):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, **options)

    assert (refused.value.param, refused.value.code, refused.value.type) == (param, code, "invalid_request_error")
    assert provider.calls == []
    assert door.attempts() == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b'{"model": "\\u0000"}', 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b'{"a":' * 10_000, 400, "malformed"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "' + b"x" * (13 << 20) + b'"}]}', 413, "too_large"),
    ],
    ids=["empty", "list", "broken", "nul", "no utf-8", "deep", "13 MB"],
)
def test_broken_bodies_are_errors_in_the_same_shape(door, provider, body, status, code):
    answer = httpx.post(
        f"{door.url}/chat/completions",
        content=body,
        headers={"Authorization": f"Bearer {door.key}", "Content-Type": "application/json"},
        timeout=20,
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert provider.calls == []


def test_other_methods_types_and_paths(door):
    headers = {"Authorization": f"Bearer {door.key}"}

    def told(answer):
        return answer.status_code, answer.json()["error"]["code"]

    assert told(httpx.get(f"{door.url}/chat/completions", headers=headers)) == (405, "method_not_allowed")
    assert told(httpx.post(f"{door.url}/models", headers=headers)) == (405, "method_not_allowed")
    assert told(httpx.post(f"{door.url}/chat/completions", headers=headers, content=b"x")) == (
        415,
        "unsupported_media_type",
    )
    assert told(httpx.get(f"{door.url}/embeddings", headers=headers)) == (404, "not_found")
    assert told(httpx.post(f"{door.url}/embeddings", headers=headers, json={})) == (404, "not_found")
    said = httpx.post(f"{door.url}/responses", headers=headers, json={}).json()["error"]["message"]
    assert "POST /v1/chat/completions" in said
    for root in (door.url, f"{door.url}/"):
        assert told(httpx.get(root, headers=headers)) == (404, "not_found")
        assert told(httpx.get(root)) == (401, "invalid_api_key")
    assert httpx.get(f"{door.url}/embeddings").status_code == 401


def test_error_before_the_first_word_has_its_status(client, provider, door):
    provider.default(status=401)

    with pytest.raises(openai.APIStatusError) as refused:
        ask(client, stream=True)

    assert (refused.value.status_code, refused.value.code) == (502, "auth")
    assert [purpose for purpose, _state in door.attempts()] == ["api"] * len(provider.calls)


def test_error_after_the_first_word_is_raised_in_the_stream(client, provider, door):
    provider.script({"tokens": 20, "cut": 5})
    said = []
    stream = (chunk.choices[0].delta.content or "" for chunk in ask(client, stream=True))

    with pytest.raises(openai.APIError) as broken:
        said.extend(stream)

    assert "".join(said) == expected_text(5)
    assert broken.value.code == "provider_disconnected"
    assert door.attempts() == [("api", "failed")]


@pytest.mark.parametrize("is_stream", [True, False])
def test_client_that_goes_away_ends_the_call(door, provider, is_stream):
    provider.script({"tokens": 500, "rate": 50})
    body = {"model": "stub/stub-small", "messages": HI, "stream": is_stream}

    with httpx.Client(headers={"Authorization": f"Bearer {door.key}"}) as http:
        if is_stream:
            with http.stream("POST", f"{door.url}/chat/completions", json=body) as answer:
                pieces = answer.iter_raw()
                for _number in range(5):
                    next(pieces)
        else:
            with pytest.raises(httpx.ReadTimeout):
                http.post(f"{door.url}/chat/completions", json=body, timeout=0.7)

    provider.wait_for(lambda stats: stats["client_closes"] == 1, seconds=2)
    deadline = time.monotonic() + 3
    while door.attempts() == [("api", "started")] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert door.attempts() == [("api", "stopped")]


HOLDER = "(SELECT user_id FROM accounts_apikey WHERE hint = %s)"
ENDED = [
    # by what, whether the answer is a stream, who answers, and a provider that writes on or says nothing more
    ("UPDATE accounts_apikey SET revoked_at = now() WHERE hint = %s", True, "stub/stub-small", {}),
    (f"UPDATE accounts_user SET is_active = false WHERE id = {HOLDER}", False, "stub/stub-small", {}),
    (f"DELETE FROM accounts_organizationmember WHERE user_id = {HOLDER}", True, "agent/Harbour pilot", {"hang": 5}),
]


@pytest.mark.parametrize(
    ("number", "statement", "is_stream", "model", "script"),
    [(number, *case) for number, case in enumerate(ENDED)],
    ids=["key revoked", "account switched off", "no member any more"],
)
def test_answer_ends_within_seconds_of_the_right_to_it(number, statement, is_stream, model, script, door, provider):
    provider.script({"tokens": 1000, "rate": 50, **script})
    key = door.ending[number]
    body = {"model": model, "messages": HI, "stream": is_stream}

    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=15) as http, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(http.post, f"{door.url}/chat/completions", json=body)
        provider.wait_for(lambda stats: stats["tokens"] >= 5, seconds=10)
        door.stack.sql(statement, [key[-4:]])
        ended_at = time.monotonic()
        answer = asking.result()

    said = json.loads(answer.text.split("data: ")[-1]) if is_stream else answer.json()
    assert said["error"]["code"] == ("not_found" if script else "invalid_api_key")
    assert answer.status_code == (200 if is_stream else 401)
    assert time.monotonic() - ended_at < 10  # the provider would write for twenty seconds, or be silent for thirty
    provider.wait_for(lambda stats: stats["client_closes"] == 1, seconds=2)
    assert door.attempts() == [("api", "stopped")]
    [(written,)] = door.stack.sql("SELECT output_tokens FROM llm_callattempt")
    assert 0 < written < 1000


def test_answers_carry_the_request_id(door):
    answer = httpx.get(
        f"{door.url}/models", headers={"Authorization": f"Bearer {door.key}", "X-Request-ID": "my-request-0001"}
    )

    assert answer.headers["X-Request-ID"] == "my-request-0001"


def test_more_answers_at_once_than_an_organization_may_have_are_refused(door, provider):
    provider.default(tokens=1000, rate=20)
    body = {"model": "stub/stub-small", "messages": HI, "stream": True}
    limits = httpx.Limits(max_connections=80)

    with httpx.Client(headers={"Authorization": f"Bearer {door.key}"}, timeout=20, limits=limits) as http:
        with ThreadPoolExecutor(60) as pool:
            requests = [http.build_request("POST", f"{door.url}/chat/completions", json=body) for _number in range(60)]
            answers = list(pool.map(lambda request: http.send(request, stream=True), requests))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert {answer.status_code for answer in refused} == {429}
        assert len(answers) - len(refused) == 50
        for answer in refused:
            assert json.loads(answer.read())["error"]["code"] == "too_many_calls"
            assert int(answer.headers["Retry-After"]) >= 1
        for answer in answers:
            answer.close()

    provider.wait_for(lambda stats: stats["client_closes"] == 50, seconds=10)
    with openai.OpenAI(base_url=door.url, api_key=door.key, max_retries=0) as client:
        provider.script({"tokens": 2})
        assert ask(client).choices[0].message.content == expected_text(2)
