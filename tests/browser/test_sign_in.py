"""Passkeys in a real browser: Chromium's virtual authenticator keeps one. An authenticator app: ``test_ways_in``."""

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import override_settings
from playwright.sync_api import expect

from apps.accounts.models import UserSession
from apps.core.models import MailMessage
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, make_session_stale
from tests.browser.look import look_at

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def base(live_server):
    """As ``localhost``: a passkey belongs to a name, never to a number."""
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def person():
    user = UserFactory()
    ProjectFactory(owner=user)
    return user


def sign_in(page, base, person):
    page.goto(f"{base}/accounts/login/")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page):
    page.context.clear_cookies()


@pytest.fixture
def authenticator(page):
    """A device that keeps passkeys and whose owner always touches it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools


@pytest.fixture
def with_passkey(page, base, person, authenticator):
    """Somebody who is signed in and has a passkey called Laptop."""
    with override_settings(CSRF_TRUSTED_ORIGINS=[base]):
        sign_in(page, base, person)
        page.goto(f"{base}/accounts/2fa/webauthn/add/")
        page.get_by_label("Name").fill("Laptop")
        page.get_by_role("button", name="Add it").click()
        expect(page.locator("#recovery-codes li")).to_have_count(10)
        yield page


def test_passkey_signs_in_by_itself(with_passkey, base, person):
    page = with_passkey
    sign_out(page)

    page.goto(f"{base}/accounts/login/")
    page.get_by_role("button", name="Use a passkey").click()

    page.wait_for_url(f"{base}/")
    session = UserSession.objects.latest("created_at")
    assert (session.user, session.method, session.auth_level) == (person, "passkey", 2)


def test_passkey_is_the_second_step_after_a_password(with_passkey, base, person):
    page = with_passkey
    sign_out(page)

    sign_in(page, base, person)
    expect(page.get_by_role("heading", name="One more proof")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()

    page.wait_for_url(f"{base}/")
    session = UserSession.objects.latest("created_at")
    assert (session.method, session.auth_level) == ("password", 2)


def test_passkey_is_renamed_and_removed_after_a_fresh_proof_by_it(with_passkey, base, person):
    page = with_passkey
    page.goto(f"{base}/settings/security/")
    page.get_by_role("link", name="Rename").click()
    page.wait_for_url("**/edit/")
    look_at(page, "accounts/2fa/webauthn/keys/<int:pk>/edit/")
    page.get_by_label("Name").fill("Old laptop")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"{base}/settings/security/")
    expect(page.get_by_text("Old laptop")).to_be_visible()
    cookie = next(each for each in page.context.cookies() if each["name"] == settings.SESSION_COOKIE_NAME)
    make_session_stale(cookie["value"])

    page.get_by_role("link", name="Remove…").click()
    expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()
    page.get_by_role("link", name="Use a passkey").click()
    look_at(page, "accounts/2fa/webauthn/reauthenticate/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Remove the passkey?")).to_be_visible()
    look_at(page, "accounts/2fa/webauthn/keys/<int:pk>/remove/")
    page.get_by_role("button", name="Remove it").click()

    page.wait_for_url(f"{base}/settings/security/")
    expect(page.get_by_text("Old laptop")).to_have_count(0)
    assert not Authenticator.objects.filter(user=person, type="webauthn").exists()
    subjects = (
        MailMessage.objects.filter(recipient=person.email).order_by("created_at").values_list("subject", flat=True)
    )
    assert [subject for subject in subjects if "way into" in subject] == [
        "A way into your account was added: Passkey",
        "A way into your account was removed: Passkey",
    ]
