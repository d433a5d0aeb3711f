"""A change of address that was begun: who is told, what ends it, what is asked again at the link."""

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.test import Client

from apps.accounts import actors
from apps.accounts.models import Device, SignInAttempt, User, UserSession
from apps.accounts.services import devices, operators, passwords, people, sessions, sign_in_rules
from apps.accounts.types import SYSTEM, LinkNotValid, SessionEnd, SessionKind
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "else@example.net"
NEW_PASSWORD = "a quiet walk by the river"


@pytest.fixture
def ann(project, owner):
    EmailAddress.objects.create(user=owner, email=owner.email, primary=True, verified=True)
    return owner


@pytest.fixture
def hers(ann):
    client = Client()
    client.post("/accounts/login/", {"login": ann.email, "password": PASSWORD})
    return client


@pytest.fixture
def link(ann, hers):
    """What the new address was mailed, from a session of hers."""
    hers.post("/accounts/email/", {"email": NEW, "action_add": ""})
    return f"/accounts/confirm-email/{EmailConfirmationHMAC(EmailAddress.objects.get(email=NEW)).key}/"


def new_password_by_mail(ann):
    token = f"{user_pk_to_url_str(ann)}-{default_token_generator.make_token(ann)}"
    passwords.reset_password(token=token, password=NEW_PASSWORD)


def new_password_on_the_page(ann):
    client = Client()
    client.post("/accounts/login/", {"login": ann.email, "password": PASSWORD})
    body = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client.post("/accounts/password/change/", body).status_code == 302


def out_everywhere(ann):
    sessions.end_all_sessions(user_id=ann.pk, reason=SessionEnd.REVOKED)


def out_everywhere_else(ann):
    mine = sessions.begin_session(user=ann, kind=SessionKind.COOKIE, session_key="hers")
    sessions.end_other_sessions(actor=actors.member(ann, session=mine))


def out_there(ann):
    mine = sessions.begin_session(user=ann, kind=SessionKind.COOKIE, session_key="hers")
    there = UserSession.objects.exclude(pk=mine.pk).get(user=ann, ended_at=None)
    sessions.end_session(actor=actors.member(ann, session=mine), session_id=there.pk)


def device_forgotten(ann):
    mine = sessions.begin_session(user=ann, kind=SessionKind.COOKIE, session_key="hers")
    devices.forget_device(actor=actors.member(ann, session=mine), device_id=Device.objects.get(user=ann).pk)


def ended_by_an_operator(ann):
    operators.end_sessions_of(actor=SYSTEM, user_id=ann.pk)


def test_begun_change_is_told_to_the_address_so_far_and_audited(link, ann):
    letter = MailMessage.objects.get(recipient=ann.email)

    assert letter.subject == "Your account at Parlance is to have another e-mail address"
    assert "/accounts/password/reset/" in letter.text
    assert Event.objects.get(type="accounts.email_change_begun").payload == {"user_id": str(ann.pk)}


@pytest.mark.parametrize(
    "end",
    [
        new_password_by_mail,
        new_password_on_the_page,
        out_everywhere,
        out_everywhere_else,
        out_there,
        device_forgotten,
        ended_by_an_operator,
    ],
)
def test_begun_change_ends_with_a_new_password_and_with_sessions_that_are_ended(link, ann, end):
    before = ann.email
    ann.refresh_from_db()

    end(ann)
    answer = Client().post(link)

    assert answer.status_code == 404
    assert User.objects.get(pk=ann.pk).email == before
    assert list(EmailAddress.objects.values_list("email", flat=True)) == [before]


def test_link_of_somebody_who_is_switched_off_changes_nothing(link, ann, hers):
    User.objects.filter(pk=ann.pk).update(is_active=False)

    answer = hers.post(link)

    assert answer["Location"].startswith("/accounts/login/")
    with pytest.raises(LinkNotValid):
        people.hold_address(address=EmailAddress.objects.get(email=NEW))
    assert User.objects.get(pk=ann.pk).email == ann.email


def test_mail_domains_are_asked_again_at_the_link(link, ann, hers, project):
    sign_in_rules.change_rules(
        actor=actors.member(ann), organization_id=project.organization_id, mail_domains=["example.org"]
    )

    answer = hers.post(link)

    assert (answer.status_code, "example.net" in User.objects.get(pk=ann.pk).email) == (400, False)
    assert EmailAddress.objects.get(email=NEW).verified is False


def test_untouched_change_goes_through_in_a_session_of_the_account_and_in_no_other(link, ann, hers):
    refused = Client().post(link)
    before = User.objects.get(pk=ann.pk).email
    answer = hers.post(link)

    assert (refused.status_code, before) == (302, ann.email)
    assert answer.status_code == 302
    assert User.objects.get(pk=ann.pk).email == NEW


def test_old_password_is_counted_where_it_is_changed(ann):
    client = Client()
    client.post("/accounts/login/", {"login": ann.email, "password": PASSWORD})
    body = {"oldpassword": "not the one", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    guessed = [client.post("/accounts/password/change/", body).status_code for _number in range(11)]
    right = client.post("/accounts/password/change/", body | {"oldpassword": PASSWORD})

    assert (guessed, right.status_code) == ([200] * 10 + [429], 429)
    assert SignInAttempt.objects.filter(user=ann, has_succeeded=False).count() >= 10
    assert User.objects.get(pk=ann.pk).check_password(PASSWORD)
