from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from apps.accounts.types import SYSTEM, OrganizationRole
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.ids import uuid7
from apps.llm import clients, engine, routing, selectors, services, shared_state
from apps.llm.errors import BudgetReached
from apps.llm.models import AttemptStatus, Budget, BudgetReservation, CallAttempt
from apps.llm.services.ledger import Closing, Opening
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Role, Usage
from tests.accounts.factories import OrganizationFactory, UserFactory, actor_of, join
from tests.llm.factories import priced, set_defaults, stub_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh():
    routing.forget()


def request_of(model, **values):
    messages = (NeutralMessage.of_text(Role.USER, "hello"),)
    return CompletionRequest(organization_id=model.organization_id, messages=messages, turn_id=uuid7(), **values)


def set_limit(model, limit):
    return services.set_budget(actor=SYSTEM, organization_id=model.organization_id, limit=Decimal(limit))


async def many(requests):
    async def one(request):
        async for _operation in engine.stream(request):
            pass

    try:
        return await asyncio.gather(*[one(request) for request in requests], return_exceptions=True)
    finally:
        await clients.close_all()
        await shared_state.leave_loop()


def test_a_hundred_calls_at_the_edge_overspend_nothing(provider):
    """Each costs all that was reserved for it, 0.00202… (1,000 output tokens at 2 a million); the budget holds ten of them."""
    model = stub_model(provider, **priced(max_output_tokens=1000))
    set_limit(model, "0.0210")
    provider.default(tokens=1000, delay=0.2)
    parameters = Parameters(max_output_tokens=1000)

    results = asyncio.run(many([request_of(model, parameters=parameters) for _ in range(100)]))

    refused = [result for result in results if isinstance(result, BudgetReached)]
    assert [result for result in results if result is not None and result not in refused] == []
    assert len(provider.calls) == 100 - len(refused) <= 10
    budget = Budget.objects.get()
    assert budget.reserved == 0
    assert budget.spent == sum(row.cost for row in CallAttempt.objects.all()) <= budget.limit
    assert not BudgetReservation.objects.filter(settled_at=None).exists()


def test_reached_budget_refuses_without_a_call(provider):
    model = stub_model(provider, **priced())
    set_limit(model, 0)

    (result,) = asyncio.run(many([request_of(model)]))

    assert isinstance(result, BudgetReached)
    assert provider.calls == []
    assert not CallAttempt.objects.exists()


def test_failed_attempt_gives_its_reservation_back(provider):
    model = stub_model(provider, **priced())
    set_limit(model, 1)
    provider.script({"status": 401})

    asyncio.run(many([request_of(model)]))

    budget = Budget.objects.get()
    assert (budget.spent, budget.reserved) == (0, 0)


def test_models_without_a_price_take_nothing_from_the_budget(provider):
    model = stub_model(provider)
    set_limit(model, 0)

    assert asyncio.run(many([request_of(model)])) == [None]


def test_the_limit_goes_on_in_the_next_month(provider):
    model = stub_model(provider, **priced())
    set_limit(model, 1)
    month = selectors.current_month()
    Budget.objects.update(month=month.replace(year=2021), spent=Decimal(1))
    for year, limit in ((2020, 7), (2019, 8)):  # earlier ones had other limits: only the newest counts
        Budget.objects.create(organization=model.organization, month=month.replace(year=year), limit=limit)

    assert asyncio.run(many([request_of(model)])) == [None]

    budget = Budget.objects.get(month=month)
    assert budget.limit == 1
    assert budget.spent > 0


def test_set_budget_counts_what_the_month_has_cost(provider):
    model = stub_model(provider, **priced())
    asyncio.run(many([request_of(model)]))

    budget = set_limit(model, 1)

    assert budget.spent == CallAttempt.objects.get().cost > 0


def test_set_budget_refuses_a_second_currency(provider):
    model = stub_model(provider, **priced(currency="EUR"))

    with pytest.raises(Invalid):
        set_limit(model, 1)

    assert not Budget.objects.exists()


def test_fallback_that_is_paid_in_another_currency_is_refused_when_it_is_chosen(provider):
    dollars = stub_model(provider, **priced())
    euros = stub_model(provider, organization=dollars.organization, name="stub-euro", **priced(currency="EUR"))
    free = stub_model(provider, organization=dollars.organization, name="stub-free")
    chosen = {"actor": SYSTEM, "organization_id": dollars.organization_id, "default_id": dollars.pk}

    with pytest.raises(Invalid) as refused:
        services.set_defaults(fallback_id=euros.pk, **chosen)

    assert [(each.field, each.code) for each in refused.value.fields] == [("fallback", "currency_mismatch")]
    assert services.set_defaults(fallback_id=free.pk, **chosen).fallback_id == free.pk
    with pytest.raises(Invalid) as refused:
        services.update_model(actor=SYSTEM, model_id=free.pk, **priced(currency="EUR"))
    assert [(each.field, each.code) for each in refused.value.fields] == [("currency", "currency_mismatch")]
    services.update_model(actor=SYSTEM, model_id=free.pk, **priced())


def test_model_in_another_currency_stands_in_for_nobody(provider):
    """Chosen by name, with a fallback that fits the default: what the operation may spend is in its own currency."""
    dollars = stub_model(provider, **priced())
    euros = stub_model(provider, organization=dollars.organization, name="stub-euro", **priced(currency="EUR"))
    other = stub_model(provider, organization=dollars.organization, name="stub-other", **priced())
    set_defaults(dollars, other)
    routing.forget()

    provider.script({"status": 401}, {"text": "never asked"})
    failed = asyncio.run(many([replace(request_of(euros), model_id=euros.pk)]))
    provider.script({"status": 401}, {"text": "asked"})
    answered = asyncio.run(many([replace(request_of(dollars), model_id=dollars.pk)]))

    assert [type(each).__name__ for each in failed] == ["ProviderAuthError"]
    assert answered == [None]
    assert set(CallAttempt.objects.filter(cost__gt=0).values_list("currency", flat=True)) == {"USD"}


def test_model_in_another_currency_is_not_switched_on_beside_a_budget(provider):
    model = stub_model(provider, **priced())
    euros = stub_model(
        provider, organization=model.organization, name="stub-euro", is_enabled=False, **priced(currency="EUR")
    )
    set_limit(model, 1)

    with pytest.raises(Invalid) as refused:
        services.update_model(actor=SYSTEM, model_id=euros.pk, is_enabled=True)

    assert refused.value.fields[0].code == "currency_mismatch"
    euros.refresh_from_db()
    assert not euros.is_enabled


@pytest.mark.parametrize("role", [OrganizationRole.MEMBER, OrganizationRole.GUEST])
def test_set_budget_is_for_admins(role):
    organization, user = OrganizationFactory(), UserFactory()
    join(user, organization, role=role)

    with pytest.raises(Forbidden):
        services.set_budget(actor=actor_of(user), organization_id=organization.pk, limit=Decimal(1))
    with pytest.raises(NotFound):
        services.set_budget(actor=actor_of(UserFactory()), organization_id=organization.pk, limit=Decimal(1))

    assert not Budget.objects.exists()


def opened(model, **values):
    routes = selectors.read_routes(organization_id=model.organization_id)
    request = request_of(model)
    opening = Opening(
        id=uuid7(), request=request, route=routes.models[model.pk], attempt=1, expected_input_tokens=100, **values
    )
    services.open_attempt(actor=SYSTEM, opening=opening)
    return request, opening


def test_lost_attempt_is_settled_once_with_what_was_shown(provider):
    model = stub_model(provider, **priced())
    set_limit(model, 1)
    request, opening = opened(model, reserve=Decimal("0.5"))
    assert Budget.objects.get().reserved == Decimal("0.5")

    assert services.settle_lost_attempts(actor=SYSTEM, turn_id=request.turn_id, text="word " * 100) == 1
    assert services.settle_lost_attempts(actor=SYSTEM, turn_id=request.turn_id, text="word " * 100) == 0

    row, budget = CallAttempt.objects.get(pk=opening.id), Budget.objects.get()
    assert (row.status, row.error_code, row.estimated) == ("lost", "worker_lost", True)
    assert (row.input_tokens, row.output_tokens) == (100, 125)
    assert (budget.reserved, budget.spent) == (0, row.cost)


@pytest.mark.parametrize("late", ["the same end again", "the end of a worker that was given up"])
def test_attempt_ends_once(provider, late):
    """Nothing is charged twice, and the ledger keeps what it said first."""
    model = stub_model(provider, **priced())
    set_limit(model, 1)
    request, opening = opened(model, reserve=Decimal("0.5"))
    closing = Closing(
        id=opening.id,
        organization_id=model.organization_id,
        status=AttemptStatus.COMPLETED,
        usage=Usage(input_tokens=10, output_tokens=20),
        cost=Decimal("0.25"),
        currency="USD",
        duration_ms=5,
    )
    if late == "the same end again":
        assert services.close_attempt(actor=SYSTEM, closing=closing)
    else:
        assert services.settle_lost_attempts(actor=SYSTEM, turn_id=request.turn_id, text="word " * 100) == 1
    before = CallAttempt.objects.values().get(), Budget.objects.values("spent", "reserved").get()

    assert not services.close_attempt(actor=SYSTEM, closing=replace(closing, cost=Decimal("0.75")))

    assert (CallAttempt.objects.values().get(), Budget.objects.values("spent", "reserved").get()) == before


def test_abandoned_reservations_are_swept(provider):
    model = stub_model(provider, **priced())
    set_limit(model, 1)
    _request, opening = opened(model, reserve=Decimal("0.5"))
    assert services.sweep_lost_attempts(actor=SYSTEM) == 0
    CallAttempt.objects.update(started_at="2020-01-01T00:00Z")

    assert services.sweep_lost_attempts(actor=SYSTEM) == 1

    assert Budget.objects.get().reserved == 0
    assert CallAttempt.objects.get(pk=opening.id).status == "lost"
