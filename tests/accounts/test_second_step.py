"""An unusual sign-in: the code by mail on the page and at the API, what is refused, and what one sees of it afterwards."""

import re
from datetime import timedelta

import pytest
from django.core import signing
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.accounts import actors, knocks
from apps.accounts.models import BlockedNetwork, Device, SignInAttempt, SignInCode, UserSession
from apps.accounts.services import codes, erasure, networks
from apps.accounts.types import SYSTEM, NetworkListRefused, SecondFactorNotValid, SessionEnd, SignInRefusedByRisk
from apps.core.errors import Forbidden
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, OrganizationFactory, ProjectFactory, UserFactory, actor_of, key_of
from tests.accounts.test_second_factors import code_of, with_app

pytestmark = pytest.mark.django_db

BAD = "198.51.100.9"
TOKEN, STEP = "/api/v1/auth/token/", "/api/v1/auth/token/second-factor/"
CODE_PAGE = "/accounts/login/code/"


@pytest.fixture
def ann():
    """Signed in once, from here."""
    user = UserFactory(email="ann@example.org", name="Ann")
    assert sign_in(Client(), user).status_code == 302
    return user


@pytest.fixture
def bad():
    """The address is on the operators' list: 65 points, and 85 with a new device."""
    return BlockedNetwork.objects.create(network="198.51.100.0/24", reason="botnet")


def sign_in(client, user, address="127.0.0.1"):
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, REMOTE_ADDR=address)


def post_json(path, body, address="127.0.0.1"):
    return Client().post(path, body, content_type="application/json", REMOTE_ADDR=address)


def mailed_code(index=-1):
    mails = [mail.text for mail in MailMessage.objects.order_by("created_at") if "code" in mail.subject]
    return re.search(r"^ {4}(\d{4} \d{4})$", mails[index], re.MULTILINE)[1]


def asked(ann):
    """A client in the middle of an unusual sign-in: a known network that is listed, and a new device."""
    BlockedNetwork.objects.get_or_create(network="127.0.0.0/8")
    client = Client()
    answer = sign_in(client, ann)
    assert (answer.status_code, answer["Location"]) == (302, CODE_PAGE)
    return client


# The page


def test_code_by_mail_lets_in_and_the_owner_is_told(ann):
    client = asked(ann)
    assert client.get("/settings/profile/").status_code == 302
    page = client.get(CODE_PAGE)
    assert "a…@example.org" in page.content.decode()
    assert "no-store" in page["Cache-Control"]

    answer = client.post(CODE_PAGE, {"code": mailed_code()})

    assert (answer.status_code, answer["Location"]) == (302, "/")
    attempt = SignInAttempt.objects.filter(user=ann).latest("created_at")
    assert (attempt.verdict, attempt.score, attempt.has_succeeded) == ("step_up", 85, True)
    session = UserSession.objects.get(user=ann, device=attempt.device)
    assert actors.actor_for(session_key=client.session.session_key).session_id == session.pk
    subjects = list(MailMessage.objects.order_by("created_at").values_list("subject", flat=True))
    assert subjects == ["Your code to sign in to Parlance", "A new sign-in to your account at Parlance"]
    assert Event.objects.filter(type="accounts.second_factor_asked").count() == 1


def test_where_one_was_going_is_kept_over_the_code(ann):
    BlockedNetwork.objects.create(network="127.0.0.0/8")
    client = Client()
    client.post("/accounts/login/", {"login": ann.email, "password": PASSWORD, "next": "/settings/profile/"})

    answer = client.post(CODE_PAGE, {"code": mailed_code()})

    assert answer["Location"] == "/settings/profile/"


def test_wrong_codes_end_the_code_and_nothing_begins(ann):
    client = asked(ann)
    right = mailed_code()

    answers = [client.post(CODE_PAGE, {"code": "0000 0000"}).status_code for _number in range(5)]

    assert answers == [400] * 5
    assert client.post(CODE_PAGE, {"code": right}).status_code == 400
    assert UserSession.objects.count() == 1
    assert SignInCode.objects.get().used_at is None


def test_new_code_ends_the_one_before_and_there_are_three(ann):
    client = asked(ann)
    first = mailed_code()

    assert client.post(CODE_PAGE, {"again": "1"}).status_code == 302
    assert client.post(CODE_PAGE, {"code": first}).status_code == 400
    assert client.post(CODE_PAGE, {"again": "1"}).status_code == 302
    assert client.post(CODE_PAGE, {"again": "1"}).status_code == 429
    assert client.post(CODE_PAGE, {"code": mailed_code().replace(" ", "-")}).status_code == 302


def test_code_page_is_for_those_in_the_middle_of_a_sign_in(ann):
    assert Client().get(CODE_PAGE)["Location"] == "/accounts/login/"
    assert Client().post(CODE_PAGE, {"code": "0000 0000"})["Location"] == "/accounts/login/"
    client = asked(ann)
    client.post(CODE_PAGE, {"code": mailed_code()})
    assert client.get(CODE_PAGE)["Location"] == "/accounts/login/"


def test_code_has_ten_minutes_and_is_good_once(ann):
    now = timezone.now()
    attempt = SignInAttempt.objects.create(user=ann, account_hash=b"x" * 32, verdict="step_up", judged_at=now)
    codes.send_code(attempt=attempt, now=now)
    code = mailed_code()

    with pytest.raises(SecondFactorNotValid):
        codes.take_code(attempt_id=attempt.pk, code=code, now=now + timedelta(minutes=10, seconds=1))
    assert codes.take_code(attempt_id=attempt.pk, code=code, now=now + timedelta(minutes=9)) == attempt
    with pytest.raises(SecondFactorNotValid):
        codes.take_code(attempt_id=attempt.pk, code=code, now=now + timedelta(minutes=9))


def test_refused_sign_in_begins_nothing_and_says_why(ann, bad):
    answer = sign_in(Client(), ann, address=BAD)

    assert answer.status_code == 403
    assert "looks like an attack" in answer.content.decode()
    assert UserSession.objects.count() == 1
    mail = MailMessage.objects.get()
    assert (mail.recipient, mail.subject) == (ann.email, "A sign-in to your account at Parlance was refused")
    assert BAD in mail.text


def test_wrong_password_from_a_listed_network_is_only_wrong(ann, bad):
    answer = Client().post("/accounts/login/", {"login": ann.email, "password": "wrong"}, REMOTE_ADDR=BAD)

    assert answer.status_code == 200
    assert not MailMessage.objects.exists()


def test_reauthentication_is_counted_and_not_judged(ann, bad):
    client = Client()
    sign_in(client, ann)
    before = SignInAttempt.objects.count()

    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD}, REMOTE_ADDR=BAD)

    assert answer.status_code == 302
    attempt = SignInAttempt.objects.latest("created_at")
    assert (SignInAttempt.objects.count(), attempt.has_succeeded, attempt.judged_at) == (before + 1, True, None)


# The API


def test_program_is_asked_and_goes_on_with_the_code(ann):
    BlockedNetwork.objects.create(network="127.0.0.0/8")
    refused = post_json(TOKEN, {"email": ann.email, "password": PASSWORD})
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["methods"]) == (401, "second_factor_needed", ["mail_code"])

    wrong = post_json(STEP, {"challenge": problem["challenge"], "code": "00000000"})
    answer = post_json(STEP, {"challenge": problem["challenge"], "code": mailed_code()})
    again = post_json(STEP, {"challenge": problem["challenge"], "code": mailed_code()})

    assert (wrong.status_code, wrong.json()["code"], again.status_code) == (400, "second_factor_not_valid", 400)
    assert answer.status_code == 200
    assert actors.actor_for(authorization=f"Bearer {answer.json()['access']}").user_id == ann.pk


@pytest.mark.parametrize("how", ["cut", "other person", "not ours", "null", "object", "of a sign-in that needs none"])
def test_challenge_opens_only_its_own_attempt(how, ann):
    BlockedNetwork.objects.create(network="127.0.0.0/8")
    ben = UserFactory()
    Client().force_login(ben)
    mine = post_json(TOKEN, {"email": ann.email, "password": PASSWORD}).json()["challenge"]
    code = mailed_code()
    other = SignInAttempt.objects.create(user=ben, account_hash=b"x" * 32, judged_at=timezone.now())
    challenge = {
        "cut": mine[:-2],
        "other person": post_json(TOKEN, {"email": ben.email, "password": PASSWORD}).json().get("challenge"),
        "not ours": signing.dumps(str(other.pk), salt="elsewhere"),
        "null": None,
        "object": {"a": 1},
        "of a sign-in that needs none": signing.dumps(str(other.pk), salt="accounts.second-factor"),
    }[how]

    assert post_json(STEP, {"challenge": challenge, "code": code}).status_code == 400
    assert not UserSession.objects.filter(user=ben, kind="token").exists()


def test_program_that_sends_its_device_is_no_new_one(ann):
    first = post_json(TOKEN, {"email": ann.email, "password": PASSWORD}).json()
    second = post_json(TOKEN, {"email": ann.email, "password": PASSWORD, "device": first["device"]})

    assert second.json()["device"] == first["device"]
    scores = list(SignInAttempt.objects.order_by("created_at").values_list("score", flat=True))
    assert scores == [0, 20, 0]
    assert not MailMessage.objects.exists()  # a program from a known network is no news


def test_program_is_refused_as_a_browser_is(ann, bad):
    answer = post_json(TOKEN, {"email": ann.email, "password": PASSWORD}, address=BAD)

    assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_refused")
    assert UserSession.objects.count() == 1


# What one sees


def test_own_activity_lists_attempts_with_reasons_and_devices(ann, bad):
    other = UserFactory()
    sign_in(Client(), other)
    ProjectFactory(owner=ann)
    client = Client()
    sign_in(client, ann)
    post_json(TOKEN, {"email": ann.email, "password": "wrong"}, address=BAD)
    sign_in(Client(), ann, address=BAD)

    page = client.get("/settings/sign-in-activity/")
    listed = client.get("/api/v1/me/sign-ins/").json()["results"]

    text = page.content.decode()
    assert "Refused: it looked like an attack" in text
    assert "A network that is known for attacks (198.51.100.0/24)" in text
    assert [(row["verdict"], row["score"], row["has_succeeded"]) for row in listed] == [
        ("refused", 100, False),
        (None, 0, False),
        ("allowed", 20, True),
        ("allowed", 0, True),
    ]
    assert [(row["signal"], row["points"]) for row in listed[0]["signals"]] == [
        ("new_device", 20),
        ("new_network", 15),
        ("known_bad", 65),
    ]
    devices = client.get("/api/v1/me/devices/").json()["results"]
    assert {row["id"] for row in devices} == {
        str(pk) for pk in Device.objects.filter(user=ann).values_list("pk", flat=True)
    }


@pytest.mark.parametrize("count", [1, 3, 30])
@pytest.mark.parametrize("path", ["/api/v1/me/sign-ins/", "/api/v1/me/devices/"])
def test_lists_cost_the_same_for_any_number_of_rows(count, path, ann, client, django_assert_num_queries):
    sign_in(client, ann)
    for number in range(count):
        attempt = SignInAttempt.objects.create(user=ann, account_hash=b"x" * 32, judged_at=timezone.now(), score=20)
        attempt.signals.create(signal="new_device", points=20)
        Device.objects.create(user=ann, token_hash=str(number).encode())

    with django_assert_num_queries(3 if "sign-ins" in path else 2):
        client.get(path)


def test_forgotten_device_is_signed_out_and_counts_as_new(ann):
    here, there = Client(), Client()
    sign_in(here, ann)
    sign_in(there, ann)
    device = UserSession.objects.get(session_key=there.session.session_key).device

    answer = here.post("/settings/sessions/", {"form": "forget", "device": str(device.pk)})

    assert answer.status_code == 302
    assert actors.actor_for(session_key=there.session.session_key).user_id is None
    assert UserSession.objects.get(device=device).end_reason == SessionEnd.REVOKED
    assert actors.actor_for(session_key=here.session.session_key).user_id == ann.pk
    assert Event.objects.filter(type="accounts.device_forgotten", subject_id=device.pk).count() == 1
    assert here.delete(f"/api/v1/me/devices/{device.pk}/").status_code in {403, 404}
    sign_in(there, ann)
    assert list(SignInAttempt.objects.latest("created_at").signals.values_list("signal", flat=True)) == ["new_device"]


def test_strangers_and_keys_reach_no_device(ann):
    device = Device.objects.get(user=ann)
    organization = OrganizationFactory()
    stranger = Client()
    sign_in(stranger, UserFactory())
    stranger.headers = {}

    by_stranger = stranger.post("/settings/sessions/", {"form": "forget", "device": str(device.pk)})
    by_key = Client().delete(f"/api/v1/me/devices/{device.pk}/", headers={"X-API-Key": key_of(ann, organization)})

    assert (by_stranger.status_code, by_key.status_code) == (404, 403)
    device.refresh_from_db()
    assert device.forgotten_at is None


def test_erasing_a_person_leaves_no_attempt_code_or_device(ann, bad):
    ben = UserFactory()
    sign_in(Client(), ben)
    asked(ann)
    post_json(TOKEN, {"email": ann.email, "password": "wrong"})

    erasure.erase_person(actor=SYSTEM, user_id=ann.pk)

    assert not Device.objects.filter(user=ann).exists()
    assert not SignInCode.objects.exists()
    assert set(SignInAttempt.objects.values_list("user", flat=True)) == {ben.pk}


# The list


def test_list_is_loaded_whole_with_counts(tmp_path, capsys):
    file = tmp_path / "drop.txt"
    file.write_text("; Spamhaus DROP\n198.51.100.0/24 ; SBL1\n203.0.113.7\n2001:db8::/32 # test\n\n", encoding="utf-8")
    call_command("block_networks", str(file))
    call_command("block_networks", str(file))
    file.write_text("198.51.100.0/24 ; SBL2\n192.0.2.0/24\n", encoding="utf-8")
    call_command("block_networks", str(file), "--replace", "--days", "7")

    assert capsys.readouterr().out.splitlines() == [
        "added 3, changed 0, kept 0, removed 0",
        "added 0, changed 0, kept 3, removed 0",
        "added 1, changed 1, kept 0, removed 2",
    ]
    assert dict(BlockedNetwork.objects.values_list("network", "reason")) == {
        "198.51.100.0/24": "SBL2",
        "192.0.2.0/24": "",
    }
    assert not BlockedNetwork.objects.filter(expires_at=None).exists()
    assert Event.objects.filter(type="accounts.blocked_networks_changed").count() == 2


@pytest.mark.parametrize("line", ["nonsense", "0.0.0.0/0", "::/0", "10.0.0.0/7", "300.1.1.1", "198.51.100.0/33"])
def test_list_with_a_bad_line_changes_nothing(line, tmp_path, bad):
    file = tmp_path / "drop.txt"
    file.write_text(f"192.0.2.0/24\n{line}\n", encoding="utf-8")

    with pytest.raises(CommandError):
        call_command("block_networks", str(file), "--replace")

    assert list(BlockedNetwork.objects.all()) == [bad]


def test_operators_change_the_list_in_the_admin_site_and_nobody_else(ann, bad):
    operator = UserFactory(is_staff=True, is_superuser=True)
    browser, stranger = Client(), Client()
    sign_in(browser, operator)
    sign_in(stranger, ann)
    form = {"network": "192.0.2.77/24", "reason": "scanner", "expires_at_0": "", "expires_at_1": ""}

    assert stranger.post("/admin/accounts/blockednetwork/add/", form).status_code == 302
    assert BlockedNetwork.objects.count() == 1
    wide = browser.post("/admin/accounts/blockednetwork/add/", form | {"network": "0.0.0.0/1"})
    added = browser.post("/admin/accounts/blockednetwork/add/", form)
    taken = browser.post("/admin/accounts/blockednetwork/", {"action": "unblock", "_selected_action": str(bad.pk)})

    assert (wide.status_code, added.status_code, taken.status_code) == (200, 302, 302)
    assert list(BlockedNetwork.objects.values_list("network", "reason")) == [("192.0.2.0/24", "scanner")]
    for path in ("signinattempt", "device", "blockednetwork"):
        assert browser.get(f"/admin/accounts/{path}/").status_code == 200
    attempt = SignInAttempt.objects.latest("created_at")
    assert browser.get(f"/admin/accounts/signinattempt/{attempt.pk}/change/").status_code == 200


def test_services_of_the_list_are_for_operators(ann):
    with pytest.raises(Forbidden):
        networks.block_networks(actor=actor_of(ann), networks={"192.0.2.0/24": ""})
    with pytest.raises(Forbidden):
        networks.unblock_networks(actor=actor_of(ann), networks=["192.0.2.0/24"])
    with pytest.raises(NetworkListRefused) as refused:
        networks.read_list(["nonsense", "192.0.2.0/24", "::/0"])

    assert [(field.field, field.code) for field in refused.value.fields] == [
        ("line 1", "network"),
        ("line 3", "too_wide"),
    ]


# Where no mail goes out


@pytest.fixture
def no_mail(settings):
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"


def guessed_at(user):
    """More wrong passwords within the hour than any score is needed for, from everywhere."""
    for number in range(12):
        Client().post("/accounts/login/", {"login": user.email, "password": "wrong"}, REMOTE_ADDR=f"203.0.113.{number}")


@pytest.mark.parametrize("door", ["page", "api"])
def test_without_mail_guesses_keep_nobody_out_who_has_the_password(door, ann, no_mail):
    home = Client()
    sign_in(home, ann)
    ProjectFactory(owner=ann)
    guessed_at(ann)
    away = Client()

    if door == "page":
        answer = sign_in(away, ann, address=BAD)
        assert (answer.status_code, answer["Location"]) == (302, "/")
    else:
        answer = post_json(TOKEN, {"email": ann.email, "password": PASSWORD}, address=BAD)
        assert answer.status_code == 200

    attempt = SignInAttempt.objects.latest("created_at")
    assert (attempt.verdict, attempt.score, attempt.has_succeeded) == ("waived", 55, True)
    assert not SignInCode.objects.exists()
    fact = Event.objects.get(type="accounts.second_factor_waived")
    assert (fact.subject_id, fact.payload["signals"]) == (ann.pk, ["new_device", "new_network", "velocity"])
    assert not Event.objects.filter(type="accounts.second_factor_asked").exists()
    assert MailMessage.objects.get(text__contains=BAD).recipient == ann.email
    assert "Somebody with your password signed in" in home.get("/").content.decode()
    SignInAttempt.objects.filter(pk=attempt.pk).update(method="sso")
    assert "in an unusual way (Single sign-on):" in home.get("/").content.decode()
    assert "Let in, although it was unusual" in home.get("/settings/sign-in-activity/").content.decode()
    if door == "page":  # who came that way knows it
        assert "in an unusual way" not in away.get("/").content.decode()


def test_without_mail_wrong_passwords_are_slowed_down_as_ever(ann, no_mail):
    guessed_at(ann)

    beyond = post_json(TOKEN, {"email": ann.email, "password": "wrong"}, address=BAD)
    sprayed = [
        post_json(TOKEN, {"email": f"p{number}@example.org", "password": "wrong"}, address=BAD) for number in range(30)
    ]
    right = post_json(TOKEN, {"email": ann.email, "password": PASSWORD}, address=BAD)

    assert (beyond.status_code, sprayed[-1].status_code, right.status_code) == (429, 429, 429)


@pytest.mark.parametrize("door", ["page", "api"])
def test_without_mail_ones_own_factor_is_asked_for(door, ann, no_mail):
    secret = with_app(ann)
    guessed_at(ann)

    if door == "page":
        client = Client()
        asked_for = sign_in(client, ann, address=BAD)
        answer = client.post(asked_for["Location"], {"code": code_of(secret)}, REMOTE_ADDR=BAD)
        assert (asked_for["Location"], answer["Location"]) == ("/accounts/2fa/authenticate/", "/")
    else:
        body = {"email": ann.email, "password": PASSWORD}
        asked_for = post_json(TOKEN, body, address=BAD)
        answer = post_json(TOKEN, body | {"code": code_of(secret)}, address=BAD)
        assert (asked_for.status_code, answer.status_code) == (401, 200)
    assert SignInAttempt.objects.filter(has_succeeded=True).latest("created_at").verdict == "step_up"
    assert not Event.objects.filter(type="accounts.second_factor_waived").exists()


def test_refused_is_refused_without_mail_too(ann, bad, no_mail):
    assert sign_in(Client(), ann, address=BAD).status_code == 403


# With a second factor of one's own


def test_own_second_factor_stands_for_the_code_on_the_page(ann):
    secret = with_app(ann)
    BlockedNetwork.objects.create(network="127.0.0.0/8")
    client = Client()

    asked_for = sign_in(client, ann)
    answer = client.post(asked_for["Location"], {"code": code_of(secret)})

    assert asked_for["Location"] == "/accounts/2fa/authenticate/"
    assert (answer.status_code, answer["Location"]) == (302, "/")
    attempt = SignInAttempt.objects.filter(user=ann).latest("created_at")
    assert (attempt.verdict, attempt.has_succeeded) == ("step_up", True)
    assert UserSession.objects.get(device=attempt.device).auth_level == 2
    assert not SignInCode.objects.exists()


def test_own_second_factor_stands_for_the_code_at_the_api(ann):
    secret = with_app(ann)
    BlockedNetwork.objects.create(network="127.0.0.0/8")
    body = {"email": ann.email, "password": PASSWORD}

    asked_for, answer = post_json(TOKEN, body), post_json(TOKEN, body | {"code": code_of(secret)})

    assert (asked_for.status_code, asked_for.json()["methods"]) == (401, ["app"])
    assert "challenge" not in asked_for.json()
    assert answer.status_code == 200
    assert not SignInCode.objects.exists()


def test_password_alone_makes_no_network_known_where_a_second_factor_is_asked(ann):
    with_app(ann)

    stranger = sign_in(Client(), ann, address="203.0.113.5")
    again = sign_in(Client(), ann, address="203.0.113.5")

    assert stranger["Location"] == again["Location"] == "/accounts/2fa/authenticate/"
    attempt = SignInAttempt.objects.latest("created_at")
    assert set(attempt.signals.values_list("signal", flat=True)) == {"new_device", "new_network"}
    assert not SignInAttempt.objects.filter(address="203.0.113.5", has_succeeded=True).exists()


def test_codes_are_counted_for_whose_they_are_whoever_else_was_refused_in_the_same_browser(ann, bad, rf):
    """Somebody with the password of Ann comes back from a provider as another in between, and would guess at her codes uncounted."""
    with_app(ann)
    ben = UserFactory()
    sign_in(Client(), ben)
    client = Client()
    code_page = sign_in(client, ann)["Location"]
    request = rf.get("/", REMOTE_ADDR=BAD)
    request.session = session = client.session
    hers = session["sign_in_attempt"]
    with pytest.raises(SignInRefusedByRisk):
        knocks.judge(request, ben)
    held = session["sign_in_attempt"]
    session["sign_in_attempt"] = str(SignInAttempt.objects.filter(user=ben).latest("created_at").pk)
    session.save()

    answers = [client.post(code_page, {"code": "000000"}).status_code for _number in range(6)]

    assert held == hers
    assert answers == [200] * 5 + [429]


def test_mail_code_of_another_lets_nobody_in(ann):
    client = asked(ann)
    ben = UserFactory()
    sign_in(Client(), ben)
    other = Client()
    sign_in(other, ben)
    session = client.session
    session["sign_in_attempt"] = other.session["sign_in_attempt"]
    session.save()

    answer = client.post(CODE_PAGE, {"code": mailed_code()})

    assert answer["Location"] == "/accounts/login/"
    assert client.get("/settings/profile/").status_code == 302
