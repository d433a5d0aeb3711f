"""What is left out of a talk with tools: no more than what has no room."""

from types import SimpleNamespace
from uuid import uuid4

from apps.llm import fitting, tokens
from apps.llm.types import CompletionRequest, NeutralMessage, Role, ToolCallContent, ToolResultContent


def talk(said, given):
    """``said`` tokens of questions and answers, then one question that a tool was asked for, which gave ``given`` tokens."""
    old = [
        NeutralMessage.of_text(Role.USER if number % 2 == 0 else Role.ASSISTANT, f"{number}".ljust(400, "."))
        for number in range(said // 100)
    ]
    asked = [
        NeutralMessage.of_text(Role.USER, "And now?"),
        NeutralMessage(Role.ASSISTANT, (ToolCallContent("a", "find", {}),)),
        NeutralMessage(Role.TOOL, (ToolResultContent("a", "x" * 4 * given),)),
    ]
    return CompletionRequest(
        organization_id=uuid4(), messages=(*old, *asked), may_cut_results=True, may_leave_out=len(old)
    )


def model(window):
    return SimpleNamespace(can_call_tools=True, context_window=window)


def test_short_result_drops_nothing_of_a_talk_that_fits():
    request = talk(said=1700, given=50)

    assert fitting.fit(request, model(4000)).messages == request.messages


def test_long_result_has_half_of_the_room():
    fitted = fitting.fit(talk(said=1700, given=5000), model(4000))

    room = 3200 - 800
    assert room // 3 < tokens.of_text(fitted.messages[-1].parts[0].content) <= room // 2 + 100
    assert 0 < fitted.may_leave_out < 17
    assert tokens.of_messages(fitted.messages) <= room


def test_talk_is_shortened_where_it_is_the_larger_part():
    request = talk(said=1700, given=50)

    first = fitting.smaller(request, is_last=False)
    last = fitting.smaller(first, is_last=True)

    assert tokens.of_messages(first.messages) <= tokens.of_messages(request.messages) // 2 + 100
    assert first.messages[-1] == request.messages[-1]
    assert tokens.of_messages(last.messages) <= tokens.of_messages(first.messages) // 2 + 100


def test_results_are_cut_first_where_they_are_the_larger_part():
    request = talk(said=400, given=5000)

    first = fitting.smaller(request, is_last=False)

    assert first.messages[:-1] == request.messages[:-1]
    assert tokens.of_text(first.messages[-1].parts[0].content) <= 5000 // fitting.SMALLER
