"""The engine against the scripted provider: attempts, fallback, breaker, ledger (drills D14-D22 and D24 at this level)."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from decimal import Decimal

import pytest

from apps.core.ids import uuid7
from apps.core.leases import scaled
from apps.core.redis import client
from apps.llm import clients, engine, routing, shared_state
from apps.llm.errors import ModelError
from apps.llm.models import CallAttempt
from apps.llm.presets import ProviderKind
from apps.llm.selectors import read_routes
from apps.llm.types import (
    Answered,
    AppendText,
    CompletionRequest,
    Finished,
    FinishReason,
    NeutralMessage,
    OpenPart,
    PartType,
    Purpose,
    Role,
    Usage,
)
from tests.llm.factories import priced, set_defaults, stub_model
from tests.provider.script import ERRORS, expected_text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh(settings):
    settings.PARLANCE_TIME_SCALE = 0.05
    routing.forget()
    for key in client().scan_iter(f"{settings.REDIS_PREFIX}llm:*"):
        client().delete(key)


def request_of(model, text="hello", **values):
    values = {"model_id": None, "turn_id": uuid7(), **values}
    return CompletionRequest(
        organization_id=model.organization_id, messages=(NeutralMessage.of_text(Role.USER, text),), **values
    )


async def run(request, *, stop_after=None):
    operations = []
    try:
        async with aclosing(engine.stream(request)) as stream:
            async for operation in stream:
                operations.append(operation)
                if stop_after and sum(isinstance(o, AppendText) for o in operations) >= stop_after:
                    break
    except ModelError as error:
        return operations, error
    finally:
        await clients.close_all()
        await shared_state.leave_loop()
    return operations, None


def answer(request, **options):
    return asyncio.run(run(request, **options))


def text_of(operations):
    return "".join(o.text for o in operations if isinstance(o, AppendText))


def rows_of(request):
    return list(CallAttempt.objects.filter(turn_id=request.turn_id).order_by("attempt"))


def outcomes(request):
    return [(row.attempt, row.model_name, row.status, row.error_code) for row in rows_of(request)]


def test_answer_is_streamed_and_recorded(provider):
    model = stub_model(provider, **priced())
    request = request_of(model, user_id=uuid7(), project_id=uuid7(), correlation_id="c-1")

    operations, error = answer(request)

    assert error is None
    assert operations[0] == Answered(
        model.provider.name, "stub-small", 1, model.provider_id, model.pk, requested="stub-small"
    )
    assert operations[1] == OpenPart(0, PartType.TEXT)
    assert text_of(operations) == expected_text(20)
    usage, finished = operations[-2:]
    cost = (Decimal(usage.input_tokens) + 40) / 1_000_000
    assert isinstance(usage, Usage)
    assert usage.output_tokens == 20
    assert finished == Finished(FinishReason.STOP, cost=str(cost.quantize(Decimal("1e-9"))), currency="USD")
    (row,) = rows_of(request)
    assert (row.status, row.attempt, row.error_code, row.estimated) == ("completed", 1, "", False)
    assert (row.input_tokens, row.output_tokens) == (usage.input_tokens, 20)
    assert row.cost == cost
    assert row.prices == {"input": "1.000000", "output": "2.000000"}
    assert (row.user_id, row.project_id, row.correlation_id) == (request.user_id, request.project_id, "c-1")
    assert row.first_token_ms >= 5
    assert row.duration_ms >= row.first_token_ms
    assert row.ended_at > row.started_at
    assert provider.calls[0]["request_id"] == str(request.turn_id)


def test_anthropic_answers_the_same_way(provider):
    model = stub_model(provider, kind=ProviderKind.ANTHROPIC, **priced())
    request = request_of(model)

    operations, error = answer(request)

    assert error is None
    assert text_of(operations) == expected_text(20)
    assert outcomes(request) == [(1, "stub-small", "completed", "")]


def test_demo_answers_when_nothing_else_is_there(provider):
    from tests.accounts.factories import OrganizationFactory

    organization = OrganizationFactory()
    request = CompletionRequest(
        organization_id=organization.pk,
        messages=(NeutralMessage.of_text(Role.USER, "hello"),),
        turn_id=uuid7(),
        purpose=Purpose.TITLE,
    )

    operations, error = answer(request)

    assert error is None
    assert operations[0].is_demo
    assert text_of(operations) == "hello"


def test_demo_never_stands_in(provider):
    model = stub_model(provider)
    provider.script({"status": 401})
    request = request_of(model)

    operations, error = answer(request)

    assert operations == []
    assert error.code == "auth"
    assert len(provider.calls) == 1


def test_d14_too_many_requests_waits_then_falls_back(provider):
    model = stub_model(provider, name="busy")
    spare = stub_model(provider, organization=model.organization, name="spare")
    set_defaults(model, spare)
    provider.script(*[{"status": 429, "headers": {"Retry-After": "0.25"}}] * 3, model="busy")
    request = request_of(model)

    operations, error = answer(request)

    assert error is None
    assert outcomes(request) == [
        (1, "busy", "failed", "rate_limited"),
        (2, "busy", "failed", "rate_limited"),
        (3, "busy", "failed", "rate_limited"),
        (4, "spare", "completed", ""),
    ]
    starts = [call["started_at"] for call in provider.calls]
    assert starts[1] - starts[0] >= 0.25
    assert starts[2] - starts[1] >= 0.25
    assert operations[0].is_fallback
    assert (operations[0].model, operations[0].requested, operations[0].attempt) == ("spare", "busy", 4)
    assert [row.cost for row in rows_of(request)][:3] == [0, 0, 0]


def test_d15_a_long_retry_after_is_not_waited_for(provider):
    model = stub_model(provider)
    provider.script({"status": 429, "headers": {"Retry-After": "3600"}})
    request = request_of(model)
    begun = time.monotonic()

    _operations, error = answer(request)

    assert error.code == "rate_limited"
    assert time.monotonic() - begun < 2
    assert len(provider.calls) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 529, 408, 409])
def test_d16_errors_then_good(provider, status):
    model = stub_model(provider)
    provider.script({"status": status}, {"status": status})
    request = request_of(model)

    operations, error = answer(request)

    assert error is None
    assert text_of(operations) == expected_text(20)
    assert [status for _n, _m, status, _c in outcomes(request)] == ["failed", "failed", "completed"]
    assert sum(isinstance(o, Answered) for o in operations) == 1
    assert operations[0].attempt == 3


@pytest.fixture
def long_window(settings):
    """Five failures lie within the breaker's 30 s also where the machine is busy: what is scaled down is the rest after them."""
    settings.PARLANCE_TIME_SCALE = 0.3


def end_rest(model):
    """The 30 s of an open breaker, as if they had passed."""
    route = read_routes(organization_id=model.organization_id).models[model.pk]
    is_open = shared_state._keys(route.provider.breaker)[1]
    assert 0 < client().pttl(is_open) <= scaled(shared_state.OPEN_SECONDS) * 1000
    client().delete(is_open)


@pytest.mark.usefixtures("long_window")
def test_d17_refused_falls_back_and_the_breaker_opens(provider):
    model = stub_model(provider, name="gone", base_url="http://127.0.0.1:9/v1")
    spare = stub_model(provider, organization=model.organization, name="spare")
    set_defaults(model, spare)

    for _ in range(2):
        operations, error = answer(request_of(model))
        assert error is None
        assert operations[0].model == "spare"
    request = request_of(model)
    begun = time.monotonic()
    operations, error = answer(request)
    taken = time.monotonic() - begun

    assert error is None
    assert outcomes(request) == [(1, "spare", "completed", "")]
    assert taken < 1
    assert CallAttempt.objects.filter(model_name="gone").count() == 5


@pytest.mark.usefixtures("long_window")
def test_d17_one_probe_after_the_rest(provider):
    model = stub_model(provider)
    provider.script(*[{"status": 500}] * 5)
    answer(request_of(model))
    answer(request_of(model))
    assert len(provider.calls) == 5

    _operations, error = answer(request_of(model))
    assert error.code == "provider_paused"
    end_rest(model)
    provider.script({"status": 500})
    _operations, error = answer(request_of(model))
    assert error.code == "overloaded"
    assert len(provider.calls) == 6
    end_rest(model)
    _operations, error = answer(request_of(model))
    assert error is None
    _operations, error = answer(request_of(model))

    assert error is None
    assert len(provider.calls) == 8


@pytest.mark.usefixtures("long_window")
def test_d17_of_those_who_come_at_once_one_probes(provider):
    model = stub_model(provider)
    provider.script(*[{"status": 500}] * 5)
    answer(request_of(model))
    answer(request_of(model))
    end_rest(model)
    provider.default(tokens=3, delay=0.1)

    async def together():
        try:
            return await asyncio.gather(
                *[engine.complete(request_of(model)) for _each in range(5)], return_exceptions=True
            )
        finally:
            await clients.close_all()
            await shared_state.leave_loop()

    found = asyncio.run(together())

    assert [getattr(each, "code", "") for each in found].count("provider_paused") == 4
    assert len(provider.calls) <= 6


@pytest.mark.usefixtures("long_window")
def test_breaker_can_be_reset(provider):
    from apps.accounts.types import SYSTEM
    from apps.llm import services

    model = stub_model(provider)
    provider.script(*[{"status": 500}] * 5)
    answer(request_of(model))
    answer(request_of(model))
    assert answer(request_of(model))[1].code == "provider_paused"

    services.reset_breaker(actor=SYSTEM, provider_id=model.provider_id)

    assert answer(request_of(model))[1] is None


@pytest.mark.parametrize("script", [{"hang": 0}, {"hang_headers": True}])
def test_d18_hang_before_the_first_token_falls_back(provider, script):
    model = stub_model(provider, name="slow", **priced())
    spare = stub_model(provider, organization=model.organization, name="spare")
    set_defaults(model, spare)
    provider.script(script, model="slow")
    request = request_of(model)
    begun = time.monotonic()

    _operations, error = answer(request)

    assert error is None
    assert outcomes(request) == [(1, "slow", "failed", "timeout"), (2, "spare", "completed", "")]
    assert 1.4 < time.monotonic() - begun < 4
    assert rows_of(request)[0].cost == 0


def test_d19_hang_after_tokens_keeps_them_and_is_not_tried_again(provider):
    model = stub_model(provider, **priced())
    spare = stub_model(provider, organization=model.organization, name="spare")
    set_defaults(model, spare)
    provider.script({"tokens": 100, "hang": 50, "rate": 1000})
    request = request_of(model)

    operations, error = answer(request)

    assert error.code == "provider_stalled"
    assert text_of(operations) == expected_text(50)
    (row,) = rows_of(request)
    assert (row.status, row.error_code, row.estimated) == ("failed", "provider_stalled", True)
    assert row.output_tokens > 30
    assert row.cost > 0
    assert len(provider.calls) == 1


@pytest.mark.parametrize("garbage", ["html", "json", "utf8", "no_end", *ERRORS, "two_ends", "tool_arguments"])
def test_d21_garbage(provider, garbage):
    model = stub_model(provider)
    spare = stub_model(provider, organization=model.organization, name="spare")
    set_defaults(model, spare)
    provider.script({"garbage": garbage})
    request = request_of(model)

    _operations, error = answer(request)

    assert error.code == "provider_protocol"
    assert outcomes(request) == [(1, "stub-small", "failed", "provider_protocol")]


@pytest.mark.parametrize("garbage", ERRORS)
def test_generation_that_breaks_before_its_first_word_is_tried_again(provider, garbage):
    model = stub_model(provider)
    provider.script({"garbage": garbage, "tokens": 0}, {"tokens": 3})
    request = request_of(model)

    operations, error = answer(request)

    assert error is None
    assert text_of(operations) == expected_text(3)
    assert outcomes(request) == [
        (1, "stub-small", "failed", "overloaded"),
        (2, "stub-small", "completed", ""),
    ]


def test_d21_empty_answer_costs_nothing(provider):
    model = stub_model(provider, **priced())
    provider.script({"garbage": "empty"})
    request = request_of(model)

    operations, error = answer(request)

    assert operations == []
    assert error.code == "empty"
    (row,) = rows_of(request)
    assert (row.status, row.error_code, row.cost) == ("failed", "empty", 0)


def test_d22_close_in_the_middle_does_not_switch_models(provider):
    model = stub_model(provider)
    spare = stub_model(provider, organization=model.organization, name="spare")
    set_defaults(model, spare)
    provider.script({"tokens": 100, "cut": 50, "rate": 1000})
    request = request_of(model)

    operations, error = answer(request)

    assert error.code == "provider_disconnected"
    assert text_of(operations) == expected_text(50)
    assert outcomes(request) == [(1, "stub-small", "failed", "provider_disconnected")]
    assert len(provider.calls) == 1


def test_d24_stop_closes_the_call_and_records_it(provider):
    model = stub_model(provider, **priced())
    provider.script({"tokens": 1000, "rate": 200})
    request = request_of(model)

    _operations, error = answer(request, stop_after=10)

    assert error is None
    provider.wait_for(lambda stats: stats["client_closes"] == 1, seconds=1)
    (row,) = rows_of(request)
    assert (row.status, row.estimated) == ("stopped", True)
    assert row.output_tokens >= 8
    assert row.cost > 0


def test_cancelled_task_records_the_attempt(provider):
    model = stub_model(provider)
    provider.script({"tokens": 1000, "rate": 200})
    request = request_of(model)

    async def cancel_soon():
        task = asyncio.create_task(run(request))
        provider_calls = 0
        while not provider_calls:
            await asyncio.sleep(0.05)
            provider_calls = len(await asyncio.to_thread(lambda: provider.calls))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_soon())

    assert outcomes(request) == [(1, "stub-small", "stopped", "")]
    provider.wait_for(lambda stats: stats["client_closes"] == 1, seconds=1)


def test_missing_usage_is_estimated(provider):
    model = stub_model(provider, **priced())
    provider.script({"usage": False})
    request = request_of(model)

    operations, error = answer(request)

    assert error is None
    assert operations[-2].estimated
    (row,) = rows_of(request)
    assert row.estimated
    assert 20 <= row.output_tokens <= 60


def test_attempts_of_a_turn_go_on_counting(provider):
    model = stub_model(provider)
    request = request_of(model)

    answer(request)
    answer(request)
    answer(request_of(model, turn_id=request.turn_id, purpose=Purpose.TITLE))

    rows = CallAttempt.objects.filter(turn_id=request.turn_id).order_by("started_at")
    assert [(row.purpose, row.attempt) for row in rows] == [("chat", 1), ("chat", 2), ("title", 1)]


def test_calls_go_on_without_redis(provider, monkeypatch):
    model = stub_model(provider)
    monkeypatch.setattr(shared_state, "_away_until", time.monotonic() + 60)

    operations, error = answer(request_of(model))

    assert error is None
    assert text_of(operations) == expected_text(20)


def test_disabled_provider_is_not_called_again(provider):
    from apps.accounts.types import SYSTEM
    from apps.llm import services

    model = stub_model(provider)
    assert answer(request_of(model))[1] is None

    services.update_provider(actor=SYSTEM, provider_id=model.provider_id, is_enabled=False)
    _operations, error = answer(request_of(model, model_id=model.pk))

    assert error.code == "model_missing"
    assert len(provider.calls) == 1


def test_complete_gives_the_text(provider):
    model = stub_model(provider)
    provider.script({"text": "A short title"})

    text = asyncio.run(engine.complete(request_of(model, purpose=Purpose.TITLE)))

    assert text == "A short title"


@pytest.mark.parametrize("before", ["", "a" * 440])
def test_key_that_the_provider_repeats_is_not_kept(provider, before, caplog, monkeypatch):
    key, token = "sk-canary-" + "7c1e5f" * 10, "token-canary-" + "9b2d4a" * 4
    monkeypatch.setenv("OPENAI_API_KEY", key)
    model = stub_model(provider, kind=ProviderKind.OPENAI)
    model.provider.headers = {"X-Gateway": token}
    model.provider.save()
    provider.script({"status": 401, "message": f"{before} Incorrect key {key} with {token}."})

    _operations, error = answer(request_of(model, model_id=model.pk))

    kept = CallAttempt.objects.get()
    assert (kept.error_code, kept.provider_status) == ("auth", 401)
    assert "Incorrect key …" in kept.error_said
    told = kept.error_said + error.said + str(error.detail) + caplog.text
    assert "canary" not in told
    assert "7c1e5f" not in told
