"""Service accounts, keys bound to networks, and handing an organization over."""

import pytest

from apps.accounts import actors, addresses
from apps.accounts.models import ApiKey, OrganizationMember, ServiceAccount, User, UserSession
from apps.accounts.services import attempts, erasure, keys, organizations, service_accounts, sessions
from apps.accounts.types import (
    NOBODY,
    SYSTEM,
    ActorKind,
    KeyNotGrantable,
    NotTransferable,
    OrganizationRole,
    SessionKind,
    SignInFailed,
)
from apps.conversations.models import Message
from apps.core.errors import Forbidden
from apps.core.models import Event, MailMessage
from tests.accounts.factories import (
    PASSWORD,
    ProjectFactory,
    UserFactory,
    actor_of,
    key_of,
    member_of,
)
from tests.accounts.test_api import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory()


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


@pytest.fixture
def made(owner, project):
    """A service account with a key, as the API answers."""
    api, organization = Api(owner), str(project.organization_id)
    account = api("POST", "service-accounts/", {"organization": organization, "name": "Night import"}).json()
    key = api("POST", "api-keys/", {"organization": organization, "name": "k", "service_account": account["id"]})
    return account, key.json()


def test_program_writes_as_itself(owner, project, made):
    account, key = made
    program = Api(None, key=key["key"])

    started = program("POST", "conversations/", {"project": str(project.pk), "title": "Tickets"})
    program("POST", f"conversations/{started.json()['id']}/messages/", {"content": "Twelve new ones"})

    actor = actors.actor_for(api_key=key["key"])
    assert (actor.kind, str(actor.user_id)) == (ActorKind.SERVICE, account["user"])
    assert started.status_code == 201
    assert Message.objects.filter(author=account["user"]).exists()
    shown = Api(owner)("GET", f"conversations/{started.json()['id']}/messages/").content
    assert b"Night import" in shown
    assert Event.objects.filter(actor_kind="service", type="conversations.conversation_started").count() == 1
    members = {row["user"]: row for row in Api(owner)("GET", "members/").json()["results"]}
    assert members[account["user"]]["is_service"] is True
    assert members[str(owner.pk)]["is_service"] is False


def test_service_account_that_a_colleague_changed_meanwhile_is_not_overwritten(owner, made):
    api, path = Api(owner), f"service-accounts/{made[0]['id']}/"
    read = {"If-Match": api("GET", path).headers["ETag"]}

    changed = api("PATCH", path, {"name": "Night", "description": "Twelve a day"}, **read)
    late = api("PATCH", path, {"name": "Day"}, **read)
    disabled = api("POST", f"{path}disable/")

    assert (changed.status_code, changed.json()["version"], changed.headers["ETag"]) == (200, 2, '"2"')
    assert (late.status_code, late.json()["code"], late.json()["current"]) == (412, "version_mismatch", 2)
    assert (disabled.json()["name"], disabled.json()["description"]) == ("Night", "Twelve a day")
    assert disabled.headers["ETag"] == '"3"'


def test_program_has_no_other_way_in_and_gets_no_mail(owner, project, made):
    user = User.objects.get(pk=made[0]["user"])

    with pytest.raises(SignInFailed):
        attempts.check_password(email=user.email, password="", address=None)
    with pytest.raises(SignInFailed):
        sessions.begin_session(user=user, kind=SessionKind.COOKIE, session_key="x")
    answer = Api(owner).client.post("/api/v1/auth/password/reset/", {"email": user.email}, "application/json")

    assert answer.status_code < 300
    assert not MailMessage.objects.filter(recipient=user.email).exists()
    assert not UserSession.objects.filter(user=user).exists()


def test_program_changes_no_account_and_makes_no_keys(project, made):
    program = Api(None, key=made[1]["key"])

    assert program("PATCH", "me/", {"name": "Somebody"}).status_code == 403
    body = {"organization": str(project.organization_id), "name": "more"}
    assert program("POST", "api-keys/", body).json()["code"] == "key_not_grantable"
    assert program("POST", "organizations/", {"name": "Mine"}).status_code == 403
    assert program("GET", "service-accounts/").json()["results"] == []


def test_disabled_program_is_out_and_back_with_the_same_keys(owner, made):
    account, key = made
    api = Api(owner)

    off = api("POST", f"service-accounts/{account['id']}/disable/").json()
    assert off["disabled_at"] is not None
    assert actors.actor_for(api_key=key["key"]) == NOBODY
    assert Api(None, key=key["key"])("GET", "me/").status_code == 401
    api("POST", f"service-accounts/{account['id']}/enable/")

    assert actors.actor_for(api_key=key["key"]).is_somebody
    assert Event.objects.filter(type__startswith="accounts.service_account_").count() == 3


def test_only_admins_have_service_accounts(owner, project, made):
    member, admin = member_of(project), member_of(project, role=OrganizationRole.ADMIN)
    organization = str(project.organization_id)
    account, _key = made

    assert Api(member)("POST", "service-accounts/", {"organization": organization, "name": "p"}).status_code == 403
    assert Api(member)("GET", f"service-accounts/{account['id']}/").status_code == 404
    body = {"organization": organization, "name": "k", "service_account": account["id"]}
    assert Api(member)("POST", "api-keys/", body).status_code == 404
    body = {"organization": organization, "name": "p", "role": "owner"}
    assert Api(owner)("POST", "service-accounts/", body).status_code == 400
    changed = Api(admin)("PATCH", f"service-accounts/{account['id']}/", {"name": "Import", "description": "Nightly"})
    assert (changed.json()["name"], changed.json()["description"]) == ("Import", "Nightly")
    assert ServiceAccount.objects.count() == 1
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    ("networks", "inside", "outside"),
    [
        (["192.0.2.0/24"], ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.3.1", "::ffff:192.0.3.1", "2001:db8::1"]),
        (["2001:db8::/32"], ["2001:db8::1", "2001:0DB8:0:0::9"], ["2001:db9::1", "192.0.2.7"]),
        (["::ffff:192.0.2.0/120"], ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.3.1"]),
        (["198.51.100.4", "2001:db8::/64"], ["198.51.100.4", "2001:db8::9"], ["198.51.100.5", "2001:db8:1::9"]),
    ],
)
def test_key_opens_nothing_from_outside_its_networks(owner, project, networks, inside, outside):
    api = Api(owner)
    body = {"organization": str(project.organization_id), "name": "bound", "allowed_networks": networks}
    key = api("POST", "api-keys/", body).json()["key"]
    bound = Api(None, key=key)

    def over_http(address):
        return bound.client.get("/api/v1/me/", headers=bound.headers, REMOTE_ADDR=address).status_code

    def over_socket(address):
        scope = {"headers": [(b"authorization", f"Bearer {key}".encode())], "client": (address, 1)}
        credential = actors.credential_from_scope(scope)
        return actors.actors_for_sockets([credential])[credential].is_somebody

    assert [over_http(address) for address in inside] == [200] * len(inside)
    assert [over_http(address) for address in outside] == [401] * len(outside)
    assert [over_socket(address) for address in inside] == [True] * len(inside)
    assert [over_socket(address) for address in outside] == [False] * len(outside)
    assert actors.actor_for(api_key=key) == NOBODY  # an address that is not known


def test_address_that_a_caller_claims_counts_only_behind_our_proxy(owner, project, settings):
    body = {"organization": str(project.organization_id), "name": "bound", "allowed_networks": ["192.0.2.0/24"]}
    bound = Api(None, key=Api(owner)("POST", "api-keys/", body).json()["key"])
    claim = {"X-Forwarded-For": "192.0.2.7"}
    scope = {
        "headers": [(b"authorization", bound.headers["Authorization"].encode()), (b"x-forwarded-for", b"192.0.2.7")],
        "client": ("203.0.113.1", 1),
    }

    assert bound("GET", "me/", **claim).status_code == 401
    assert addresses.address_of_scope(scope) == "203.0.113.1"
    settings.PARLANCE_BEHIND_PROXY = True
    assert bound("GET", "me/", **claim).status_code == 200
    assert bound("GET", "me/", **{"X-Forwarded-For": "192.0.2.7, 203.0.113.9"}).status_code == 401
    assert addresses.address_of_scope(scope) == "192.0.2.7"


@pytest.mark.parametrize("network", ["192.0.2.0/33", "somewhere", "1.2.3.4/", "2001:db8::/129"])
def test_network_that_is_none_is_refused(owner, project, network):
    body = {"organization": str(project.organization_id), "name": "bound", "allowed_networks": [network]}

    answer = Api(owner)("POST", "api-keys/", body)

    assert (answer.status_code, answer.json()["code"], ApiKey.objects.count()) == (400, "network_not_valid", 0)


def test_ownership_is_handed_over_with_the_password_and_both_are_told(owner, project):
    heir = member_of(project)
    path, api = f"organizations/{project.organization_id}/transfer/", Api(owner)
    member = str(OrganizationMember.objects.get(user=heir).pk)

    wrong = api("POST", path, {"member": member, "password": "guess"})
    without = api("POST", path, {"member": member})
    by_key = Api(None, key=key_of(owner, project.organization))("POST", path, {"member": member, "password": PASSWORD})
    by_heir = Api(heir)("POST", path, {"member": member, "password": PASSWORD})
    assert [answer.status_code for answer in (wrong, without, by_key, by_heir)] == [401, 401, 403, 403]
    assert OrganizationMember.objects.get(user=heir).role == OrganizationRole.MEMBER
    done = api("POST", path, {"member": member, "password": PASSWORD})

    assert (done.status_code, done.json()["role"]) == (200, "owner")
    assert OrganizationMember.objects.get(user=owner).role == OrganizationRole.ADMIN
    assert set(MailMessage.objects.values_list("recipient", flat=True)) == {owner.email, heir.email}
    assert Event.objects.filter(type="accounts.ownership_transferred").count() == 1
    assert api("GET", "me/").status_code == 401  # both sign in again


def test_ownership_is_not_handed_to_programs_or_oneself(owner, project, made):
    path = f"organizations/{project.organization_id}/transfer/"
    for user in (made[0]["user"], owner.pk):
        member = str(OrganizationMember.objects.get(user=user).pk)
        answer = Api(owner)("POST", path, {"member": member, "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_transferable")
    assert OrganizationMember.objects.filter(role=OrganizationRole.OWNER).count() == 1


def test_ownership_is_not_handed_to_an_account_that_is_switched_off(owner, project):
    heir = member_of(project)
    User.objects.filter(pk=heir.pk).update(is_active=False)
    member = OrganizationMember.objects.get(user=heir)

    with pytest.raises(NotTransferable):
        organizations.transfer_ownership(actor=actor_of(owner), member_id=member.pk)
    answer = Api(owner)("PATCH", f"members/{member.pk}/", {"role": "owner"})

    assert (answer.status_code, answer.json()["code"]) == (409, "owner_not_fit")
    assert list(OrganizationMember.objects.filter(role=OrganizationRole.OWNER).values_list("user", flat=True)) == [
        owner.pk
    ]


def test_program_owns_nothing_and_counts_as_nobody_where_owners_leave(owner, project, made):
    program = OrganizationMember.objects.get(user=made[0]["user"])
    mine = OrganizationMember.objects.get(user=owner)
    api = Api(owner)

    with pytest.raises(Forbidden):
        service_accounts.create_service_account(
            actor=actor_of(owner), organization_id=project.organization_id, name="p", role=OrganizationRole.OWNER
        )
    answer = api("PATCH", f"members/{program.pk}/", {"role": "owner"})
    OrganizationMember.objects.filter(pk=program.pk).update(role=OrganizationRole.OWNER)  # as it once could be
    left = api("DELETE", f"members/{mine.pk}/")

    assert [(each.status_code, each.json()["code"]) for each in (answer, left)] == [
        (409, "owner_not_fit"),
        (409, "last_owner"),
    ]
    assert User.objects.filter(is_service=True).count() == 1


def test_owner_whose_account_is_switched_off_does_not_stand_in(owner, project):
    other = member_of(project, role=OrganizationRole.OWNER)
    mine = OrganizationMember.objects.get(user=owner)
    User.objects.filter(pk=other.pk).update(is_active=False)

    assert Api(owner)("DELETE", f"members/{mine.pk}/").json()["code"] == "last_owner"
    User.objects.filter(pk=other.pk).update(is_active=True)
    assert Api(owner)("DELETE", f"members/{mine.pk}/").status_code == 204


def test_organization_of_one_person_and_programs_goes_with_the_person(owner, project, made):
    organization = project.organization_id

    erasure.erase_person(actor=SYSTEM, user_id=owner.pk)

    assert not OrganizationMember.objects.filter(organization=organization).exists()


def test_key_of_a_program_is_made_where_the_program_belongs(owner, project, made):
    other = ProjectFactory(owner=owner)

    with pytest.raises(KeyNotGrantable):
        keys.make_api_key(
            actor=actor_of(owner),
            organization_id=other.organization_id,
            name="k",
            service_account_id=made[0]["id"],
        )

    assert not ApiKey.objects.filter(organization=other.organization).exists()


def test_person_without_a_password_needs_a_fresh_session(owner, project):
    from datetime import timedelta

    from apps.accounts.types import FreshSignInNeeded

    owner.set_unusable_password()
    owner.save()
    session = sessions.begin_session(user=owner, kind=SessionKind.TOKEN)
    actor = actors.member(owner, session=session)

    attempts.require_fresh_proof(actor=actor, password="", caller={})
    UserSession.objects.update(created_at=session.created_at - timedelta(minutes=16))
    with pytest.raises(FreshSignInNeeded):
        attempts.require_fresh_proof(actor=actor, password="", caller={})
    with pytest.raises(FreshSignInNeeded):
        attempts.require_fresh_proof(actor=actor_of(owner), password="", caller={})
