"""A1: every address of the OpenAPI file by everybody who has no business there, with ids of somebody else's things.

Generated: an address with an id for which there is no rule here fails, and so does one that answers without being named
here with the reason why it may.
"""

import json

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.attacks.world import World, call, content_of, operations, random_ids, rows

pytestmark = pytest.mark.django_db

#: Addresses that take no credentials.
PUBLIC = {
    "auth_token_create",
    "auth_token_second_factor",
    "auth_token_refresh",
    "auth_token_revoke",
    "auth_password_reset",
    "auth_password_reset_confirm",
    "shared_read",
}
#: Writes that everybody signed in may make, and why that gives nothing away.
OPEN_WRITES = {
    "me_change": "one's own profile",
    "me_sessions_end_others": "one's own other sessions",
    "organizations_create": "an organization of one's own",
}
#: What members know of their own organization: its name, its people, its models.
KNOWN_TO_MEMBERS = {"organization_id", "member_id", "model_id", "provider_id", "invitation_id", "team_id"}
READ_BY_MEMBERS = {
    "organizations_read": "the name of one's organization",
    "members_read": "whom one works with",
    "teams_read": "which teams one works with",
    "teams_people_list": "who is in them",
    "models_read": "what one may choose from",
    "providers_read": "which service one's words go to; neither its key nor its headers are in it",
}
#: Writes that a regular member may make with nothing but the organization's id.
WRITTEN_BY_MEMBERS = {
    "projects_create": {"A": "members start projects", "R": "a reader of one project is a member of the organization"},
    "api_keys_create": {"A": "a key of one's own", "R": "a key of one's own"},
    "models_route": {"A": "asks which model would answer", "R": "asks which model would answer"},
    "text_analyze": {"A": "counts the words that are sent along", "R": "counts the words that are sent along"},
}
#: Writes that a reader may make in what everybody in the project sees: they change only the reader's own view.
WRITTEN_BY_READERS = {
    "collection_views_create": "a view of one's own",
    "branches_choose": "which branch one looks at",
    "conversations_mark_read": "how far one has read",
    "collection_templates_render": "what a template that one reads makes of records that one reads",
}
HIDDEN = {403, 404}
INSIDE = {"R", "A"}


def answer_of(response):
    """What a caller could compare: all but the number of the request."""
    headers = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
    body = content_of(response)
    if headers.get("Content-Type") == "application/problem+json":
        body = json.loads(body) | {"request_id": ""}
        headers.pop("Content-Length", None)
    return response.status_code, body, headers


def secrets_for(who, world):
    hidden = [name for name in world.ids if who not in INSIDE or name not in KNOWN_TO_MEMBERS | {"user_id"}]
    return ["ecret", *(str(world.ids[name]) for name in hidden if name != "number")]  # versions count from 1 everywhere


def judge(operation, response, who, world):
    """What is wrong with this answer, or nothing."""
    status = response.status_code
    if status >= 500:
        return f"{status}"
    if who in {"N", "revoked"}:
        return None if operation.id in PUBLIC or status == 401 else f"{status} instead of 401"
    if 200 <= status < 300:
        leaked = [secret for secret in secrets_for(who, world) if secret.encode() in content_of(response)]
        if leaked:
            return f"tells {leaked}"
        if operation.names:
            is_known = who in INSIDE and operation.id in READ_BY_MEMBERS
            return None if is_known else f"{status} instead of hidden: {content_of(response)[:200]}"
        if operation.method != "GET" and who not in WRITTEN_BY_MEMBERS.get(operation.id, {}):
            return f"{status}: a write that succeeded"
        return None
    if operation.names and status not in HIDDEN:
        return f"{status} instead of hidden: {content_of(response)[:200]}"
    return None


def is_comparable(operation, who):
    """Whether the caller may not even know that the things exist."""
    if who == "X":
        return True
    return who in INSIDE and operation.names and not KNOWN_TO_MEMBERS & set(operation.names)


@pytest.mark.parametrize("who", ["N", "R", "A", "X", "revoked"])
def test_a1_strangers_get_nothing_on_any_route(who, record_property):
    world = World()
    before, wrong, asked = rows(), [], 0

    for operation in operations():
        if who not in {"N", "revoked"} and operation.id in OPEN_WRITES.keys() | PUBLIC:
            continue
        if who in WRITTEN_BY_MEMBERS.get(operation.id, {}):
            continue
        asked += 1
        response = call(operation, world.ids, world.headers[who])
        if problem := judge(operation, response, who, world):
            wrong.append(f"{operation.method} {operation.path}: {problem}")
        elif is_comparable(operation, who) and operation.id != "me_sessions_end":
            other = call(operation, random_ids(world.ids), world.headers[who])
            if answer_of(other) != answer_of(response):
                wrong.append(f"{operation.method} {operation.path}: {answer_of(response)} and {answer_of(other)}")

    record_property("got", f"{asked} routes as {who}")
    record_property("count", ("routes of the OpenAPI file in the generated matrix", len(operations())))
    record_property("count", (f"routes asked as {who}", asked))
    assert wrong == []
    assert rows() == before


def test_a1_reader_changes_nothing_of_what_all_see(record_property):
    world = World(is_shared=True)
    before, wrong, asked = rows(), [], 0

    for operation in operations():
        if operation.method == "GET" or not operation.names or operation.id in WRITTEN_BY_READERS:
            continue
        asked += 1
        ids, body = world.ids, None
        if operation.id == "messages_edit":  # words of a person; an answer can be edited by nobody
            ids = world.ids | {"message_id": world.said}
        if operation.id == "commands_run":
            body = {"name": "title", "arguments": "Mine"}
        status = call(operation, ids, world.headers["R"], body=body).status_code
        if status not in HIDDEN:
            wrong.append(f"{operation.method} {operation.path}: {status}")

    record_property("got", f"{asked} writing routes as R on what R may read")
    assert wrong == []
    assert rows() == before


def test_a1_owner_reads_all_of_it():
    """Otherwise the sweep would prove nothing: the hidden things are there and their addresses are right."""
    world = World()

    found = {
        operation.id: call(operation, world.ids, world.headers["B"]).status_code
        for operation in operations()
        if operation.method == "GET" and operation.names
    }

    assert {name: status for name, status in found.items() if status != 200} == {
        "attachments_preview": 404,  # a text has none
        "shared_read": 404,  # the link of a private conversation opens nothing
    }


def test_every_id_in_an_address_has_a_rule():
    known = World().ids.keys()

    assert [f"{each.path}: {name}" for each in operations() for name in each.names if name not in known] == []


def test_exemptions_still_exist():
    there = {operation.id for operation in operations()}
    named = PUBLIC | OPEN_WRITES.keys() | READ_BY_MEMBERS.keys() | WRITTEN_BY_MEMBERS.keys() | WRITTEN_BY_READERS.keys()

    assert named - there == set()


#: Asked by who watches, not by who calls; and one that only takes what the generated routes send, and refuses all else unread.
UNLIMITED = {"/healthz", "/health", "/readyz", "/metrics", "/v1/chat/completions"}


def plain_paths(patterns, before=""):
    """Addresses of pages and doors that need no id."""
    for each in patterns:
        route = str(each.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
        if isinstance(each, URLResolver):
            yield from plain_paths(each.url_patterns, before + route)
        elif not set("<(\\[") & set(before + route):
            yield f"/{before}{route}"


def test_a61_every_route_runs_dry_with_the_limits_on(settings, record_property):
    """Other attacks run without limits, so that each is answered for what it asks. Here nobody has a token left."""
    world, nothing = World(), (0.001, 0.01)
    settings.PARLANCE_LIMITS = dict.fromkeys(("person", "key", "organization", "address"), nothing)
    before, wrong = rows(), []

    for operation in operations():
        for who in ("N", "R"):
            response = call(operation, world.ids, world.headers[who])
            if response.status_code != 429 or "Retry-After" not in response.headers:
                wrong.append(f"{operation.method} {operation.path} as {who}: {response.status_code}")
    paths = sorted(set(plain_paths(get_resolver().url_patterns)) - UNLIMITED)
    answers = {path: Client().get(path).status_code for path in paths}
    wrong += [f"GET {path}: {status}" for path, status in answers.items() if status != 429]

    record_property("got", f"429 at {len(operations())} routes of the API and {len(paths)} pages")
    assert wrong == []
    assert rows() == before
