"""Sign-up where mail goes out: a letter first, and no word about who is known."""

import re

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import OrganizationMember, User
from apps.accounts.services import sign_ups
from apps.accounts.types import LinkNotValid, OrganizationRole
from apps.core.models import MailMessage
from tests.accounts.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

SIGN_UP = "/accounts/signup/"


@pytest.fixture(autouse=True)
def _is_open(settings):
    settings.PARLANCE_SIGN_UP = "open"
    UserFactory(is_superuser=True)


def ask(email, client=None):
    return (client or Client()).post(SIGN_UP, {"name": "Ann", "email": email})


def link_of(email):
    text = MailMessage.objects.get(recipient=email).text
    return re.search(r"https?://[^/\s]+(/accounts/signup/\S+)", text)[1]


def test_addresses_are_tried_twenty_at_a_time_where_no_mail_goes_out(settings):
    """There the page has to say that one is taken: the account is made at once."""
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"
    settings.PARLANCE_LIMITS = {"address": (1000, 1000)}
    body = {"name": "Ann", "password1": PASSWORD}
    for number in range(21):
        UserFactory(email=f"known{number}@example.org")

    answers = [Client().post(SIGN_UP, body | {"email": f"known{number}@example.org"}) for number in range(21)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert b"already" in answers[0].content


def test_page_says_of_no_address_whether_it_is_known():
    UserFactory(email="known@example.org")
    ask("before@example.org")  # what is asked once a process is asked
    answers, asked = [], []

    for email in ("known@example.org", "nobody@example.org", "Known@Example.org"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answers.append(ask(email))
        asked.append([re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries])

    assert {(answer.status_code, answer["Location"], answer.content) for answer in answers} == {
        (302, "/accounts/confirm-email/", b"")
    }
    assert asked[0] == asked[1] == asked[2]
    assert not User.objects.filter(email="nobody@example.org").exists()
    subjects = MailMessage.objects.filter(recipient="known@example.org").values_list("subject", flat=True)
    assert list(subjects) == ["You have an account at Parlance"] * 2
    text = MailMessage.objects.filter(recipient="known@example.org").first().text
    assert SIGN_UP not in text
    assert "/accounts/login/" in text  # where every way in is: they may have no password
    assert "password/reset" not in text
    assert b"A letter there says how to go on." in Client().get(answers[0]["Location"]).content


def test_mailed_link_makes_the_account_once(settings):
    client = Client()
    client.cookies["time_zone"] = "Europe/Lisbon"
    ask("ann@example.org")
    path = link_of("ann@example.org")
    assert 'value="Ann"' in client.get(path).content.decode()

    answer = client.post(path, {"name": "Ann B", "password": PASSWORD})

    assert (answer.status_code, client.get("/api/v1/me/").json()["email"]) == (302, "ann@example.org")
    member = OrganizationMember.objects.get()
    assert (member.user.name, member.role) == ("Ann B", OrganizationRole.OWNER)
    assert member.user.time_zone == "Europe/Lisbon"
    assert member.user.emailaddress_set.get().verified
    again = Client().post(path, {"name": "Eve", "password": "another horse battery"})
    assert (again.status_code, Client().login(email="ann@example.org", password=PASSWORD)) == (400, True)


@pytest.mark.parametrize("why", ["forged", "old", "closed"])
def test_link_that_is_not_good_makes_nobody(why, settings, monkeypatch):
    ask("ann@example.org")
    path = link_of("ann@example.org")
    if why == "forged":
        path = f"{SIGN_UP}{signing.dumps(['ann@example.org', 'Ann'], salt='another')}/"
    elif why == "old":
        monkeypatch.setattr(sign_ups, "LIFETIME", -1)
    else:
        settings.PARLANCE_SIGN_UP = "invitation"

    answer = Client().post(path, {"name": "Ann", "password": PASSWORD})

    assert (answer.status_code, Client().get(path).status_code) == (400, 400)
    with pytest.raises(LinkNotValid):
        sign_ups.finish(token=path.split("/")[-2], name="Ann", password=PASSWORD)
    assert not User.objects.filter(email="ann@example.org").exists()


def test_weak_password_is_said_beside_its_field():
    ask("ann@example.org")

    answer = Client().post(link_of("ann@example.org"), {"name": "Ann", "password": "short"})

    assert answer.status_code == 400
    assert "This password is too short" in answer.content.decode()
    assert not User.objects.filter(email="ann@example.org").exists()
