"""The committed schema, the parser and the frames that are built say the same."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from apps.core.errors import LimitReached
from apps.live import frames
from apps.live.frames import BadFrame

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/live.schema.json").read_text())
TOPIC = "conversation:01930000-0000-7000-8000-000000000000"
TURN = str(uuid4())


def validator(side):
    return Draft202012Validator({"$ref": f"#/$defs/{side}", "$defs": SCHEMA["$defs"]}, format_checker=FormatChecker())


def test_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "frame",
    [
        frames.snapshot(TOPIC, 4, {"messages": []}),
        frames.event(TOPIC, 5, "message.created", {}),
        frames.delta(TOPIC, TURN, {"seq": 1, "part": 0, "type": "text", "text": "x"}),
        frames.delta(TOPIC, TURN, {"seq": 1, "part": 0, "type": "tool_call", "data": {"id": "1"}}),
        frames.delta(TOPIC, TURN, {"seq": 1, "part": 0, "type": "tool_result", "data": {"content": "x" * 70_000}}),
        frames.delta(TOPIC, TURN, {"seq": 9, "reset": True, "parts": [{"type": "text", "text": "x"}]}),
        frames.status(TOPIC, TURN, {"state": "queued", "place": 3, "message": str(uuid4())}),
        frames.typing(TOPIC, str(uuid4()), "Ada", on=True),
        frames.presence(TOPIC, [{"id": str(uuid4()), "name": "Ada", "state": "away"}]),
        frames.news(TOPIC, "conversation", str(uuid4()), "words"),
        frames.PONG,
        frames.error("not_found", "Nothing here.", TOPIC),
        frames.error("limit_reached", "Too many."),
        frames.error("limit_reached", "Too many.", limit=LimitReached(limit="person", most=20).extra),
    ],
    ids=lambda frame: frame.text[:60],
)
def test_what_is_sent_is_in_the_schema(frame):
    validator("server").validate(json.loads(frame.text))
    assert frame.size == len(frame.text.encode()) <= frames.LONGEST_FRAME


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.just(TOPIC), st.just("here"),
    st.dictionaries(st.sampled_from([TURN, "x"]), st.one_of(st.integers(), st.text(max_size=2)), max_size=2),
)  # fmt: skip


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["subscribe", "unsubscribe", "typing", "presence", "ping", "write"])},
        optional={"topic": values, "after": values, "turns": values, "on": values, "state": values, "more": values},
    )
)
def test_what_is_taken_is_what_the_schema_allows(content):
    is_valid = validator("client").is_valid(content)
    # The parser also wants a topic to look like one and integers to be written as such; it is never more lenient.
    try:
        frames.parse(json.dumps(content))
    except BadFrame:
        assert not is_valid or ":" not in str(content.get("topic", "")) or _has_odd_number(content)
    else:
        assert is_valid


def _has_odd_number(content):
    return any(isinstance(value, float) for value in [content.get("after"), *(content.get("turns") or {}).values()])
