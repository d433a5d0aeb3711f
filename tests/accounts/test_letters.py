"""The mails that allauth sends, in our words: they name the product, and speak as the pages do."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from apps.core.models import MailMessage
from tests.accounts.factories import UserFactory

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
def test_reset_mail_names_the_product_in_the_language_of_who_asks(language, subject, greeting, settings):
    ann = UserFactory(name="Ann")

    Client().post("/accounts/password/reset/", {"email": ann.email}, headers={"accept-language": language})

    letter = MailMessage.objects.get()
    assert (letter.recipient, letter.subject, letter.html) == (ann.email, subject, "")
    assert letter.text.startswith(greeting)
    assert f"\n{settings.PARLANCE_URL}{SET}" in letter.text
    assert "Parlance" in letter.text
    assert "example.com" not in letter.text
    assert not FAMILIAR.search(letter.text)


@pytest.mark.parametrize("path", ["/accounts/password/reset/", "/accounts/password/reset/done/"])
@pytest.mark.parametrize(
    ("backend", "said", "unsaid"),
    [
        ("apps.core.mail_log", "no mail comes", "The message that comes|on its way"),
        ("django.core.mail.backends.smtp", "The message that comes|on its way", "no mail comes"),
    ],
)
def test_pages_promise_a_mail_only_where_one_is_sent(path, backend, said, unsaid, settings):
    settings.EMAIL_BACKEND = f"{backend}.EmailBackend"

    page = Client().get(path).content.decode()

    assert re.search(said, page)
    assert not re.search(unsaid, page)


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

    letter = MailMessage.objects.get()
    assert (letter.recipient, letter.subject) == ("new@example.org", subject)
    assert f"\n{settings.PARLANCE_URL}{CONFIRM}" in letter.text
    assert "Parlance" in letter.text
    assert not FAMILIAR.search(letter.text)


def test_mail_after_signing_up_is_the_one_that_confirms(settings):
    settings.PARLANCE_SIGN_UP = "open"
    UserFactory(is_superuser=True)

    Client().post(
        "/accounts/signup/", {"name": "Ben", "email": "ben@example.org", "password1": "another horse battery"}
    )

    letter = MailMessage.objects.get()
    assert (letter.recipient, letter.subject) == ("ben@example.org", "Confirm your e-mail address for Parlance")
    assert letter.text.startswith("Hello Ben,")
