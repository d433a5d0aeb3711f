import pytest

from apps.accounts.models import Invitation, OrganizationMember, User
from apps.accounts.services import invitations
from apps.accounts.types import AlreadyMember, EmailTaken, PasswordRefused
from tests.accounts.factories import PASSWORD, UserFactory, actor_of, join

pytestmark = pytest.mark.django_db


def invite(owner, project, email="new@example.org"):
    invited = invitations.invite(actor=actor_of(owner), organization_id=project.organization_id, email=email)
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


def test_new_invitation_of_an_address_withdraws_the_earlier_one(owner, project):
    first, second = invite(owner, project), invite(owner, project, "NEW@example.org")

    assert invitations.find_invitation(token=first) is None
    assert invitations.find_invitation(token=second) is not None


def test_member_is_not_invited_again(owner, project):
    join(UserFactory(email="new@example.org"), project.organization)

    with pytest.raises(AlreadyMember):
        invite(owner, project)

    assert not Invitation.objects.exists()


def test_token_is_kept_as_a_hash_only(owner, project):
    token = invite(owner, project)

    row = Invitation.objects.values().get()

    assert token not in str(row)
    assert bytes(row["token_hash"]) != token.encode()
