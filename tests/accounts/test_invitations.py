import pytest

from apps.accounts.models import Invitation, OrganizationMember, User
from apps.accounts.services import erasure, invitations, operators, organizations, sign_in_rules
from apps.accounts.types import (
    SYSTEM,
    AlreadyMember,
    EmailTaken,
    InvitationNotValid,
    MailDomainNotAllowed,
    OrganizationRole,
    PasswordRefused,
)
from apps.core.models import Event
from tests.accounts.factories import PASSWORD, UserFactory, actor_of, join, member_of

pytestmark = pytest.mark.django_db


def invite(owner, project, email="new@example.org", **more):
    invited = invitations.invite(actor=actor_of(owner), organization_id=project.organization_id, email=email, **more)
    return invited.link.rstrip("/").rsplit("/", 1)[1]


def test_address_with_an_account_signs_in_first(owner, project):
    UserFactory(email="New@example.org")
    token = invite(owner, project)

    with pytest.raises(EmailTaken) as refused:
        invitations.join_by_invitation(token=token, name="New", password=PASSWORD)

    assert refused.value.code == "email_taken"
    assert Invitation.objects.get().accepted_at is None
    assert OrganizationMember.objects.count() == 1


@pytest.mark.parametrize("password", ["short", "1234567890", "password123", "new@example.org"])
def test_weak_password_is_refused_and_the_invitation_stays_open(owner, project, password):
    token = invite(owner, project)

    with pytest.raises(PasswordRefused) as refused:
        invitations.join_by_invitation(token=token, name="New", password=password)

    assert refused.value.code == "password_refused"
    assert not User.objects.filter(email="new@example.org").exists()
    assert invitations.find_invitation(token=token) is not None


@pytest.mark.parametrize(
    ("told", "zone"),
    [
        ("Europe/Lisbon", "Europe/Lisbon"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("Europe/Atlantis", "UTC"),
        ("../etc/passwd", "UTC"),
        ("Europe", "UTC"),
        ("", "UTC"),
    ],
)
def test_who_joins_goes_on_in_the_language_and_the_time_zone_of_the_page(told, zone, owner, project, client):
    client.cookies["time_zone"] = told
    client.post(
        f"/accounts/invitation/{invite(owner, project)}/",
        {"name": "New", "password": PASSWORD},
        headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"},
    )

    new = User.objects.get(email="new@example.org")
    assert (new.language, new.time_zone) == ("de", zone)


def test_time_zone_that_somebody_chose_stays(owner, project, client):
    new = UserFactory(email="new@example.org", time_zone="Asia/Tokyo")
    client.force_login(new)
    client.cookies["time_zone"] = "Europe/Lisbon"

    client.post(f"/accounts/invitation/{invite(owner, project)}/")

    new.refresh_from_db()
    assert (new.time_zone, OrganizationMember.objects.filter(user=new).exists()) == ("Asia/Tokyo", True)


def test_new_invitation_of_an_address_withdraws_the_earlier_one(owner, project):
    first, second = invite(owner, project), invite(owner, project, "NEW@example.org")

    assert invitations.find_invitation(token=first) is None
    assert invitations.find_invitation(token=second) is not None


def test_member_is_not_invited_again(owner, project):
    join(UserFactory(email="new@example.org"), project.organization)

    with pytest.raises(AlreadyMember):
        invite(owner, project)

    assert not Invitation.objects.exists()


def remove(owner, project, user):
    member = OrganizationMember.objects.get(organization=project.organization, user=user)
    organizations.remove_member(actor=actor_of(owner), member_id=member.pk)


def demote(owner, project, user):
    member = OrganizationMember.objects.get(organization=project.organization, user=user)
    organizations.change_member_role(actor=actor_of(owner), member_id=member.pk, role=OrganizationRole.MEMBER)


def switch_off(owner, project, user):
    operators.set_active(actor=SYSTEM, user_id=user.pk, is_active=False)


def erase(owner, project, user):
    erasure.erase_person(actor=SYSTEM, user_id=user.pk)


@pytest.mark.parametrize("lose", [remove, demote, switch_off, erase])
def test_invitation_ends_with_the_right_of_who_made_it(owner, project, lose):
    admin, other = (member_of(project, role=OrganizationRole.ADMIN) for _number in range(2))
    token = invite(admin, project, role=OrganizationRole.ADMIN)
    others = invite(other, project, "other@example.org")

    lose(owner, project, admin)

    assert invitations.find_invitation(token=token) is None
    with pytest.raises(InvitationNotValid):
        invitations.join_by_invitation(token=token, name="New", password=PASSWORD)
    assert not User.objects.filter(email="new@example.org").exists()
    assert Invitation.objects.get(invited_by=admin).revoked_at is not None
    assert Event.objects.filter(type="accounts.invitation_revoked").count() == 1
    assert invitations.find_invitation(token=others) is not None


def test_invitation_gives_only_what_its_maker_could_give_now(owner, project):
    """Also where nobody withdrew it: the right is asked for again when somebody comes."""
    admin = member_of(project, role=OrganizationRole.ADMIN)
    token = invite(admin, project)
    OrganizationMember.objects.filter(user=admin).update(role=OrganizationRole.MEMBER)

    assert invitations.find_invitation(token=token) is None
    with pytest.raises(InvitationNotValid):
        invitations.join_by_invitation(token=token, name="New", password=PASSWORD)


def test_former_owner_takes_back_what_only_owners_give(owner, project):
    heir = member_of(project)
    as_owner = invite(owner, project, role=OrganizationRole.OWNER)
    as_member = invite(owner, project, "other@example.org")

    member = OrganizationMember.objects.get(user=heir)
    organizations.transfer_ownership(actor=actor_of(owner), member_id=member.pk)

    assert invitations.find_invitation(token=as_owner) is None
    assert invitations.find_invitation(token=as_member) is not None


def test_mail_domains_of_now_decide_who_joins(owner, project):
    token = invite(owner, project)
    sign_in_rules.change_rules(
        actor=actor_of(owner), organization_id=project.organization_id, mail_domains=["sand.example"]
    )

    with pytest.raises(MailDomainNotAllowed):
        invitations.join_by_invitation(token=token, name="New", password=PASSWORD)

    assert not OrganizationMember.objects.exclude(user=owner).exists()
    assert Invitation.objects.get().accepted_at is None


def test_token_is_kept_as_a_hash_only(owner, project):
    token = invite(owner, project)

    row = Invitation.objects.values().get()

    assert token not in str(row)
    assert bytes(row["token_hash"]) != token.encode()
