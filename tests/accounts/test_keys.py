"""Keys after they were made: changed, renewed, marked when nobody uses them. Never more than their owner may give."""

from datetime import timedelta

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts import actors, addresses, audit
from apps.accounts.models import ApiKey, IdentityProvider, OrganizationMember
from apps.accounts.services import keys, organizations, service_accounts
from apps.accounts.types import NOBODY, KeyEnded, KeyNotGrantable, NetworkNotValid, OrganizationRole, ProjectAccess
from apps.core import preferences
from apps.core.errors import Forbidden, Invalid, NotFound, VersionMismatch
from apps.core.models import Event
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, join, member_of, reader_of
from tests.accounts.test_api import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


def make(user, project, **fields):
    return keys.make_api_key(actor=actor_of(user), organization_id=project.organization_id, name="Report", **fields)


def change(user, made, **changes):
    return keys.change_api_key(actor=actor_of(user), key_id=made.key.pk, **changes)


def opens(token):
    return actors.actor_for(authorization=f"Bearer {token}") != NOBODY


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_all_of_a_key_can_be_changed_and_holds_at_once(owner, project):
    made = make(owner, project)
    end = timezone.now() + timedelta(days=3)

    key = change(
        owner,
        made,
        name="Nightly",
        scopes=["conversations:read"],
        project_id=project.pk,
        expires_at=end,
        allowed_networks=("192.0.2.7/24",),
    )

    assert (key.name, key.version, key.allowed_networks) == ("Nightly", 2, ["192.0.2.0/24"])
    actor = actors.actor_for(authorization=f"Bearer {made.token}", address="192.0.2.9")
    assert (actor.project_id, actor.scopes) == (project.pk, frozenset({"conversations:read"}))
    assert not opens(made.token)  # from elsewhere
    assert Event.objects.get(type="accounts.api_key_changed").payload == {
        "key_id": str(key.pk),
        "fields": ["allowed_networks", "expires_at", "name", "project", "scopes"],
        "is_wider": False,
    }


def test_the_same_again_changes_nothing(owner, project):
    made = make(owner, project, scopes=("models:read",))

    assert change(owner, made, name="Report", scopes=["models:read", "models:read"]).version == 1
    assert not Event.objects.filter(type="accounts.api_key_changed").exists()


@pytest.mark.parametrize(
    ("before", "after", "is_wider"),
    [
        ({"scopes": ("models:read", "models:use")}, {"scopes": ["models:use"]}, False),
        ({"scopes": ("models:read",)}, {"scopes": ["models:read", "models:use"]}, True),
        ({"scopes": ("models:read",)}, {"scopes": []}, True),
        ({}, {"scopes": ["models:read"]}, False),
        ({"allowed_networks": ("192.0.2.0/24",)}, {"allowed_networks": ("192.0.2.8/29",)}, False),
        ({"allowed_networks": ("192.0.2.0/24",)}, {"allowed_networks": ("192.0.0.0/16",)}, True),
        ({"allowed_networks": ("192.0.2.0/24",)}, {"allowed_networks": ()}, True),
        ({"allowed_networks": ("192.0.2.0/24",)}, {"allowed_networks": ("2001:db8::/32",)}, True),
        ({"days": 3}, {"days": 2}, False),
        ({"days": 3}, {"days": 4}, True),
        ({"days": 3}, {"days": None}, True),
        ({"project": True}, {"project": False}, True),
        ({"project": False}, {"project": True}, False),
    ],
)
def test_log_says_whether_a_key_became_wider(before, after, is_wider, owner, project):
    now = timezone.now()

    def fields(given):
        found = {name: value for name, value in given.items() if name not in {"days", "project"}}
        if "days" in given:
            found["expires_at"] = now + timedelta(days=given["days"]) if given["days"] else None
        if "project" in given:
            found["project_id"] = project.pk if given["project"] else None
        return found

    change(owner, make(owner, project, **fields(before)), **fields(after))

    assert Event.objects.get(type="accounts.api_key_changed").payload["is_wider"] is is_wider


def test_key_gets_no_more_than_its_owner_may_give(project):
    member = member_of(project)
    made = make(member, project, scopes=("models:read",))
    closed = ProjectFactory(organization=project.organization, access=ProjectAccess.RESTRICTED)
    elsewhere = ProjectFactory(owner=member)

    with pytest.raises(KeyNotGrantable):
        change(member, made, scopes=["models:read", "models:write"])
    with pytest.raises(NotFound):
        change(member, made, project_id=closed.pk)
    with pytest.raises(KeyNotGrantable):
        change(member, made, project_id=elsewhere.pk)

    made.key.refresh_from_db()
    assert (made.key.scopes, made.key.project_id, made.key.version) == (["models:read"], None, 1)


def test_who_lost_the_right_may_narrow_a_key_and_not_widen_it(owner, project):
    admin = member_of(project, role=OrganizationRole.ADMIN)
    made = make(admin, project, scopes=("models:write", "audit:read"))
    OrganizationMember.objects.filter(user=admin).update(role=OrganizationRole.MEMBER)

    assert change(admin, made, scopes=["audit:read"]).scopes == ["audit:read"]
    with pytest.raises(KeyNotGrantable):
        change(admin, made, scopes=["audit:read", "models:write"])


def test_key_that_writes_is_not_moved_to_where_its_owner_only_reads(owner, project):
    reader = reader_of(project)
    other = ProjectFactory(organization=project.organization)
    made = make(reader, project, scopes=("conversations:write",), project_id=other.pk)

    with pytest.raises(KeyNotGrantable):
        change(reader, made, project_id=project.pk)


def test_nobody_changes_keys_of_others_or_by_a_key(owner, project):
    member = member_of(project)
    made = make(member, project)

    with pytest.raises(Forbidden):
        change(owner, made, name="Mine")  # withdrawing is theirs, not changing
    with pytest.raises(Forbidden):
        keys.renew_api_key(actor=actor_of(owner), key_id=made.key.pk)
    with pytest.raises(NotFound):
        change(member_of(project), made, name="Mine")
    with pytest.raises(Forbidden):
        keys.change_api_key(
            actor=actors.actor_for(authorization=f"Bearer {made.token}"), key_id=made.key.pk, name="Mine"
        )

    made.key.refresh_from_db()
    assert made.key.name == "Report"


def test_keys_of_service_accounts_are_changed_by_those_who_manage_these(owner, project):
    account = service_accounts.create_service_account(
        actor=actor_of(owner), organization_id=project.organization_id, name="Import"
    )
    made = make(owner, project, service_account_id=account.pk)

    assert change(owner, made, name="Nightly").name == "Nightly"
    with pytest.raises(NotFound):
        change(member_of(project), made, name="Mine")


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
def test_key_that_is_over_stays_over(how, owner, project):
    made = make(owner, project)
    past = timezone.now() - timedelta(minutes=1)
    ApiKey.objects.update(**({"revoked_at": past} if how == "withdrawn" else {"expires_at": past}))

    with pytest.raises(KeyEnded):
        change(owner, made, expires_at=None)
    with pytest.raises(KeyEnded):
        keys.renew_api_key(actor=actor_of(owner), key_id=made.key.pk)


def test_wrong_values_are_refused(owner, project):
    made = make(owner, project)

    with pytest.raises(NetworkNotValid):
        change(owner, made, allowed_networks=("here",))
    with pytest.raises(Invalid):
        change(owner, made, expires_at=timezone.now() - timedelta(days=1))
    with pytest.raises(VersionMismatch):
        change(owner, made, expected_version=2, name="Late")


# Renewal


def test_old_secret_works_until_the_moment_that_was_chosen(owner, project, monkeypatch):
    made = make(owner, project)

    new = keys.renew_api_key(
        actor=actor_of(owner), key_id=made.key.pk, previous_until=timezone.now() + timedelta(hours=1)
    )

    assert (opens(made.token), opens(new.token)) == (True, True)
    assert actors.actor_for(authorization=f"Bearer {made.token}").key_id == new.key.pk
    ApiKey.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    assert (opens(made.token), opens(new.token)) == (False, True)


def test_old_secret_ends_at_once_and_a_third_ends_the_first(owner, project):
    first = make(owner, project)
    soon = timezone.now() + timedelta(days=7)
    second = keys.renew_api_key(actor=actor_of(owner), key_id=first.key.pk, previous_until=soon)
    third = keys.renew_api_key(actor=actor_of(owner), key_id=first.key.pk, previous_until=soon)
    assert [opens(each.token) for each in (first, second, third)] == [False, True, True]

    fourth = keys.renew_api_key(actor=actor_of(owner), key_id=first.key.pk)

    assert [opens(each.token) for each in (second, third, fourth)] == [False, False, True]


def test_withdrawing_ends_both_secrets(owner, project):
    made = make(owner, project)
    new = keys.renew_api_key(
        actor=actor_of(owner), key_id=made.key.pk, previous_until=timezone.now() + timedelta(hours=1)
    )

    keys.revoke_api_key(actor=actor_of(owner), key_id=made.key.pk)

    assert (opens(made.token), opens(new.token)) == (False, False)


def test_what_is_open_ends_with_the_secret_it_was_opened_with(owner, project):
    first = make(owner, project)
    mine = actor_of(owner)
    old = actors.actor_for(authorization=f"Bearer {first.token}", address="198.51.100.7")
    worker = actors.actor_of_row(user_id=owner.pk, key_id=first.key.pk)
    soon = timezone.now() + timedelta(hours=1)

    second = keys.renew_api_key(actor=mine, key_id=first.key.pk, previous_until=soon)
    new = actors.actor_for(authorization=f"Bearer {second.token}", address="198.51.100.7")
    assert actors.renew_all([old, new, worker]) == {old: old, new: new, worker: worker}
    ApiKey.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    assert actors.renew_all([old, new, worker]) == {old: NOBODY, new: new, worker: worker}
    assert (actors.renew(old), actors.renew(new)) == (NOBODY, new)

    keys.change_api_key(actor=mine, key_id=first.key.pk, allowed_networks=["192.0.2.0/24"])

    assert (actors.renew(new), actors.renew(worker)) == (NOBODY, worker)


@pytest.mark.parametrize("days", [-1, 8])
def test_old_secret_works_seven_days_at_most(days, owner, project):
    made = make(owner, project)

    with pytest.raises(Invalid):
        keys.renew_api_key(
            actor=actor_of(owner), key_id=made.key.pk, previous_until=timezone.now() + timedelta(days=days)
        )

    assert opens(made.token)


def test_looking_a_key_up_is_one_query_still(owner, project):
    made = make(owner, project)
    opens(made.token)

    with CaptureQueriesContext(connection) as asked:
        opens(made.token)

    assert len(asked) == 1


@pytest.mark.parametrize(
    ("inner", "outer", "is_within"),
    [
        (["192.0.2.0/25"], ["192.0.2.0/24"], True),
        (["192.0.2.0/24"], ["192.0.2.0/25"], False),
        (["192.0.2.0/25", "10.0.0.0/8"], ["192.0.2.0/24"], False),
        (["2001:db8:1::/48"], ["192.0.2.0/24", "2001:db8::/32"], True),
        ([], ["192.0.2.0/24"], False),
        (["192.0.2.0/24"], [], True),
        ([], [], True),
    ],
)
def test_networks_within_others(inner, outer, is_within):
    assert addresses.are_within(inner, outer) is is_within


# API and pages


def test_api_reads_changes_and_renews_a_key(owner, project):
    made = make(owner, project)
    api = browser_token(owner)
    path = f"/api/v1/api-keys/{made.key.pk}/"

    read = api.get(path)
    changed = api.patch(path, {"name": "Nightly", "project": str(project.pk)}, "application/json", **match(read))
    late = api.patch(path, {"name": "Late"}, "application/json", **match(read))
    renewed = api.post(f"{path}renew/", {}, "application/json")

    assert (read["ETag"], changed["ETag"], late.status_code) == ('"1"', '"2"', 412)
    assert (changed.json()["name"], changed.json()["project"]) == ("Nightly", str(project.pk))
    assert (renewed.status_code, renewed["Cache-Control"]) == (200, "no-store")
    assert opens(renewed.json()["key"])
    assert not opens(made.token)


def match(answer):
    return {"headers": {"If-Match": answer["ETag"]}}


def browser_token(user):
    answer = Client().post(
        "/api/v1/auth/token/",
        {"email": user.email, "password": "correct horse battery"},
        content_type="application/json",
    )
    return Client(headers=bearer(answer.json()["access"]))


def test_unused_keys_are_marked(owner, project):
    make(owner, project)
    fresh = browser_of(owner).get("/settings/keys/").content.decode()
    ApiKey.objects.update(created_at=timezone.now() - timedelta(days=91))

    assert "Unused for 90 days" not in fresh
    assert "Unused for 90 days" in browser_of(owner).get("/settings/keys/").content.decode()
    assert browser_token(owner).get("/api/v1/api-keys/").json()["results"][0]["is_unused"] is True


def test_page_of_a_key_changes_renews_and_withdraws(owner, project):
    made = make(owner, project, expires_at=timezone.now() + timedelta(days=30), scopes=("models:read",))
    browser, path = browser_of(owner), f"/settings/keys/{made.key.pk}/"
    assert path in browser.get("/settings/keys/").content.decode()
    assert "as now" in browser.get(path).content.decode()

    browser.post(path, {"form": "change", "name": "Nightly", "scopes": ["models:read"], "expires": "keep"})
    made.key.refresh_from_db()
    assert (made.key.name, made.key.expires_at is None) == ("Nightly", False)
    browser.post(path, {"form": "change", "name": "Nightly", "scopes": ["models:read"], "expires": ""})
    made.key.refresh_from_db()
    assert made.key.expires_at is None
    renewed = browser.post(path, {"form": "renew", "overlap": "24"})
    assert renewed["Location"].startswith(f"{path}?made=")
    shown = browser.get(renewed["Location"])
    assert (shown.status_code, shown["Cache-Control"]) == (200, "no-store")
    assert "pk_" in shown.content.decode()
    assert "<b>Nightly</b>" in shown.content.decode()
    assert "pk_" not in browser.get(path).content.decode()
    assert "The secret before works until" in browser.get(path).content.decode()
    assert opens(made.token)
    assert browser.post(path, {"form": "revoke"})["Location"] == "/settings/keys/"
    assert not opens(made.token)
    assert "Make a new one" in browser.get(path).content.decode()


def test_page_of_a_key_is_not_for_others(owner, project):
    made = make(member_of(project), project)
    path = f"/settings/keys/{made.key.pk}/"
    outsider = UserFactory()
    ProjectFactory(owner=outsider)

    assert browser_of(outsider).get(path).status_code == 404
    assert browser_of(member_of(project)).get(path).status_code == 404
    admin = browser_of(owner)
    assert b'value="change"' not in admin.get(path).content  # an admin withdraws it
    assert admin.post(path, {"form": "change", "name": "Mine"}).status_code == 403
    assert admin.post(path, {"form": "revoke"})["Location"] == "/settings/access/"


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_pages_cost_the_same_for_many(rows, owner, project, monkeypatch):
    monkeypatch.setattr(preferences, "KEEP_SECONDS", 600)
    for _number in range(rows):
        made = make(owner, project, project_id=ProjectFactory(organization=project.organization).pk)
        join(UserFactory(), project.organization)
    browser = browser_of(owner)
    costs = []
    for path in ("/settings/keys/", f"/settings/keys/{made.key.pk}/"):
        browser.get(path)
        with CaptureQueriesContext(connection) as asked:
            browser.get(path)
        costs.append(len(asked))

    assert costs == [16, 17]  # of the list one more: how many there are


def test_key_of_a_project_knows_and_withdraws_only_its_like(owner, project):
    wide, beside = (
        make(owner, project),
        make(owner, project, project_id=ProjectFactory(organization=project.organization).pk),
    )
    for scopes in ((), ("organizations:read", "organizations:write")):
        mine = make(owner, project, project_id=project.pk, scopes=scopes)
        like = make(owner, project, project_id=project.pk)
        api = Api(None, key=mine.token)

        listed = {each["id"] for each in api("GET", "api-keys/").json()["results"]}
        refused = [api("DELETE", f"api-keys/{each.key.pk}/").status_code for each in (wide, beside, like)]

        assert {str(mine.key.pk), str(like.key.pk)} <= listed
        assert not {str(wide.key.pk), str(beside.key.pk)} & listed
        assert refused == [404, 404, 403]
        assert api("DELETE", f"api-keys/{mine.key.pk}/").status_code < 300
    assert set(ApiKey.objects.exclude(revoked_at=None).values_list("project", flat=True)) == {project.pk}


def test_keys_of_who_is_removed_are_withdrawn_by_name(owner, project):
    user = member_of(project)
    made = [make(user, project), make(user, project)]
    provider = {"kind": "oidc", "name": "Sand", "slug": "sand", "issuer": "https://id.sand.example", "client_id": "x"}
    IdentityProvider.objects.create(organization=project.organization, **provider)
    SocialAccount.objects.create(user=user, provider="sand", uid="1")
    member = OrganizationMember.objects.get(user=user)

    organizations.remove_member(actor=actor_of(owner), member_id=member.pk)

    told = Event.objects.filter(type="accounts.api_key_revoked")
    assert {each.payload["key_id"] for each in told} == {str(each.key.pk) for each in made}
    assert not any(opens(each.token) for each in made)
    assert Event.objects.get(type="accounts.identity_unlinked").payload["provider"] == "sand"
    assert "accounts.api_key_revoked" in audit.AUDITED or told.first().type.startswith(tuple(audit.AUDITED_PREFIXES))
