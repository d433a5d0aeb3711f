"""Ways into an account and back into it, by the keyboard alone, and what each page on the way looks like."""

import re

import pytest
from allauth.account.models import EmailConfirmationHMAC
from django.test import override_settings
from playwright.sync_api import expect

from apps.accounts.models import OrganizationMember, User, UserSession
from apps.accounts.services import invitations, people, sessions, sign_in_rules
from apps.accounts.types import SYSTEM
from apps.core.models import MailMessage
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of, make_session_stale
from tests.accounts.test_second_factors import code_of, half_a_minute_later
from tests.browser.look import look_at
from tests.browser.test_keyboard import tab_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.django_db(transaction=True)]

NEW = "another horse battery"


@pytest.fixture
def base(live_server):
    with override_settings(CSRF_TRUSTED_ORIGINS=[live_server.url]):
        yield live_server.url


@pytest.fixture
def person():
    user = UserFactory(is_superuser=True)
    ProjectFactory(owner=user)
    return user


def go(page, address):
    page.goto(address)
    arrive(page)


def arrive(page, address="**"):
    page.wait_for_url(address)
    page.wait_for_selector("body[data-ready]", state="attached")


def press(page, name):
    tab_to(page, name)
    page.keyboard.press("Enter")


def write(page, fields):
    """Each field by its label; the first may have the focus already."""
    for label, text in fields.items():
        if not re.search(label, page.evaluate("document.activeElement.labels?.[0]?.innerText ?? ''")):
            tab_to(page, label)
        page.keyboard.type(text)


def sign_in(page, base, email, password=PASSWORD):
    go(page, f"{base}/accounts/login/")
    write(page, {"^E-mail": email, "^Password": password})
    page.keyboard.press("Enter")


def link_in(recipient, path):
    """The address on this server of the link that the newest mail to somebody has."""
    text = MailMessage.objects.filter(recipient=recipient).latest("created_at").text
    return re.search(rf"https?://[^/\s]+({path}\S*)", text)[1]


def test_first_person_comes_by_the_link_of_the_start_and_comes_back_by_another(page, base):
    token = people.start_first().link_token
    go(page, f"{base}/accounts/link/{token}/")
    look_at(page, "accounts/link/<str:token>/")
    write(page, {"^Your name": "Inês Duarte", "^E-mail": "ines@example.org", "^Password": PASSWORD})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/")
    ines = User.objects.get(is_superuser=True)

    go(page, f"{base}/accounts/logout/")
    look_at(page, "accounts/logout/")
    press(page, "^Sign out$")
    arrive(page, re.compile(r"/accounts/login/"))

    link = f"{base}/accounts/link/{sessions.make_sign_in_link(actor=SYSTEM, user=ines)}/"
    go(page, link)
    look_at(page, "accounts/link/<str:token>/")
    press(page, "^Sign in$")
    arrive(page, f"{base}/")
    page.context.clear_cookies()
    go(page, link)
    expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()
    look_at(page, "accounts/link/<str:token>/")


def test_somebody_makes_an_account_and_somebody_else_is_invited(page, base, person):
    go(page, f"{base}/accounts/signup/")
    look_at(page, "accounts/signup/")
    write(page, {"^Your name": "Ben", "^E-mail": "ben@example.org"})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/accounts/confirm-email/")
    go(page, base + link_in("ben@example.org", "/accounts/signup/"))
    look_at(page, "accounts/signup/<str:token>/")
    write(page, {"^Password": PASSWORD})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/")
    ben = User.objects.get(email="ben@example.org")
    assert (ben.name, ben.emailaddress_set.get().verified) == ("Ben", True)
    ben.emailaddress_set.update(verified=False)
    key = EmailConfirmationHMAC(ben.emailaddress_set.get()).key
    go(page, f"{base}/accounts/confirm-email/{key}/")
    look_at(page, "accounts/confirm-email/(?P<key>[-:\\w]+)/$")
    press(page, "^Confirm$")
    page.wait_for_url(lambda url: "confirm-email" not in url)
    assert ben.emailaddress_set.get().verified

    page.context.clear_cookies()
    organization = OrganizationMember.objects.get(user=person).organization
    invited = invitations.invite(actor=actor_of(person), organization_id=organization.pk, email="nuno@example.org").link
    path = re.sub(r"^https?://[^/]+", "", invited)
    page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    go(page, base + path)
    look_at(page, "accounts/invitation/<str:token>/")
    write(page, {"^Your name": "Nuno", "^Password": PASSWORD})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/")
    nuno = OrganizationMember.objects.get(organization=organization, user__email="nuno@example.org").user
    assert nuno.time_zone == "Asia/Tokyo"


def sign_in_anew(page, base, email):
    """In another tab of the same browser."""
    other = page.context.new_page()
    go(other, f"{base}/accounts/logout/")
    other.get_by_role("button", name="Sign out", exact=True).click()
    arrive(other, re.compile(r"/accounts/login/"))
    sign_in(other, base, email)
    arrive(other, f"{base}/")
    other.close()


def test_form_that_is_older_than_the_sign_in_is_taken_or_comes_back_with_its_words(page, base, person):
    sign_in(page, base, person.email)
    arrive(page, f"{base}/")
    go(page, f"{base}/settings/profile/")
    name, save = page.get_by_label("Name", exact=True), page.get_by_role("button", name="Save")

    name.fill("Written before")
    sign_in_anew(page, base, person.email)
    page.evaluate("dispatchEvent(new Event('blur'))")  # which a page without a window never hears
    save.click()
    expect(page.get_by_text("Saved")).to_be_visible()
    person.refresh_from_db()
    assert person.name == "Written before"

    arrive(page)
    name.fill("Still here")
    sign_in_anew(page, base, person.email)
    save.click()
    expect(page.get_by_role("heading", name="The form was not taken")).to_be_visible()
    page.go_back()
    arrive(page)
    expect(name).to_have_value("Still here")
    save.click()
    expect(page.get_by_text("Saved")).to_be_visible()
    person.refresh_from_db()
    assert person.name == "Still here"


def test_forgotten_password_is_set_anew(page, base, person):
    go(page, f"{base}/accounts/login/")
    press(page, "^(Forgot|Set a new password)")
    arrive(page, f"{base}/accounts/password/reset/")
    write(page, {"^E-mail": person.email})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/accounts/password/reset/done/")
    look_at(page, "accounts/password/reset/done/")

    go(page, base + link_in(person.email, "/accounts/password/reset/key/"))
    look_at(page, "accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$")
    write(page, {"^New password": NEW, "^The new password once more": NEW})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/accounts/password/reset/key/done/")
    look_at(page, "accounts/password/reset/key/done/")
    press(page, "^Sign in$")
    arrive(page, f"{base}/accounts/login/")
    write(page, {"^E-mail": person.email, "^Password": NEW})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/")


def test_second_factor_is_set_up_asked_for_and_given_up(page, base, person):
    organization = OrganizationMember.objects.get(user=person).organization
    rules = {"actor": actor_of(person), "organization_id": organization.pk}
    sign_in_rules.change_rules(**rules, require_second_factor=True)
    sign_in(page, base, person.email)
    arrive(page, f"{base}/accounts/2fa/")
    look_at(page, "accounts/2fa/")
    press(page, "^Use an authenticator app$")
    arrive(page, f"{base}/accounts/2fa/totp/activate/")
    assert page.locator("img.qr").evaluate("image => image.naturalWidth") > 0
    secret = page.locator("#totp-secret").inner_text()
    write(page, {"^Code": code_of(secret)})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/accounts/2fa/recovery-codes/")
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    look_at(page, "accounts/2fa/recovery-codes/")
    press(page, "^I have kept them$")
    arrive(page, f"{base}/settings/security/")

    page.context.clear_cookies()
    sign_in(page, base, person.email)
    arrive(page, f"{base}/accounts/2fa/authenticate/")
    half_a_minute_later(person)
    write(page, {"^Code": code_of(secret)})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/")
    assert UserSession.objects.latest("created_at").auth_level == 2

    sign_in_rules.change_rules(**rules, require_second_factor=False)
    go(page, f"{base}/accounts/2fa/reauthenticate/")
    look_at(page, "accounts/2fa/reauthenticate/")
    go(page, f"{base}/settings/security/")
    press(page, "^Make new ones$")
    arrive(page, f"{base}/accounts/2fa/recovery-codes/generate/")
    look_at(page, "accounts/2fa/recovery-codes/generate/")
    press(page, "^Keep the old ones$")
    arrive(page, f"{base}/settings/security/")
    press(page, "^Remove…$")
    arrive(page, f"{base}/accounts/2fa/totp/deactivate/")
    look_at(page, "accounts/2fa/totp/deactivate/")
    press(page, "^Remove it$")
    arrive(page, f"{base}/settings/security/")
    assert not person.authenticator_set.filter(type="totp").exists()


def test_who_has_no_password_sets_one_after_a_code_from_the_mail(page, base, person):
    person.set_unusable_password()
    person.save()
    go(page, f"{base}/accounts/link/{sessions.make_sign_in_link(actor=SYSTEM, user=person)}/")
    press(page, "^Sign in$")
    arrive(page, f"{base}/")
    cookie = next(each for each in page.context.cookies() if each["name"].endswith("session"))
    make_session_stale(cookie["value"])

    go(page, f"{base}/accounts/password/set/")
    assert "/accounts/reauthenticate/code/" in page.url
    look_at(page, "accounts/reauthenticate/code/")
    press(page, "^Mail a code to ")
    expect(page.get_by_role("button", name="Send another code")).to_be_visible()
    arrive(page)
    look_at(page, "accounts/reauthenticate/code/")
    text = MailMessage.objects.filter(recipient=person.email).latest("created_at").text
    write(page, {"^Code": re.search(r"^ {4}(\S.{7,10})$", text, re.MULTILINE)[1]})
    page.keyboard.press("Enter")
    arrive(page, f"{base}/accounts/password/set/")
    look_at(page, "accounts/password/set/")
    write(page, {"^New password": NEW, "^The new password once more": NEW})
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "password/set" not in url)
    person.refresh_from_db()
    assert person.check_password(NEW)
