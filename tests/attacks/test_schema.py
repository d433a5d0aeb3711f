"""A60 by schemathesis: what the OpenAPI file promises, asked for as it says and as it does not, through the WSGI stack.

Checks: all that schemathesis has, but for those that go over HTTP, and the one in ``LEFT_OUT`` with its reason. Ids are those of things that the caller
owns, so that answers have bodies to check.
"""

import json
import os
from collections import Counter

import hypothesis
import pytest
import requests
import schemathesis
from django.db import transaction
from django.test import Client
from schemathesis.checks import CHECKS as KNOWN
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode

from tests.attacks.world import ALIASES, World, rows, schema

pytestmark = [pytest.mark.attacks, pytest.mark.django_db, pytest.mark.timeout(1200)]

IS_LONG = os.environ.get("PARLANCE_ATTACKS") == "long"
EXAMPLES = 20 if IS_LONG else 1
#: Endless: it ends with the turn; tests/live has its own.
STREAMS = {"turns_events"}
#: Checks that send requests of their own, or need what an earlier request made, which is rolled back here: ``test_stack_sweep``.
OVER_HTTP = ("ignored_auth", "use_after_free", "ensure_resource_availability")
#: Checks of its own that are not asked for, and why.
LEFT_OUT = {
    "positive_data_acceptance": "forms say what fields are, not what fits together, as docs/security.md lists",
}
load_all_checks()
CHECKS = tuple(KNOWN.get_one(name) for name in KNOWN.get_all_names() if name not in {*LEFT_OUT, *OVER_HTTP})


def without_sign_in():
    """The file without ways to sign in: schemathesis would invent credentials in place of the owner's; A1 and A23 try those."""
    described = json.loads(json.dumps(schema()))
    del described["components"]["securitySchemes"]
    for methods in described["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    return described


def asked(case, headers):
    """The answer of Django's whole stack to exactly the bytes that schemathesis would send."""
    request = requests.Request(**case.as_transport_kwargs(base_url="http://testserver", headers=headers)).prepare()
    response = Client(raise_request_exception=False).generic(
        request.method,
        request.path_url,
        data=request.body or b"",
        content_type=request.headers.get("Content-Type", "application/octet-stream"),
        headers={name: value for name, value in request.headers.items() if name != "Content-Type"},
    )
    return schemathesis.Response(
        status_code=response.status_code,
        headers={name.lower(): [value] for name, value in response.headers.items()},
        content=b"".join(response.streaming_content) if response.streaming else response.content,
        request=request,
        elapsed=0.0,
        verify=False,
    )


def own_ids(case, ids, operation):
    """References to things that exist, where the generated ones would lead nowhere."""
    for found in operation.definition.raw.get("parameters", ()):
        name, place = found["name"], {"path": case.path_parameters, "query": case.query}.get(found["in"])
        own = ids.get(name) or ids.get(f"{name}_id") or ids.get(ALIASES.get(name, ""))
        if place is not None and name in place and own:
            place[name] = str(own)


def tried(operation, mode, world, statuses, wrong):
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case):
        if mode is GenerationMode.POSITIVE:
            own_ids(case, world.ids, operation)
        with transaction.atomic():
            response = asked(case, world.headers["B"])
            transaction.set_rollback(True)
        statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseExceptionGroup as found:
            wrong.append(f"{operation.label} {mode.value}: {[str(each) for each in found.exceptions]}")

    attempt()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_a60_schemathesis_finds_nothing(mode, record_property):
    described = schemathesis.openapi.from_dict(without_sign_in())
    world = World(is_shared=True)
    before, wrong, statuses, many = rows(), [], Counter(), 0

    for found in described.get_all_operations():
        operation = found.ok()
        takes_something = operation.definition.raw.keys() & {"parameters", "requestBody"}
        if operation.definition.raw["operationId"] not in STREAMS and (
            takes_something or mode is GenerationMode.POSITIVE
        ):
            many += 1
            tried(operation, mode, world, statuses, wrong)

    cases = sum(statuses.values())
    record_property("got", f"schemathesis, {mode.value} data: {many} operations, {cases} cases")
    record_property("count", (f"schemathesis, operations with {mode.value} data", many))
    record_property("count", (f"schemathesis, cases with {mode.value} data", cases))
    assert wrong == []
    assert statuses[200] or mode is GenerationMode.NEGATIVE
    assert rows() == before


def test_a60_checks_that_are_left_out_are_there():
    assert {*LEFT_OUT, *OVER_HTTP} <= set(KNOWN.get_all_names())
    assert len(CHECKS) >= 9


def test_a60_methods_that_are_not_named_are_405(record_property):
    world, many, wrong = World(is_shared=True), 0, []

    for position, (path, named) in enumerate(schema()["paths"].items()):
        address = path.format(**{name: str(pk) for name, pk in world.ids.items()})
        others = sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - {each.upper() for each in named})
        for method in others if IS_LONG else others[position % max(1, len(others)) :][:1]:
            many += 1
            answer = Client(raise_request_exception=False).generic(
                method, address, content_type="application/json", headers=world.headers["B"]
            )
            if answer.status_code != 405:
                wrong.append(f"{method} {path}: {answer.status_code}")

    record_property("got", f"{many} methods that are not named")
    assert wrong == []
