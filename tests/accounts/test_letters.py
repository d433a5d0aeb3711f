"""The mails that allauth sends, in our words: they name the product, and speak as the pages do."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import translation

from apps.accounts import letters
from apps.accounts.models import Invitation, SignInAttempt, User
from apps.accounts.types import RiskSignal
from apps.core.letters import letter_of_text
from apps.core.models import MailMessage
from tests.accounts.factories import OrganizationFactory, UserFactory

pytestmark = pytest.mark.django_db

FAMILIAR = re.compile(r"\b(du|dich|dir|dein\w*)\b", re.IGNORECASE)
SET, CONFIRM = "/accounts/password/reset/key/", "/accounts/confirm-email/"


@pytest.mark.parametrize(
    ("language", "subject", "greeting"),
    [
        ("en", "A new password for Parlance", "Hello Ann,"),
        ("de", "Ein neues Passwort für Parlance", "Guten Tag Ann,"),
    ],
)
def test_reset_mail_names_the_product_in_the_language_of_who_gets_it(language, subject, greeting, settings):
    ann = UserFactory(name="Ann", language=language)

    Client().post("/accounts/password/reset/", {"email": ann.email}, headers={"accept-language": "fr"})

    letter = MailMessage.objects.get()
    assert (letter.recipient, letter.subject) == (ann.email, subject)
    assert letter.text.startswith(greeting)
    assert f"\n{settings.PARLANCE_URL}{SET}" in letter.text
    assert "Parlance" in letter.text
    assert "example.com" not in letter.text
    assert not FAMILIAR.search(letter.text)


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("en", "Confirm your e-mail address for Parlance"),
        ("de", "Bestätigen Sie Ihre E-Mail-Adresse für Parlance"),
    ],
)
def test_confirmation_mail_is_in_our_words_too(language, subject, settings):
    ann = UserFactory(name="Ann", language=language)
    EmailAddress.objects.create(user=ann, email=ann.email, primary=True, verified=True)
    browser = Client()
    browser.force_login(ann)

    browser.post("/accounts/email/", {"email": "new@example.org", "action_add": ""})

    letter = MailMessage.objects.exclude(recipient=ann.email).get()
    assert (letter.recipient, letter.subject) == ("new@example.org", subject)
    assert f"\n{settings.PARLANCE_URL}{CONFIRM}" in letter.text
    assert "Parlance" in letter.text
    assert not FAMILIAR.search(letter.text)


def test_mail_after_signing_up_is_the_one_that_confirms(settings):
    settings.PARLANCE_SIGN_UP = "open"
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"
    UserFactory(is_superuser=True)
    client = Client()
    client.cookies["time_zone"] = "Europe/Lisbon"

    client.post("/accounts/signup/", {"name": "Ben", "email": "ben@example.org", "password1": "another horse battery"})

    letter = MailMessage.objects.get()
    assert (letter.recipient, letter.subject) == ("ben@example.org", "Confirm your e-mail address for Parlance")
    assert letter.text.startswith("Hello Ben,")
    assert User.objects.get(email="ben@example.org").time_zone == "Europe/Lisbon"


class Page(HTMLParser):
    """What a mail program would make of it: words, links, and everything that would be loaded from elsewhere."""

    def __init__(self, html):
        super().__init__()
        self.words, self.links, self.loads, self.open, self.language = "", [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in {"img", "script", "iframe", "link", "object", "video", "audio", "form", "input"} or "src" in found:
            self.loads.append(tag)
        if tag == "a":
            self.links.append(found["href"])
        if tag == "html":
            self.language = found["lang"]
        if tag not in {"meta", "br", "link", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.words += " " + " ".join(data.split())


NASTY = "<img src=//evil.example/x>&\r\nBcc: all@example.org"


def every_letter(user):
    attempt = SignInAttempt(
        created_at=datetime(2026, 11, 21, 12, tzinfo=UTC), address="192.0.2.7", country="PT", user_agent=NASTY
    )
    invitation = Invitation(
        email=user.email, invited_by=UserFactory(name=NASTY), organization=OrganizationFactory(name=NASTY)
    )
    letters.send_link(user=user, token="tok")
    letters.send_invitation(invitation=invitation, link="https://parlance.example/join/1")
    letters.send_reset(user=user, recipient=user.email, link="https://parlance.example/reset/1")
    letters.send_confirmation(user=user, recipient=user.email, link="https://parlance.example/confirm/1")
    letters.send_code(user=user, attempt=attempt, code="1234 5678")
    letters.send_alert(user=user, attempt=attempt)
    letters.send_refusal(user=user, attempt=attempt, signals=list(RiskSignal))
    letters.send_proof_code(user=user, code="8765 4321")
    for is_added in (True, False):
        letters.send_way_in(user=user, what=NASTY, is_added=is_added)
    letters.send_address_change_begun(user=user)
    letters.send_address_changed(user=user, recipient="former@example.org")
    letters.send_password_changed(user=user)
    letters.send_proved(user=user, put_away=["Set up"], shared=["Lodge"])
    letters.send_known(user=user)
    letters.send_sign_up(recipient="new@example.org", link="https://parlance.example/up/1", language=user.language)
    letters.send_ownership(
        user=user, organization=invitation.organization, owner=user, former=UserFactory(name=NASTY, language="en")
    )
    letters.send_belongings(user=user, organization=invitation.organization, former=UserFactory(name=NASTY))
    context = {
        "user": user,
        "email": user.email,
        "ip": "192.0.2.7",
        "user_agent": NASTY,
        "timestamp": attempt.created_at,
    }
    get_adapter().send_mail(
        "account/email/unknown_account", user.email, context | {"signup_url": "https://a.example/up"}
    )
    return list(MailMessage.objects.order_by("created_at"))


@pytest.mark.parametrize(("language", "hello"), [("en", "Hello"), ("de", "Guten Tag")])
def test_every_mail_has_both_parts_that_say_the_same_and_loads_nothing(language, hello, settings):
    user = UserFactory(name="Ann & <b>Ben</b>", language=language)

    with translation.override("en" if language == "de" else "de"):
        mails = every_letter(user)

    kinds = [name for name in vars(letters) if name.startswith("send_")]
    assert len(mails) == len(kinds) + 2, "a letter that is not written here, or twice"
    for mail in mails:
        page = Page(mail.html)
        assert page.open == []
        assert page.loads == []
        assert "url(" not in mail.html.replace("(prefers", "")
        assert "<b>" not in mail.html
        assert (page.language, "\n" in mail.subject) == (language, False)
        said = [line.strip() for line in mail.text.splitlines() if line.strip() not in {"", "--"}]
        for line in said:
            for part in [line] if line.startswith("http") else re.split(r": |:$", line):
                assert " ".join(part.split()) in page.words, (mail.subject, part)
        assert set(page.links) <= set(re.findall(r"https?://\S+", mail.text))
        assert settings.PARLANCE_URL in page.links
    for mail in mails[:-1]:
        assert f"{hello}" in mail.text.splitlines()[0]
        assert not FAMILIAR.search(mail.text)


def test_code_and_facts_are_in_the_mail_of_an_unusual_sign_in():
    user = UserFactory(language="de", time_zone="Europe/Lisbon")

    mail = next(each for each in every_letter(user) if each.subject == "Ihr Anmeldecode für Parlance")

    assert "\n    1234 5678\n" in mail.text
    assert "Wann: 21. November 2026, 12:00 (Europe/Lisbon)" in mail.text
    assert "Adresse: 192.0.2.7 · PT" in mail.text


def test_mail_of_a_library_becomes_a_letter():
    letter = letter_of_text(
        subject="S", text="Hello,\n\nsome words\nover two lines:\nhttps://a.example/x\n\nThe end.\n"
    )

    assert (letter.greeting, letter.lead, letter.link) == ("Hello,", "some words", "https://a.example/x")
    assert letter.closing == ["over two lines:", "The end."]
