"""``call: http`` as a document says it: addresses with variables, and credentials that are read nowhere."""

import json
import logging
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test import Client

from apps.core.errors import Forbidden, Invalid
from apps.core.models import Event
from apps.workflows import checks, services
from apps.workflows.models import Run, Secret, Step
from apps.workflows.types import DefinitionRejected, TooManySecrets
from tests.accounts.factories import (
    OrganizationFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    join,
    key_of,
    member_of,
)
from tests.workflows.factories import document, ran
from tests.workflows.office import Office, opened

pytestmark = pytest.mark.django_db
CANARY = "canary-7f3a9c-open-sesame"
SECRETS = "/api/v1/workflow-secrets/"


class Mirror(Office):
    """Says back what it was asked, credentials and all. ``gives``: its status."""

    def __init__(self):
        super().__init__()
        self.seen, self.gives, self.kind = [], 200, "application/json"

    def answer(self, path, headers, body):
        asked = {"path": path, "authorization": headers.get("Authorization"), "body": body.decode()}
        self.seen.append(asked)
        said = {"asked": asked}
        if path.startswith("/oauth2/token"):
            said = {"access_token": f"token-{CANARY}", "token_type": "bearer"}
        more = {"Content-Type": self.kind, "X-Echo": headers.get("Authorization", "none")}
        return 200 if "token" in path else self.gives, said, more


@pytest.fixture
def office(settings):
    with opened(Mirror(), settings) as found:
        yield found


def get(endpoint, **more):
    return [{"look": {"call": "http", "with": {"method": "GET", "endpoint": endpoint, **more}}}]


def asked(office):
    return office.seen[-1]["path"]


# Addresses


@pytest.mark.parametrize(
    ("template", "data", "path"),
    [
        ("/pets/{id}", {"id": 7}, "/pets/7"),
        ("/pets/{id}", {"id": "a/b?c=d"}, "/pets/a%2Fb%3Fc%3Dd"),
        ("/pets{?tag,limit}", {"tag": ["a", "b"], "limit": 2}, "/pets?tag=a,b&limit=2"),
        ("/pets{?tag*}", {"tag": ["a", "b"]}, "/pets?tag=a&tag=b"),
        ("/files{/parts*}", {"parts": ["x", "y z"]}, "/files/x/y%20z"),
        ("/is/{yes}/{none}x", {"yes": True, "none": None}, "/is/true/x"),
        ("/it/{other}", {}, "/it/"),
    ],
)
def test_address_is_a_template_of_the_input(actor, project, office, template, data, path):
    run = ran(actor, project, get({"uri": f"{office.url}{template}"}), data)

    assert (run.status, asked(office)) == ("completed", path)


def test_loops_fill_addresses_with_their_item(actor, project, office):
    do = [{"each": {"for": {"each": "pet", "in": ".pets"}, "do": get(f"{office.url}/pets/{{pet}}")}}]

    assert ran(actor, project, do, {"pets": [1, 2]}).status == "completed"
    assert [each["path"] for each in office.seen] == ["/pets/1", "/pets/2"]


def test_what_an_expression_gives_is_no_template(actor, project, office):
    run = ran(actor, project, get("${ .url }"), {"url": f"{office.url}/a/{{word}}", "word": "hidden"})

    assert run.status == "completed"
    assert "hidden" not in asked(office)


# Credentials


def signs(office, policy, use=None, **more):
    do = get({"uri": f"{office.url}/enter", "authentication": policy}, **more)
    return do, {"use": use} if use else {}


def everywhere():
    """All that is kept, but for what is sealed, as one text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(string_agg(to_jsonb(s)::text, ' '), '') FROM workflows_step s UNION ALL "
            "SELECT coalesce(string_agg(to_jsonb(r)::text, ' '), '') FROM workflows_run r UNION ALL "
            "SELECT coalesce(string_agg(to_jsonb(e)::text, ' '), '') FROM core_event e UNION ALL "
            "SELECT coalesce(string_agg(to_jsonb(k)::text, ' '), '') FROM workflows_secret k"
        )
        return " ".join(row[0] for row in cursor.fetchall())


POLICIES = [
    ({"basic": {"use": "pass"}}, {"username": "marta", "password": CANARY}, "Basic "),
    ({"bearer": {"use": "pass"}}, {"token": CANARY}, f"Bearer {CANARY}"),
    (
        {"oauth2": {"use": "pass"}},
        {"grant": "client_credentials", "client": {"id": "me", "secret": CANARY}, "scopes": ["read", "write"]},
        f"Bearer token-{CANARY}",
    ),
]


@pytest.mark.parametrize("gives", [200, 418])
@pytest.mark.parametrize("output", ["content", "response", "raw"])
@pytest.mark.parametrize(("policy", "value", "header"), POLICIES)
def test_secret_goes_along_and_is_read_nowhere(actor, project, office, caplog, policy, value, header, output, gives):
    """The other side says it back, in its answer and in its error."""
    caplog.set_level(logging.DEBUG)
    office.gives = gives
    if "oauth2" in policy:
        value = {**value, "authority": office.url}
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value=value)
    do, more = signs(office, policy, {"secrets": ["pass"]}, output=output)

    run = ran(actor, project, do, **more)

    assert run.status == ("completed" if gives == 200 else "failed")
    assert office.seen[-1]["authorization"].startswith(header)
    kept = everywhere()
    assert CANARY not in kept
    packed = office.seen[-1]["authorization"].partition(" ")[2]
    assert packed not in kept
    assert CANARY not in caplog.text
    assert CANARY not in json.dumps([run.output, run.error])


def test_client_credentials_ask_for_a_token(actor, project, office):
    client = {"id": "me", "secret": "hush-hush"}
    policy = {
        "oauth2": {"authority": office.url, "grant": "client_credentials", "client": client, "scopes": ["a", "b"]}
    }
    do, more = signs(office, policy)

    assert ran(actor, project, do, **more).status == "completed"
    token, call = office.seen
    assert parse_qs(token["body"]) == {
        "grant_type": ["client_credentials"], "scope": ["a b"], "client_id": ["me"], "client_secret": ["hush-hush"],
    }  # fmt: skip
    assert call["authorization"] == f"Bearer token-{CANARY}"


def test_client_may_say_who_it_is_in_the_header(actor, project, office):
    client = {"id": "me", "secret": "hush-hush", "authentication": "client_secret_basic"}
    policy = {"oauth2": {"authority": office.url, "grant": "client_credentials", "client": client}}
    do, more = signs(office, policy)

    assert ran(actor, project, do, **more).status == "completed"
    assert office.seen[0]["authorization"] == "Basic bWU6aHVzaC1odXNo"
    assert "hush" not in office.seen[0]["body"]


def test_policies_have_names_in_a_document(actor, project, office):
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": CANARY})
    use = {"secrets": ["pass"], "authentications": {"office": {"bearer": {"use": "pass"}}}}
    do, more = signs(office, {"use": "office"}, use)

    assert ran(actor, project, do, **more).status == "completed"
    assert office.seen[-1]["authorization"] == f"Bearer {CANARY}"


def test_a_secret_that_is_not_there_or_lacks_something_fails(actor, project, office):
    do, more = signs(office, {"basic": {"use": "pass"}}, {"secrets": ["pass"]})

    missing = ran(actor, project, do, **more)
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"username": "marta"})
    lacking = ran(actor, project, do, name="other", **more)

    assert (missing.error["code"], lacking.error["code"]) == ("secret_missing", "credentials_incomplete")
    assert office.seen == []


def test_secrets_of_another_project_are_not_used(actor, owner, project, office):
    from tests.accounts.factories import ProjectFactory

    other = ProjectFactory(organization=project.organization)
    add_to_project(owner, other, role="manager")
    services.keep_secret(actor=actor, project_id=other.pk, name="pass", value={"token": CANARY})
    do, more = signs(office, {"bearer": {"use": "pass"}}, {"secrets": ["pass"]})

    assert ran(actor, project, do, **more).error["code"] == "secret_missing"


@pytest.mark.parametrize("place", ["${ .where }", {"uri": "${ .where.uri }", "authentication": {"use": "${ .name }"}}])
def test_data_choose_no_secret(actor, project, office, place):
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": CANARY})
    where = {"uri": f"{office.url}/thief", "authentication": {"bearer": {"use": "pass"}}}
    use = {"secrets": ["pass"], "authentications": {"office": {"bearer": {"use": "pass"}}}}

    try:
        ran(actor, project, get(place), {"where": where, "name": "office"}, use=use)
    except DefinitionRejected:
        assert not isinstance(place, str)

    assert [each["authorization"] for each in office.seen if each["authorization"]] == []


def test_expressions_see_no_secret(actor, project):
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": CANARY})

    with pytest.raises(DefinitionRejected):
        checks.check(document([{"a": {"set": {"x": "${ $secrets.pass }"}}}], use={"secrets": ["pass"]}))


@pytest.mark.parametrize(
    ("endpoint", "use", "field", "code"),
    [
        ({"uri": "https://a.example", "authentication": {"digest": {"username": "a", "password": "b"}}}, {}, "/do/0/look/with/endpoint/authentication", "not_runnable"),
        ({"uri": "https://a.example", "authentication": {"basic": {"use": "x"}}}, {}, "/do/0/look/with/endpoint/authentication/basic/use", "unknown_secret"),
        ({"uri": "https://a.example", "authentication": {"use": "x"}}, {}, "/do/0/look/with/endpoint/authentication/use", "unknown_authentication"),
        ({"uri": "https://{host}/x", "authentication": {"basic": {"use": "x"}}}, {"secrets": ["x"]}, "/do/0/look/with/endpoint/uri", "host"),
        ({"uri": "https://a.example{+rest}", "authentication": {"basic": {"use": "x"}}}, {"secrets": ["x"]}, "/do/0/look/with/endpoint/uri", "host"),
        ({"uri": "${ .url }", "authentication": {"bearer": {"use": "x"}}}, {"secrets": ["x"]}, "/do/0/look/with/endpoint/uri", "host"),
        ({"uri": "https://a.example", "authentication": {"oauth2": {"authority": "https://b.example", "grant": "password"}}}, {}, "/do/0/look/with/endpoint/authentication/oauth2/grant", "not_runnable"),
        ("https://a.example", {"secrets": ["not a name"]}, "/use/secrets/0", "name"),
        ("https://a.example", {"authentications": {"a": {"bearer": {"use": "x"}}}}, "/use/authentications/a/bearer/use", "unknown_secret"),
    ],
)  # fmt: skip
def test_wrong_authentication_says_where(endpoint, use, field, code):
    with pytest.raises(DefinitionRejected) as found:
        checks.check(document(get(endpoint), **({"use": use} if use else {})))

    assert (field, code) in [(each.field, each.code) for each in found.value.fields]


# Kept and deleted


def client_of(user, project, **options):
    return Client(headers=bearer(key_of(user, project.organization, **options)))


def keep(client, project, name="pass", value=None):
    body = {"project": str(project.pk), "name": name, "value": value or {"token": CANARY}}
    return client.post(SECRETS, body, content_type="application/json")


def test_kept_replaced_listed_by_name_and_deleted(api, owner, project):
    made = keep(api, project)
    again = keep(api, project, value={"token": "another"})

    assert (made.status_code, again.json()["id"]) == (201, made.json()["id"])
    assert set(made.json()) == {"id", "project", "name", "kept_by", "kept_at"}
    (row,) = api.get(SECRETS, {"project": str(project.pk)}).json()["results"]
    assert (row["name"], row["kept_by"]) == ("pass", str(owner.pk))
    assert CANARY not in json.dumps(row)
    assert [event.payload["is_new"] for event in Event.objects.filter(type="workflows.secret_kept")] == [True, False]
    assert api.delete(f"{SECRETS}{row['id']}/").status_code == 204
    assert not Secret.objects.exists()
    assert Event.objects.filter(type="workflows.secret_deleted").count() == 1


def test_is_sealed_in_its_row(actor, project):
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": CANARY})

    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM workflows_secret")
        (sealed,) = cursor.fetchone()
    assert sealed.startswith("v1:")
    assert CANARY not in sealed


def test_editors_use_and_do_not_keep(project):
    editor = member_of(project)
    add_to_project(editor, project, role="editor")

    with pytest.raises(Forbidden):
        services.keep_secret(actor=actor_of(editor), project_id=project.pk, name="pass", value={"token": "x"})
    assert keep(client_of(editor, project), project).status_code == 403
    assert not Secret.objects.exists()


def test_too_many_too_long_and_misnamed_are_refused(actor, api, project, monkeypatch):
    with pytest.raises(Invalid):
        services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": "x" * 20_000})
    assert keep(api, project, name="a b").json()["errors"][0]["code"] == "name"
    monkeypatch.setattr("apps.workflows.services.secrets.MAX_SECRETS", 0)
    with pytest.raises(TooManySecrets):
        services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": "x"})
    assert keep(api, project).json()["code"] == "too_many_secrets"


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_asks_the_same_few_questions(api, actor, project, count, django_assert_max_num_queries):
    join(UserFactory(), OrganizationFactory())
    for number in range(count):
        services.keep_secret(actor=actor, project_id=project.pk, name=f"pass_{number}", value={"token": "x"})
    api.get(SECRETS)

    with django_assert_max_num_queries(6):
        assert len(api.get(SECRETS, {"limit": 100}).json()["results"]) == count


def test_no_step_or_run_is_left_with_an_input_of_it(actor, project, office):
    services.keep_secret(actor=actor, project_id=project.pk, name="pass", value={"token": CANARY})
    do, more = signs(office, {"bearer": {"use": "pass"}}, {"secrets": ["pass"]})

    ran(actor, project, do, {"name": "pass"}, **more)

    assert Step.objects.get(path="look").input == {"name": "pass"}
    assert Run.objects.get().data == {"name": "pass"}


# Sent on


class Signpost(Office):
    """Sends whoever asks on to somewhere else on it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def answer(self, path, _headers, _body):
        self.seen.append(path)
        return (200, {"here": True}, {}) if path == "/there" else (307, {"moved": True}, {"Location": "/there"})


@pytest.mark.parametrize(
    ("more", "status", "output"),
    [({}, "failed", None), ({"redirect": False}, "failed", None), ({"redirect": True}, "completed", {"moved": True})],
)
def test_nobody_is_followed_elsewhere(actor, project, settings, more, status, output):
    with opened(Signpost(), settings) as office:
        run = ran(actor, project, get(f"{office.url}/here", **more))

    assert (run.status, run.output, office.seen) == (status, output, ["/here"])
    if status == "failed":
        assert (run.error["code"], run.error["status"]) == ("answered_error", 307)
