"""A20, A23, A26, A27, A28 and A30: passwords, headers and links that are not what they seem."""

import re
import threading
import time
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import BlockedNetwork, SignInAttempt, UserSession
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, member_of
from tests.attacks.caller import Client, is_over_http
from tests.attacks.test_accounts import C, refusals, rows, send, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def adm():
    return UserFactory()


@pytest.fixture
def a(adm):
    return member_of(ProjectFactory(owner=adm))


def reset_token(user):
    MailMessage.objects.all().delete()
    assert send(Client(), "POST", "/api/v1/auth/password/reset/", {"email": user.email}).status_code == 202
    letter = MailMessage.objects.get()
    assert letter.recipient == user.email
    return re.search(r"/password/reset/key/([^/\s]+)/", letter.text)[1]


EXPIRED = pytest.param("expired", marks=pytest.mark.in_process("links that have ended before they began"))


@pytest.mark.parametrize("token", [None, "", [], ["x"], 7, {}, True, "x", "a-b", "absent", EXPIRED, "swapped", "cut"])
def test_a20_reset_takes_only_the_mailed_token(token, a, adm, settings):
    mailed = reset_token(a)
    body = {"token": token, "password": "another horse battery"}
    match token:
        case "absent":
            del body["token"]
        case "expired":
            body["token"] = mailed
            settings.PASSWORD_RESET_TIMEOUT = -1
        case "swapped":
            body["token"] = reset_token(adm).split("-")[0] + "-" + mailed.split("-", 1)[1]
        case "cut":
            body["token"] = mailed[:-1]
    before = rows()

    answer = send(Client(), "POST", "/api/v1/auth/password/reset/confirm/", body)

    assert answer.status_code == 400
    assert rows() == before


def test_a20_mailed_token_works_once_and_ends_sessions(a):
    client = signed_in(a)
    mailed = reset_token(a)
    path = "/api/v1/auth/password/reset/confirm/"

    first = send(Client(), "POST", path, {"token": mailed, "password": "another horse battery"})
    second = send(Client(), "POST", path, {"token": mailed, "password": "a third horse battery"})

    a.refresh_from_db()
    assert (first.status_code, second.status_code) == (204, 400)
    assert a.check_password("another horse battery")
    assert send(client, "GET", "/api/v1/me/").status_code == 401
    assert refusals("reset_not_valid") == 1


def test_a20_page_of_a_bad_link_is_400(a):
    assert Client().get("/accounts/password/reset/key/1-bad-token/", follow=True).status_code == 400


@pytest.mark.parametrize(
    "value",
    [
        'Bearer "',
        "Bearer ' OR 1=1 --",
        "Bearer pk_\x00",
        "Bearer " + "x" * 16384,
        "Bearer pk_" + "x" * 16384,
        "Bearer pk_\xff\xfe",
        "Bearer a.b.c",
        "Bearer",
        "Basic YTpi",
        "bearer",
        "Negotiate x",
        "Bearer pk_",
        "Bearer ..",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ],
)
def test_a23_odd_authorization_is_401_and_quick(value, db):
    client = Client()
    answer = client.get("/api/v1/me/", headers={"Authorization": value})
    if answer.status_code != 400 or not is_over_http():  # what is no HTTP never gets past the server
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    normal = min(timed(client, "Bearer pk_" + "y" * 43) for _number in range(5))
    odd = min(timed(client, value) for _number in range(5))  # the quickest: what others do on this machine is no matter

    assert odd - normal < 0.05


def timed(client, value):
    started = time.perf_counter()
    client.get("/api/v1/me/", headers={"Authorization": value})
    return time.perf_counter() - started


def test_a26_mail_has_the_configured_address_whatever_host_was_claimed(a):
    forged = Client().post(
        "/api/v1/auth/password/reset/", {"email": a.email}, content_type="application/json", HTTP_HOST=C
    )
    forwarded = Client().post(
        "/accounts/password/reset/", {"email": a.email}, HTTP_X_FORWARDED_HOST=C, HTTP_X_FORWARDED_PROTO="https"
    )

    assert forged.status_code == 400
    assert forwarded.status_code == 302
    letter = MailMessage.objects.get()
    assert C not in letter.text
    assert f"{django_settings.PARLANCE_URL}/accounts/password/reset/key/" in letter.text


@pytest.mark.parametrize(
    "target",
    [
        f"//{C}",
        f"\\\\{C}",
        f"/\\{C}",
        "javascript:alert(1)",
        f"https://{C}/",
        quote(f"//{C}"),
        f"\t//{C}",
        f"///{C}",
        f"http:{C}",
        f"https:/{C}",
    ],
)
def test_a27_next_stays_here(target, a):
    after_sign_in = Client().post("/accounts/login/", {"login": a.email, "password": PASSWORD, "next": target})
    after_language = Client().post("/language/", {"language": "de", "next": target})
    page = Client().get("/accounts/login/", {"next": target})

    for answer in (after_sign_in, after_language):
        assert answer.status_code in {302, 204}
        location = answer.headers.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
    assert page.status_code == 200


def test_a28_half_a_sign_in_opens_nothing(a):
    client = Client()
    session = client.session
    session["account_login"] = {"user_pk": str(a.pk)}
    session["_auth_user_id"] = str(a.pk)
    session["_auth_user_backend"] = django_settings.AUTHENTICATION_BACKENDS[0]
    session["_auth_user_hash"] = a.get_session_auth_hash()
    session.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = session.session_key

    assert send(client, "GET", "/api/v1/me/").status_code == 401
    assert client.get("/settings/profile/").status_code == 302


def test_a30_parallel_guesses_at_one_account_count_each_other(transactional_db):
    user = UserFactory()
    statuses = []
    barrier = threading.Barrier(30)

    def guess(number):
        barrier.wait()
        answer = Client().post(
            "/api/v1/auth/token/",
            {"email": user.email, "password": f"guess {number}"},
            content_type="application/json",
            REMOTE_ADDR=f"198.51.100.{number}",
        )
        statuses.append(answer.status_code)
        connection.close()

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 10
    assert SignInAttempt.objects.count() == 30
    assert not UserSession.objects.exists()


def test_a30_limited_answer_is_the_same_for_unknown_people(a):
    answers = {}
    for email in (a.email, "nobody@example.org"):
        for number in range(11):
            answers[email] = Client().post(
                "/api/v1/auth/token/",
                {"email": email, "password": "wrong"},
                content_type="application/json",
                REMOTE_ADDR=f"203.0.113.{number}",
            )

    known, unknown = (answer.json() | {"request_id": ""} for answer in answers.values())
    assert known == unknown
    assert known["code"] == "too_many_attempts"


def test_a30_page_says_429(a):
    for _number in range(10):
        Client().post("/accounts/login/", {"login": a.email, "password": "wrong"})

    answer = Client().post("/accounts/login/", {"login": a.email, "password": "wrong"})

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def knock(email, password, address, **more):
    return Client().post(
        "/api/v1/auth/token/",
        {"email": email, "password": password} | more,
        content_type="application/json",
        REMOTE_ADDR=address,
    )


def test_a30_hundred_addresses_do_not_keep_the_owner_out(a):
    """Whoever guesses from everywhere shuts the door for wrong passwords; the right one is asked for a second step elsewhere."""
    device = knock(a.email, PASSWORD, "192.0.2.7").json()["device"]

    guesses = [knock(a.email, "wrong", f"198.51.100.{number}").status_code for number in range(100)]

    assert guesses == [401] * 10 + [429] * 90
    elsewhere = knock(a.email, PASSWORD, "203.0.113.9")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (401, "second_factor_needed")
    assert MailMessage.objects.filter(recipient=a.email).exists()
    assert knock(a.email, PASSWORD, "203.0.113.9", device=device).status_code == 200
    assert knock(a.email, PASSWORD, "192.0.2.7").status_code == 200


def test_a30_address_that_sprays_passwords_is_limited_and_asked_even_with_the_right_one(a):
    knock(a.email, PASSWORD, "192.0.2.7")
    first = [knock(f"p{number}@example.org", "wrong", "198.51.100.9").status_code for number in range(29)]
    right = knock(a.email, PASSWORD, "198.51.100.9")
    rest = [knock(f"q{number}@example.org", "wrong", "198.51.100.9").status_code for number in range(71)]

    assert first == [401] * 29
    assert (right.status_code, right.json()["code"]) == (401, "second_factor_needed")
    assert rest == [429] * 71
    assert UserSession.objects.count() == 1
    assert MailMessage.objects.get().recipient == a.email


def test_a30_listed_network_is_refused_and_the_owner_told(a):
    knock(a.email, PASSWORD, "192.0.2.7")
    BlockedNetwork.objects.create(network="198.51.100.0/24")

    answers = [
        knock(a.email, PASSWORD, "198.51.100.9"),
        Client().post("/accounts/login/", {"login": a.email, "password": PASSWORD}, REMOTE_ADDR="198.51.100.9"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert UserSession.objects.count() == 1
    assert set(MailMessage.objects.values_list("recipient", flat=True)) == {a.email}
    assert Event.objects.filter(type="accounts.sign_in_refused", payload__reason="sign_in_refused").count() == 2


@pytest.mark.in_process("queries are counted")
def test_a30_unknown_people_cost_as_much_as_known_ones(a):
    """By what the database is asked: clocks on a busy machine tell nothing."""

    def asked(email):
        with CaptureQueriesContext(connection) as captured:
            knock(email, "wrong", "198.51.100.9")
        asked = [re.sub(r"'[^']*'|\d+", "", query["sql"])[:60] for query in captured]
        return [sql for sql in asked if "SAVEPOINT" not in sql]  # what is written for nobody is taken back

    for _number in range(12):  # beyond the limit of an account, too
        known, unknown = asked(a.email), asked("nobody@example.org")

        assert known == unknown
        assert known


@pytest.mark.in_process("queries are counted")
def test_a30_link_for_a_new_password_costs_the_same_for_nobody(a):
    """What is done for nobody is taken back. The first time is left out: rows of an address are made then."""

    def asked(email):
        with CaptureQueriesContext(connection) as captured:
            answer = send(Client(), "POST", "/api/v1/auth/password/reset/", {"email": email})
        assert answer.status_code == 202
        asked = [re.sub(r"'[^']*'|\d+", "", query["sql"])[:60] for query in captured]
        return [sql for sql in asked if "SAVEPOINT" not in sql]

    for _number in range(2):
        known, unknown = asked(a.email), asked("nobody@example.org")

    assert known == unknown
    assert set(MailMessage.objects.values_list("recipient", flat=True)) == {a.email}


def test_a30_guesses_do_not_fill_the_log_of_their_victim(a):
    for number in range(40):
        knock(a.email, "wrong", f"198.51.100.{number}")

    reasons = Event.objects.filter(type="accounts.sign_in_refused").values_list("payload__reason", flat=True)
    assert set(reasons) == {"sign_in_failed", "too_many_attempts"}
    assert len(reasons) in {2, 3}  # 3 where five minutes ended in between
    assert SignInAttempt.objects.filter(user=a).count() == 40


def test_a28_mailed_codes_are_not_guessed(a):
    """Twenty codes of one challenge, and twenty challenges: the count of the account ends both."""
    knock(a.email, PASSWORD, "192.0.2.7")
    BlockedNetwork.objects.create(network="192.0.2.0/24")
    challenge = knock(a.email, PASSWORD, "192.0.2.7").json()["challenge"]
    right = re.search(r"^ {4}(\d{4} \d{4})$", MailMessage.objects.get().text, re.MULTILINE)[1]

    codes = [
        send(Client(), "POST", "/api/v1/auth/token/second-factor/", {"challenge": challenge, "code": f"{number:08}"})
        for number in range(20)
    ]
    late = send(Client(), "POST", "/api/v1/auth/token/second-factor/", {"challenge": challenge, "code": right})
    challenges = [knock(a.email, PASSWORD, "192.0.2.7").status_code for _number in range(20)]

    assert {answer.status_code for answer in codes} == {400}
    assert late.status_code == 400
    assert challenges.count(401) <= 10
    assert set(challenges) == {401, 429}
    assert UserSession.objects.count() == 1
