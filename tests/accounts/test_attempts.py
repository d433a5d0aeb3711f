"""Attempts: what is counted, what is judged and stored, and what strangers cannot do to a person."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.test import Client
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from apps.accounts import geography, risk
from apps.accounts.models import BlockedNetwork, Device, SignInAttempt, SignInSignal, UserSession
from apps.accounts.services import attempts, devices, sessions
from apps.accounts.types import (
    RiskSignal,
    RiskVerdict,
    SessionKind,
    SignInFailed,
    SignInMethod,
    SignInRefusedByRisk,
    TooManyAttempts,
)
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, UserFactory, actor_of

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOME, CAFE, FAR, TOKYO = "192.0.2.7", "198.51.100.9", "203.0.113.5", "203.0.114.5"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.fixture
def table(tmp_path, settings):
    """Lisbon, Porto and Tokyo, as a city table writes them; and a country without a place."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-City", float_type="f64")
    for network, country, latitude, longitude in [
        ("192.0.2.0/24", "PT", 38.72, -9.14),
        ("198.51.100.0/24", "PT", 41.15, -8.61),
        ("203.0.114.0/24", "JP", 35.68, 139.69),
    ]:
        place = {"country": {"iso_code": country}, "location": {"latitude": latitude, "longitude": longitude}}
        writer.insert_network(IPSet([network]), place)
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "DE"}})
    settings.PARLANCE_GEOIP_FILE = str(tmp_path / "places.mmdb")
    writer.to_db_file(settings.PARLANCE_GEOIP_FILE)


@pytest.fixture
def ann():
    """Signed in from home a day ago, with a device."""
    user = UserFactory(email="ann@example.org", name="Ann")
    user.device_token = sign_in(user, now=NOW - timedelta(days=1))[1]
    return user


def sign_in(user, *, address=HOME, now=NOW, device_token=None, method=SignInMethod.PASSWORD):
    """All that a door does. Gives the attempt and the device's token."""
    attempt = attempts.open_attempt(
        email=user.email, address=address, user_agent=FIREFOX, device_token=device_token, method=method, now=now
    )
    attempts.judge(attempt=attempt, user=user, now=now)
    device, token = devices.remember_device(user=user, device_token=device_token, user_agent=FIREFOX, now=now)
    session = sessions.begin_session(user=user, kind=SessionKind.COOKIE, address=address, device=device, method=method)
    UserSession.objects.filter(pk=session.pk).update(created_at=now)
    attempts.admit(attempt=attempt, device=device)
    return attempt, token


def guess(email, *, address=FAR, now=NOW, device_token=None):
    try:
        attempts.check_password(email=email, password="wrong", address=address, device_token=device_token, now=now)
    except SignInFailed:
        return "failed"
    except TooManyAttempts:
        return "too many"


def judged(user, **how):
    attempt = attempts.open_attempt(email=user.email, now=how.pop("now", NOW), **({"address": HOME} | how))
    with contextlib.suppress(SignInRefusedByRisk):
        attempts.judge(attempt=attempt, user=user, now=attempt.created_at)
    attempt.refresh_from_db()
    return attempt


def reasons(attempt):
    return dict(SignInSignal.objects.filter(attempt=attempt).values_list("signal", "points"))


# Each signal, from rows


def test_first_sign_in_of_a_new_person_has_no_signal():
    attempt = judged(UserFactory())

    assert (attempt.score, attempt.verdict, reasons(attempt)) == (0, RiskVerdict.ALLOWED, {})


def test_somebody_who_came_back_after_years_is_not_new():
    """Sessions and attempts are forgotten; that somebody signed in once is not."""
    user = UserFactory(last_login=NOW - timedelta(days=900))

    assert reasons(judged(user)) == {"new_device": 20, "new_network": 15}


@pytest.mark.parametrize(
    ("address", "has_token", "expected"),
    [
        (HOME, True, {}),
        ("192.0.2.200", True, {}),  # the same /24
        (HOME, False, {"new_device": 20}),
        (CAFE, True, {"new_network": 15}),
        (CAFE, False, {"new_device": 20, "new_network": 15}),
        ("2001:db8::1", True, {"new_network": 15}),
        (None, False, {"new_device": 20}),
    ],
)
def test_device_and_network_are_known_from_sessions(address, has_token, expected, ann):
    attempt = judged(ann, address=address, device_token=ann.device_token if has_token else None)

    assert reasons(attempt) == expected


def test_device_of_somebody_else_is_a_new_one(ann):
    assert reasons(judged(ann, device_token=sign_in(UserFactory())[1])) == {"new_device": 20}


@pytest.mark.parametrize(
    ("before", "here", "minutes", "expected"),
    [(HOME, TOKYO, 60, True), (HOME, TOKYO, 14 * 60, False), (HOME, CAFE, 10, True), (HOME, CAFE, 30, False)],
)
@pytest.mark.usefixtures("table")
def test_travel_by_the_table(before, here, minutes, expected):
    user = UserFactory()
    _attempt, token = sign_in(user, address=before, now=NOW - timedelta(minutes=minutes))

    attempt = judged(user, address=here, device_token=token)

    assert ("impossible_travel" in reasons(attempt)) is expected


@pytest.mark.parametrize("file", ["", "/nowhere/places.mmdb"])
def test_without_a_table_there_is_no_travel(file, settings):
    settings.PARLANCE_GEOIP_FILE = file
    user = UserFactory()
    sign_in(user, now=NOW - timedelta(minutes=1))

    attempt = judged(user, address=TOKYO)

    assert (attempt.country, attempt.latitude) == ("", None)
    assert "impossible_travel" not in reasons(attempt)


@pytest.mark.usefixtures("table")
def test_table_is_read_anew_when_the_file_was_replaced(settings, tmp_path):
    assert geography.find_place(HOME) == risk.Place("PT", 38.72, -9.14)
    assert geography.find_place("2001:db8::1") == risk.Place("DE")
    assert geography.find_place("::ffff:192.0.2.7") in (risk.Place("PT", 38.72, -9.14), risk.Place())
    assert geography.find_place("10.0.0.1") == geography.find_place(None) == risk.Place()

    other = MMDBWriter(ip_version=4, database_type="Country")
    other.insert_network(IPSet(["192.0.2.0/24"]), {"country": {"iso_code": "ES"}})
    other.to_db_file(settings.PARLANCE_GEOIP_FILE)
    assert geography.find_place(HOME) == risk.Place("ES")

    (tmp_path / "places.mmdb").write_bytes(b"no table")
    assert geography.find_place(HOME) == risk.Place()


@pytest.mark.parametrize(
    ("count", "age_minutes", "expected"), [(4, 5, False), (5, 5, True), (6, 59, True), (9, 61, False)]
)
def test_velocity_counts_strangers_of_the_last_hour(count, age_minutes, expected, ann):
    for number in range(count):
        guess(ann.email, address=f"203.0.113.{number}", now=NOW - timedelta(minutes=age_minutes))

    assert ("velocity" in reasons(judged(ann, address=CAFE))) is expected


def test_velocity_says_nothing_about_a_device_or_address_that_is_known(ann):
    for number in range(9):
        guess(ann.email, address=f"203.0.113.{number}")

    assert reasons(judged(ann)) == {"new_device": 20}
    assert reasons(judged(ann, address=CAFE, device_token=ann.device_token)) == {"new_network": 15}


@pytest.mark.parametrize(("accounts", "expected"), [(4, False), (5, True)])
def test_spray_counts_accounts_that_an_address_never_got_into(accounts, expected, ann):
    for number in range(accounts):
        guess(f"p{number}@example.org", address=CAFE)
    for _number in range(3):
        guess("p0@example.org", address=CAFE)
    mistyped = UserFactory()
    guess(mistyped.email, address=CAFE)
    sign_in(mistyped, address=CAFE)

    assert ("password_spray" in reasons(judged(ann, address=CAFE))) is expected


def test_spray_from_all_addresses_of_a_line_is_one_spray(ann):
    for number in range(5):
        guess(f"p{number}@example.org", address=f"2001:db8:7:1::{number}")

    assert "password_spray" in reasons(judged(ann, address="2001:db8:7:1:ffff::1"))
    assert "password_spray" not in reasons(judged(ann, address="2001:db8:7:2::1"))


def test_wrong_passwords_from_all_addresses_of_a_line_are_counted_together(ann):
    for number in range(30):
        guess(f"p{number}@example.org", address=f"2001:db8:7:1::{number:x}")

    assert guess("one@example.org", address="2001:db8:7:1:1::") == "too many"
    assert guess("one@example.org", address="2001:db8:7:2::") == "failed"


@pytest.mark.parametrize(
    ("network", "until", "address", "expected"),
    [
        ("198.51.100.0/24", None, CAFE, True),
        ("198.51.100.9/32", None, CAFE, True),
        ("198.0.0.0/8", timedelta(days=1), CAFE, True),
        ("198.51.100.0/24", timedelta(days=-1), CAFE, False),
        ("198.51.101.0/24", None, CAFE, False),
        ("2001:db8::/32", None, "2001:db8:9::1", True),
    ],
)
def test_known_bad_is_whatever_the_list_holds_now(network, until, address, expected, ann):
    BlockedNetwork.objects.create(network=network, expires_at=NOW + until if until else None)

    found = SignInSignal.objects.filter(attempt=judged(ann, address=address), signal=RiskSignal.KNOWN_BAD)

    assert [row.facts for row in found] == ([{"network": network}] if expected else [])


# The sum


@pytest.mark.usefixtures("table")
def test_stored_reasons_reproduce_the_score(ann):
    BlockedNetwork.objects.create(network="203.0.114.0/24")
    for number in range(6):
        guess(f"p{number}@example.org", address=TOKYO)
        guess(ann.email, address=f"203.0.113.{number}")
    sign_in(ann, now=NOW - timedelta(minutes=9), device_token=ann.device_token)
    tries = [
        judged(ann, address=HOME, device_token=ann.device_token),
        judged(ann, address=CAFE, device_token=ann.device_token),
        judged(ann, address=CAFE),
        judged(ann, address=TOKYO),
    ]

    for attempt in tries:
        points = reasons(attempt)
        assert points == {kind: risk.POINTS[RiskSignal(kind)] for kind in points}
        assert attempt.score == sum(points.values())
        assert attempt.verdict == risk.verdict_of(
            attempt.score, method=SignInMethod.PASSWORD, thresholds=risk.Thresholds()
        )
    assert [attempt.score for attempt in tries] == [0, 45, 85, 180]
    assert [attempt.verdict for attempt in tries] == ["allowed", "step_up", "step_up", "refused"]


def test_judging_twice_changes_nothing(ann):
    attempt = judged(ann, address=CAFE)
    attempts.judge(attempt=attempt, user=ann, now=NOW + timedelta(hours=5))

    assert SignInSignal.objects.filter(attempt=attempt).count() == 2


def test_refused_attempt_is_told_to_the_owner_and_in_the_log(ann):
    ann.language = "de"
    ann.save()
    BlockedNetwork.objects.create(network="198.51.100.0/24")
    attempt = attempts.open_attempt(email=ann.email, address=CAFE, user_agent=FIREFOX, now=NOW)

    with pytest.raises(SignInRefusedByRisk):
        attempts.judge(attempt=attempt, user=ann, now=NOW)
    with pytest.raises(SignInRefusedByRisk):
        attempts.judge(attempt=attempt, user=ann, now=NOW)

    letter = MailMessage.objects.get()
    assert (letter.recipient, "abgelehnt" in letter.subject) == (ann.email, True)
    assert CAFE in letter.text
    assert "Firefox · Linux" in letter.text
    assert Event.objects.filter(type="accounts.sign_in_refused", payload__reason="sign_in_refused").count() == 1


def test_owner_is_told_of_a_series_of_refusals_once(ann):
    BlockedNetwork.objects.create(network="198.51.100.0/24")
    for minutes in (0, 10, 50, 111):
        judged(ann, address=CAFE, now=NOW + timedelta(minutes=minutes))

    assert SignInAttempt.objects.filter(verdict=RiskVerdict.REFUSED).count() == 4
    assert MailMessage.objects.count() == 1 + 1


@pytest.mark.parametrize("method", [SignInMethod.LINK, SignInMethod.SSO, SignInMethod.PASSKEY])
def test_guesses_at_passwords_do_not_stop_another_proof(method, ann):
    for _number in range(12):
        guess(ann.email)

    sign_in(ann, address=FAR, method=method)

    assert UserSession.objects.filter(user=ann, method=method).exists()


def test_link_is_scored_and_always_lets_in(ann):
    BlockedNetwork.objects.create(network="198.51.100.0/24")

    attempt = judged(ann, address=CAFE, method=SignInMethod.LINK)

    assert (attempt.score, attempt.verdict) == (100, RiskVerdict.ALLOWED)


def test_who_signs_in_from_a_new_device_is_told_once(ann):
    _attempt, token = sign_in(ann, address=CAFE)
    sign_in(ann, address=CAFE, device_token=token)

    letter = MailMessage.objects.get()
    assert (letter.recipient, letter.subject) == (ann.email, "A new sign-in to your account at Parlance")
    assert CAFE in letter.text


# What strangers cannot do


def test_known_device_and_familiar_address_have_counts_of_their_own(ann):
    strangers = [guess(ann.email, address=f"203.0.113.{number}") for number in range(12)]
    neighbours = [guess(f"p{number}@example.org", address=CAFE) for number in range(32)]

    assert strangers == ["failed"] * 10 + ["too many"] * 2
    assert neighbours == ["failed"] * 30 + ["too many"] * 2
    assert guess(ann.email, address=CAFE) == "too many"
    assert guess(ann.email, address=HOME) == "failed"
    assert guess(ann.email, address=CAFE, device_token=ann.device_token) == "failed"
    proof = attempts.check_password(
        email=ann.email, password=PASSWORD, address=CAFE, device_token=ann.device_token, now=NOW
    )
    assert (
        attempts.judge(attempt=proof.attempt, user=ann, now=NOW) == RiskVerdict.STEP_UP
    )  # asked, as the address sprays
    assert reasons(proof.attempt) == {"new_network": 15, "password_spray": 30}


def test_known_device_is_no_way_to_guess_for_ever(ann):
    tries = [guess(ann.email, device_token=ann.device_token) for _number in range(12)]

    assert tries == ["failed"] * 10 + ["too many"] * 2


@pytest.mark.parametrize("address", [CAFE, HOME])
def test_guesses_of_others_only_have_the_right_password_asked_for_more(address, ann):
    """Also of somebody whose score alone would let them in: nothing of theirs is known yet."""
    new = UserFactory()
    for number in range(12):
        guess(new.email, address=f"203.0.113.{number}")
        guess(ann.email, address=address)
    met = attempts.check_password(email=ann.email, password=PASSWORD, address=address, now=NOW)
    first = attempts.check_password(email=new.email, password=PASSWORD, address=TOKYO, now=NOW)

    assert attempts.judge(attempt=met.attempt, user=ann, now=NOW) == RiskVerdict.STEP_UP
    assert attempts.judge(attempt=first.attempt, user=new, now=NOW) == RiskVerdict.STEP_UP
    assert first.attempt.score == risk.POINTS[RiskSignal.VELOCITY]


def test_fresh_proof_takes_no_password_that_may_be_one_more_guess(ann):
    for _number in range(11):
        guess(ann.email, address=CAFE, now=attempts.database_now())

    with pytest.raises(TooManyAttempts):
        attempts.require_fresh_proof(
            actor=actor_of(ann), password=PASSWORD, caller={"address": CAFE, "user_agent": "", "device_token": None}
        )


def test_limits_end_with_their_window(ann):
    for _number in range(11):
        guess(ann.email)

    assert guess(ann.email, now=NOW + timedelta(seconds=299)) == "too many"
    assert guess(ann.email, now=NOW + timedelta(seconds=600)) == "failed"


def test_right_password_that_never_became_a_session_is_no_success(ann):
    for _number in range(10):
        attempts.check_password(email=ann.email, password=PASSWORD, address=FAR, now=NOW)

    assert guess(ann.email) == "too many"
    assert not SignInAttempt.objects.filter(created_at=NOW, has_succeeded=True).exists()


def test_forgetting_keeps_attempts_of_people_for_ninety_days(ann):
    now = attempts.database_now()
    for email in (ann.email, "nobody@example.org"):
        for age in (timedelta(hours=23), timedelta(days=2), timedelta(days=89), timedelta(days=91)):
            attempts.open_attempt(email=email, address=HOME, now=now - age)
    SignInAttempt.objects.filter(created_at=NOW - timedelta(days=1)).delete()

    attempts.forget_old_attempts()

    left = SignInAttempt.objects.all()
    assert left.filter(user=ann).count() == 3
    assert left.filter(user=None).count() == 1


# Devices


def test_cookie_is_set_when_a_session_begins_and_names_the_device(client):
    user = UserFactory()

    wrong = client.post("/accounts/login/", {"login": user.email, "password": "wrong"})
    assert django_settings.DEVICE_COOKIE_NAME not in wrong.cookies
    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    cookie = answer.cookies[django_settings.DEVICE_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"], cookie["path"]) == (True, "Lax", 34_560_000, "/")
    device = Device.objects.get(user=user)
    assert bytes(device.token_hash) == attempts.hash_token(cookie.value)
    assert UserSession.objects.get(user=user).device == device
    assert SignInAttempt.objects.get(user=user, has_succeeded=True).device == device


def test_same_browser_keeps_its_token_for_all_its_people(client):
    one, other = UserFactory(), UserFactory()
    for user in (one, other, one):
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        client.post("/accounts/logout/")

    tokens = {bytes(row) for row in Device.objects.values_list("token_hash", flat=True)}
    assert (Device.objects.count(), len(tokens)) == (2, 1)
    assert not SignInSignal.objects.exists()


@pytest.mark.parametrize("cookie", ["", "short", "x" * 44, "x" * 42 + "!", "ü" * 43])
def test_cookie_that_is_none_of_ours_is_replaced(cookie):
    user, client = UserFactory(), Client()
    client.cookies[django_settings.DEVICE_COOKIE_NAME] = cookie

    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert len(answer.cookies[django_settings.DEVICE_COOKIE_NAME].value) == 43
