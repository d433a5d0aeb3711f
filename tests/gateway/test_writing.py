import json

from apps.core.errors import NotFound
from apps.gateway.openai.writing import DONE, Answer, error_body
from apps.gateway.types import ParameterRefused
from apps.llm.errors import BudgetReached, ContextTooLong, RateLimited
from apps.llm.types import (
    Answered,
    AppendText,
    ClosePart,
    Finished,
    FinishReason,
    OpenPart,
    PartType,
    SetPart,
    Usage,
)

OPERATIONS = [
    Answered("stub", "small", 1),
    OpenPart(0, PartType.REASONING),
    AppendText(0, "Hm."),
    ClosePart(0),
    OpenPart(1, PartType.TEXT),
    AppendText(1, "Grü"),
    AppendText(1, "ße"),
    ClosePart(1),
    OpenPart(2, PartType.TOOL_CALL, {"id": "c1", "name": "weather"}),
    SetPart(2, {"id": "c1", "name": "weather", "arguments": {"city": "Lisboa"}}),
    ClosePart(2),
    Usage(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=2),
    Finished(FinishReason.TOOL_CALLS),
]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lisboa"}'}}
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def streamed(**options):
    answer = Answer(asked="small", **options)
    raw = [answer.opening()]
    for operation in OPERATIONS:
        raw += answer.chunks(operation)
    raw += answer.ending()
    assert raw.pop() == DONE
    return [json.loads(chunk.removeprefix(b"data: ")) for chunk in raw]


def test_chunks_carry_each_operation():
    chunks = streamed()

    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm."},
        {"content": "Grü"},
        {"content": "ße"},
        {"tool_calls": [{"index": 0, **CALL}]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 5 + ["tool_calls"]
    assert {chunk["model"] for chunk in chunks[1:]} == {"stub/small"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


def test_chunks_with_usage_end_with_one_that_has_no_choice():
    chunks = streamed(has_usage=True)

    assert [chunk["usage"] for chunk in chunks] == [None] * 6 + [USAGE]
    assert chunks[-1]["choices"] == []


def test_whole_answer():
    answer = Answer(asked="small")
    for operation in OPERATIONS:
        list(answer.chunks(operation))

    whole = answer.whole()

    assert whole["object"] == "chat.completion"
    assert whole["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Grüße",
                "refusal": None,
                "reasoning_content": "Hm.",
                "tool_calls": [CALL],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]
    assert whole["usage"] == USAGE


def test_errors_have_the_names_that_clients_know():
    def summary(error):
        body = error_body(error)["error"]
        return body["type"], body["code"], body["param"]

    assert summary(ParameterRefused("n", "x")) == ("invalid_request_error", "invalid_parameter", "n")
    assert summary(ContextTooLong()) == ("invalid_request_error", "context_length_exceeded", None)
    assert summary(BudgetReached()) == ("insufficient_quota", "insufficient_quota", None)
    assert summary(RateLimited()) == ("rate_limit_error", "rate_limited", None)
    assert summary(NotFound()) == ("invalid_request_error", "not_found", None)
