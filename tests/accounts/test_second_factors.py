"""Codes of an authenticator app and recovery codes: set up, asked for, good once, sealed."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from apps.accounts import second_factor
from apps.accounts.models import CodeGuess, UserSession
from apps.accounts.services import second_factors, sessions
from apps.accounts.types import NOBODY, SYSTEM, CodeRefused, SignInMethod, TooManyAttempts
from apps.core import crypto, key_rotation
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of, make_stale

pytestmark = pytest.mark.django_db(transaction=True)

SOMEBODY = second_factors.Guesser()


def code_of(secret, step=0):
    """Of this moment's half minute; one that ends in a moment is waited out."""
    left = 30 - time.time() % 30
    if step == 0 and left < 3:
        time.sleep(left)
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def half_a_minute_later(user):
    """As if the code that was used last had been the one before this one."""
    row = Authenticator.objects.get(user=user, type="totp")
    row.data["last_counter"] -= 1
    row.save(update_fields=["data"])


def sign_in(client, user):
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})


def with_app(user):
    """Gives the seed; no code of it was used yet."""
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    sealed = second_factor.seal_for(user.pk, secret)
    Authenticator.objects.create(user=user, type="totp", data={"secret": sealed})
    return secret


def with_recovery_codes(user):
    seed = second_factor.seal_for(user.pk, "5eed")
    row = Authenticator.objects.create(user=user, type="recovery_codes", data={"seed": seed, "used_mask": 0})
    return row.wrap().generate_codes()


@pytest.fixture
def user():
    person = UserFactory()
    ProjectFactory(owner=person)
    return person


@pytest.fixture
def browser(user):
    client = Client()
    sign_in(client, user)
    return client


def set_up(browser):
    page = browser.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    answer = browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
    return secret, answer


def test_app_is_set_up_and_asked_for_at_the_next_sign_in(browser, user):
    secret, answer = set_up(browser)

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/recovery-codes/")
    codes = browser.get(answer["Location"]).context["unused_codes"]
    assert len(codes) == 10
    assert browser.get(answer["Location"]).context["unused_codes"] == ["****"] * 10  # shown once
    assert list(Event.objects.filter(type="accounts.second_factor_added").values_list("payload__kind", flat=True)) == [
        "totp",
        "recovery_codes",
    ]
    client = Client()
    halfway = sign_in(client, user)
    assert (halfway.status_code, halfway["Location"]) == (302, "/accounts/2fa/authenticate/")
    assert client.get("/api/v1/me/").status_code == 401
    half_a_minute_later(user)
    done = client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert (done.status_code, done["Location"]) == (302, "/")
    session = UserSession.objects.latest("created_at")
    assert (session.method, session.auth_level, client.get("/api/v1/me/").status_code) == (
        SignInMethod.PASSWORD,
        2,
        200,
    )


def test_code_that_set_the_app_up_does_not_sign_in(browser, user):
    secret, _answer = set_up(browser)
    used = Authenticator.objects.get(user=user, type="totp").data["last_counter"]
    client = Client()
    sign_in(client, user)

    answer = client.post("/accounts/2fa/authenticate/", {"code": format_hotp_value(hotp_value(secret, used))})

    assert answer.status_code == 200
    assert "This code is wrong, was used, or has expired." in answer.content.decode()
    assert client.get("/api/v1/me/").status_code == 401


def test_wrong_first_code_sets_nothing_up(browser, user):
    browser.get("/accounts/2fa/totp/activate/")

    answer = browser.post("/accounts/2fa/totp/activate/", {"code": "000000"})

    assert answer.status_code == 200
    assert not Authenticator.objects.exists()


def test_code_is_good_once_and_never_an_earlier_one(user):
    secret = with_app(user)

    second_factors.check_code(user=user, code=code_of(secret), guesser=SOMEBODY)

    with pytest.raises(CodeRefused):
        second_factors.check_code(user=user, code=code_of(secret), guesser=SOMEBODY)
    half_a_minute_later(user)
    assert second_factors.check_code(user=user, code=code_of(secret), guesser=SOMEBODY).type == "totp"


def test_code_is_good_for_its_half_minute_and_no_longer(user):
    secret = with_app(user)

    for step in (-1, 1):
        with pytest.raises(CodeRefused):
            second_factors.check_code(user=user, code=code_of(secret, step), guesser=SOMEBODY)

    assert second_factors.check_code(user=user, code=code_of(secret), guesser=SOMEBODY).type == "totp"


def test_recovery_code_is_good_once(user):
    with_app(user)
    codes = with_recovery_codes(user)

    assert second_factors.check_code(user=user, code=codes[3], guesser=SOMEBODY).type == "recovery_codes"

    with pytest.raises(CodeRefused):
        second_factors.check_code(user=user, code=codes[3], guesser=SOMEBODY)
    assert second_factors.check_code(user=user, code=codes[4], guesser=SOMEBODY).type == "recovery_codes"


def test_five_wrong_codes_then_the_right_one_waits_too(user):
    secret = with_app(user)
    for _number in range(5):
        with pytest.raises(CodeRefused):
            second_factors.check_code(user=user, code="000000", guesser=SOMEBODY)

    with pytest.raises(TooManyAttempts):
        second_factors.check_code(user=user, code=code_of(secret), guesser=SOMEBODY)

    assert CodeGuess.objects.filter(has_succeeded=True).count() == 0
    assert Event.objects.filter(type="accounts.sign_in_refused", payload__reason="too_many_attempts").count() == 1


def test_whoever_has_the_password_locks_nobody_out_and_still_does_not_guess_for_long(user, settings):
    settings.PARLANCE_SIGN_IN_RISK = (1000, 1000)
    with_app(user)
    codes = iter(with_recovery_codes(user))

    def ask(code, address, device=""):
        body = {"email": user.email, "password": PASSWORD, "code": code} | ({"device": device} if device else {})
        client = Client(REMOTE_ADDR=address)
        return client.post("/api/v1/auth/token/", body, content_type="application/json")

    device = ask(next(codes), "192.0.2.1").json()["device"]

    first = [ask("000000", "198.51.100.1").status_code for _number in range(6)]
    at_home = ask(next(codes), "203.0.113.9", device).status_code
    elsewhere = ask(next(codes), "203.0.113.10").status_code
    others = [ask("000000", f"198.51.100.{number}").status_code for number in range(2, 7)]
    still = ask(next(codes), "203.0.113.9", device).status_code

    assert first == [401] * 5 + [429]
    assert (at_home, elsewhere) == (200, 200)
    assert others == [401] * 4 + [429]
    assert still == 200


def test_wrong_codes_at_an_open_session_count_for_that_session(browser, user):
    """Whoever found one open guesses there, and its owner signs in elsewhere."""
    secret, _answer = set_up(browser)

    guessed = [browser.post("/accounts/2fa/reauthenticate/", {"code": "000000"}).status_code for _number in range(6)]

    assert guessed == [200] * 5 + [429]
    half_a_minute_later(user)
    client = Client()
    sign_in(client, user)
    assert client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302


def test_token_door_asks_for_the_code(user):
    secret = with_app(user)
    client = Client()

    def ask(**more):
        body = {"email": user.email, "password": PASSWORD, **more}
        return client.post("/api/v1/auth/token/", body, content_type="application/json")

    assert (ask().status_code, ask().json()["code"], ask().json()["methods"]) == (401, "second_factor_needed", ["app"])
    with_recovery_codes(user)
    assert ask().json()["methods"] == ["app", "recovery_code"]
    assert (ask(code="000000").status_code, ask(code="000000").json()["code"]) == (401, "code_refused")
    assert ask(code=code_of(secret)).status_code == 200
    assert UserSession.objects.get(kind="token").auth_level == 2


def test_token_door_asks_nobody_for_a_code_they_cannot_have(user):
    """A passkey is asked for by a browser."""
    Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key", "credential": {}})
    body = {"email": user.email, "password": PASSWORD}

    for sent in (body, body | {"code": "000000"}):
        answer = Client().post("/api/v1/auth/token/", sent, content_type="application/json")

        assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_needed")
        assert answer.json()["methods"] == ["passkey"]
        assert "sign in there, and make an API key" in answer.json()["detail"]
    assert not CodeGuess.objects.exists()


def test_seeds_are_sealed_for_their_person_and_follow_a_new_key(browser, user):
    secret, _answer = set_up(browser)
    row = Authenticator.objects.get(user=user, type="totp")
    assert secret not in str(row.data)
    stranger = UserFactory()
    Authenticator.objects.create(user=stranger, type="totp", data={"secret": row.data["secret"]})
    with pytest.raises(crypto.KeysDoNotFit):
        second_factors.check_code(user=stranger, code=code_of(secret), guesser=SOMEBODY)
    Authenticator.objects.filter(user=stranger).delete()

    key_id, done = key_rotation.rotate()

    assert done == 2  # the seed of the app and that of the recovery codes
    assert key_rotation.count_sealed_with_old_keys() == 0
    row.refresh_from_db()
    assert f"/v1:{key_id}:" in row.data["secret"]
    half_a_minute_later(user)
    assert second_factors.check_code(user=user, code=code_of(secret), guesser=SOMEBODY).type == "totp"


def test_seed_that_waits_for_its_first_code_is_sealed_in_the_session(browser):
    secret = browser.get("/accounts/2fa/totp/activate/").context["form"].secret

    assert secret not in str(dict(browser.session.items()))


def test_operator_removes_what_was_lost_and_sessions_end(user):
    secret = with_app(user)
    client = Client()
    sign_in(client, user)
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert client.get("/api/v1/me/").status_code == 200

    assert second_factors.remove_all(actor=SYSTEM, user_id=user.pk) == 1

    assert client.get("/api/v1/me/").status_code == 401
    assert not Authenticator.objects.exists()


def test_link_asks_for_the_second_factor_too(user):
    secret = with_app(user)
    token = sessions.make_sign_in_link(actor=SYSTEM, user=user)
    client = Client()

    answer = client.post(f"/accounts/link/{token}/")

    assert answer["Location"] == "/accounts/2fa/authenticate/"
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    session = UserSession.objects.get()
    assert (session.method, session.auth_level) == (SignInMethod.LINK, 2)


def test_removing_the_app_asks_again_who_it_is(browser, user):
    set_up(browser)
    make_stale(browser)

    answer = browser.post("/accounts/2fa/totp/deactivate/")

    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert Authenticator.objects.filter(type="totp").exists()
    browser.post(answer["Location"], {"password": PASSWORD})
    assert not Authenticator.objects.exists()


def test_mails_tell_what_was_added_and_removed(browser, user):
    user.language = "de"
    user.save()
    set_up(browser)
    browser.post("/accounts/2fa/totp/deactivate/")

    letters = MailMessage.objects.filter(recipient=user.email).order_by("created_at")

    assert [letter.subject for letter in letters] == [
        "Ein Weg in Ihr Konto kam hinzu: Authenticator-App",
        "Ein Weg in Ihr Konto wurde entfernt: Authenticator-App",
    ]
    assert all("/settings/security/" in part for letter in letters for part in (letter.text, letter.html))


def test_stranger_finds_no_security_page(client):
    assert client.get("/settings/security/")["Location"].startswith("/accounts/login/")
    assert client.get("/accounts/2fa/totp/activate/")["Location"].startswith("/accounts/login/")
    assert actor_of(UserFactory()) != NOBODY


@pytest.mark.parametrize("address", ["/accounts/2fa/webauthn/", "/accounts/linked/"])
def test_list_of_one_kind_leads_to_the_page_of_all(browser, address):
    shown = browser.get(address, follow=True)

    assert (shown.status_code, len(shown.redirect_chain)) == (200, 1)
