"""A hundred answers an hour and a thousand a day a person, closed without Redis, seen by who is counted."""

import threading
from dataclasses import replace

import pytest
from django.db import connection

from apps.accounts import actors, quotas
from apps.accounts.types import AnswerQuotaReached
from apps.conversations import services
from apps.conversations.models import Message, Turn
from apps.core import preferences, redis
from apps.core.doors.settings import Level
from apps.core.errors import Unavailable
from apps.core.ids import uuid7
from apps.core.models import MailMessage, StoredSetting
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, bearer, key_of, member_of
from tests.conversations.factories import start

TEN = {"person": (10, 20), "key": (10, 20), "organization": (1000, 1000), "address": (10, 20)}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def on(settings):
    settings.PARLANCE_LIMITS = TEN
    preferences.forget_kept()
    yield
    preferences.forget_kept()


@pytest.fixture
def owner():
    return UserFactory()


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


def allow(organization, **numbers):
    for name, value in numbers.items():
        StoredSetting.objects.update_or_create(
            key=f"accounts.{name}", level="organization", target_id=organization.pk, defaults={"value": value}
        )
    preferences.forget_kept()


def left(user, organization):
    found = quotas.list_remainders(viewer=actors.member(user), organization_id=organization.pk)
    return {each.quota.name: (each.remaining, each.most) for each in found}


def test_defaults():
    assert (preferences.get("accounts.answers_an_hour"), preferences.get("accounts.answers_a_day")) == (100, 1000)


def test_who_has_asked_for_all_is_refused_with_the_one_shape(owner, project):
    for _n in range(100):
        quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)

    with pytest.raises(AnswerQuotaReached) as refused:
        quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)

    assert refused.value.code == "answer_quota_reached"
    assert 30 <= refused.value.extra.pop("retry_after_seconds") <= 36
    assert refused.value.extra == {"limit": "answers_an_hour", "most": 100, "remaining": 0, "reason": "quota"}
    assert (refused.value.headers["RateLimit-Limit"], refused.value.headers["RateLimit-Remaining"]) == ("100", "0")
    assert left(owner, project.organization) == {"answers_an_hour": (0, 100), "answers_a_day": (900, 1000)}


def test_the_day_is_counted_beside_the_hour(owner, project):
    allow(project.organization, answers_an_hour=50, answers_a_day=3)
    for _n in range(3):
        quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)

    with pytest.raises(AnswerQuotaReached) as refused:
        quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)

    assert refused.value.extra["limit"] == "answers_a_day"
    assert left(owner, project.organization)["answers_an_hour"] == (47, 50)


def test_each_person_has_their_own_and_all_their_keys_share_it(owner, project):
    allow(project.organization, answers_an_hour=2)
    other = member_of(project)
    for _n in range(2):
        quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)

    with pytest.raises(AnswerQuotaReached):
        quotas.take_answer(actor=replace(actors.member(owner), key_id=uuid7()), organization_id=project.organization_id)
    quotas.take_answer(actor=actors.member(other), organization_id=project.organization_id)
    assert left(other, project.organization)["answers_an_hour"] == (1, 2)


def test_other_number_holds_at_once_and_what_was_asked_for_counts(owner, project):
    allow(project.organization, answers_an_hour=1)
    conversation, viewer = start(actors.member(owner), project), actors.member(owner)
    services.post_message(actor=viewer, conversation_id=conversation.pk, content="One", client_id=uuid7())
    with pytest.raises(AnswerQuotaReached):
        services.post_message(actor=viewer, conversation_id=conversation.pk, content="Two", client_id=uuid7())

    allow(project.organization, answers_an_hour=3)
    shown = left(owner, project.organization)["answers_an_hour"]
    services.post_message(actor=viewer, conversation_id=conversation.pk, content="Two", client_id=uuid7())
    allow(project.organization, answers_an_hour=2)

    assert shown == (2, 3)
    with pytest.raises(AnswerQuotaReached):
        services.post_message(actor=viewer, conversation_id=conversation.pk, content="Three", client_id=uuid7())
    assert Turn.objects.count() == 2


def test_refused_question_changes_nothing(owner, project):
    allow(project.organization, answers_an_hour=1)
    conversation = start(actors.member(owner), project)
    viewer = actors.member(owner)
    services.post_message(actor=viewer, conversation_id=conversation.pk, content="One", client_id=uuid7())

    with pytest.raises(AnswerQuotaReached):
        services.post_message(actor=viewer, conversation_id=conversation.pk, content="Two", client_id=uuid7())

    assert (Message.objects.count(), Turn.objects.count()) == (2, 1)


def test_repeated_question_is_not_counted_twice(owner, project):
    conversation, client_id = start(actors.member(owner), project), uuid7()
    for _n in range(3):
        services.post_message(
            actor=actors.member(owner), conversation_id=conversation.pk, content="One", client_id=client_id
        )

    assert left(owner, project.organization)["answers_an_hour"] == (99, 100)


def test_without_redis_rows_are_counted(owner, project, no_redis):
    allow(project.organization, answers_an_hour=2)
    conversation = start(actors.member(owner), project)
    viewer = actors.member(owner)
    for word in ("One", "Two"):
        services.post_message(actor=viewer, conversation_id=conversation.pk, content=word, client_id=uuid7())

    with pytest.raises(AnswerQuotaReached) as refused:
        services.post_message(actor=viewer, conversation_id=conversation.pk, content="Three", client_id=uuid7())

    assert (refused.value.extra["limit"], refused.value.extra["most"]) == ("answers_an_hour", 2)
    assert left(owner, project.organization)["answers_an_hour"] == (0, 2)


@pytest.mark.django_db(transaction=True)
def test_without_redis_and_without_a_transaction_it_is_closed(owner, project, no_redis):
    with pytest.raises(Unavailable):
        quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)


def test_what_redis_forgot_is_made_up_from_rows(owner, project):
    allow(project.organization, answers_an_hour=3)
    conversation = start(actors.member(owner), project)
    viewer = actors.member(owner)
    for word in ("One", "Two"):
        services.post_message(actor=viewer, conversation_id=conversation.pk, content=word, client_id=uuid7())
    for name in redis.client().scan_iter(redis.key("limit", "answers_*")):
        redis.client().delete(name)

    assert left(owner, project.organization)["answers_an_hour"] == (1, 3)
    services.post_message(actor=viewer, conversation_id=conversation.pk, content="Three", client_id=uuid7())
    with pytest.raises(AnswerQuotaReached):
        services.post_message(actor=viewer, conversation_id=conversation.pk, content="Four", client_id=uuid7())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_redis", [True, False])
def test_parallel_questions_are_counted_exactly(owner, project, has_redis, request):
    if not has_redis:
        request.getfixturevalue("no_redis")
    allow(project.organization, answers_an_hour=5)
    viewer = actors.member(owner)
    rooms = [start(actors.member(owner), project).pk for _n in range(12)]
    barrier, outcomes = threading.Barrier(12), []

    def ask(room):
        barrier.wait()
        try:
            services.post_message(actor=viewer, conversation_id=room, content="?", client_id=uuid7())
            outcomes.append("asked")
        except AnswerQuotaReached:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(room,)) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (outcomes.count("asked"), outcomes.count("refused")) == (5, 7)
    assert Turn.objects.count() == 5


def test_api_tells_what_is_left_in_every_organization_or_one(client, owner, project):
    elsewhere = ProjectFactory(owner=owner)
    stranger = ProjectFactory(owner=UserFactory())
    quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)
    client.force_login(owner)

    everywhere = client.get("/api/v1/me/quotas/").json()["results"]
    here = client.get("/api/v1/me/quotas/", {"organization": str(project.organization_id)}).json()["results"]

    assert {line["organization"] for line in everywhere} == {
        str(project.organization_id),
        str(elsewhere.organization_id),
    }
    assert here[0] == {
        "organization": str(project.organization_id),
        "name": "answers_an_hour",
        "most": 100,
        "remaining": 99,
        "window_seconds": 3600,
        "next_seconds": 36,
    }
    assert [line["name"] for line in here] == ["answers_an_hour", "answers_a_day"]
    assert client.get("/api/v1/me/quotas/", {"organization": str(stranger.organization_id)}).status_code == 404
    by_key = client.get("/api/v1/me/quotas/", headers=bearer(key_of(owner, elsewhere.organization)))
    assert {line["organization"] for line in by_key.json()["results"]} == {str(elsewhere.organization_id)}


def test_owner_changes_the_numbers_on_the_page_and_a_member_only_reads_them(client, owner, project):
    member = member_of(project)
    client.force_login(owner)
    saved = client.post("/settings/limits/", {"answers_an_hour": "7", "answers_a_day": "1000"})
    preferences.forget_kept()
    page = client.get("/settings/limits/").content.decode()
    client.force_login(member)
    read = client.get("/settings/limits/").content.decode()
    refused = client.post("/settings/limits/", {"answers_an_hour": "9", "answers_a_day": "9"})

    assert (saved.status_code, refused.status_code) == (302, 403)
    assert "of 7 left" in page
    assert 'name="answers_an_hour"' in page
    assert 'name="answers_an_hour"' not in read
    stored = StoredSetting.objects.values_list("key", "level", "value")
    assert list(stored) == [("accounts.answers_an_hour", Level.ORGANIZATION.value, 7)]


def test_limits_off_count_nothing(owner, project, settings):
    settings.PARLANCE_LIMITS = {}
    quotas.take_answer(actor=actors.member(owner), organization_id=project.organization_id)

    assert left(owner, project.organization) == {"answers_an_hour": (100, 100), "answers_a_day": (1000, 1000)}


@pytest.mark.parametrize(
    ("path", "caller"),
    [
        ("/accounts/login/?key=1.2.3", "198.51.100.1"),
        ("/nowhere/?token=a.b.c", "198.51.100.2"),
        ("/admin/?api_key=pk_x", "198.51.100.3"),
    ],
)
def test_credential_in_an_address_is_refused_as_a_page_and_paid_for(client, path, caller, settings):
    settings.PARLANCE_LIMITS = TEN | {"address": (0.001, 1)}

    answers = [client.get(path, REMOTE_ADDR=caller) for _number in range(11)]

    assert (answers[0].status_code, answers[0]["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert answers[-1].status_code == 429


def test_invitations_flood_no_mailbox(client, owner, project):
    organization = str(project.organization_id)
    headers = bearer(key_of(owner, project.organization))

    def invite(email):
        body = {"organization": organization, "email": email, "role": "member"}
        return client.post("/api/v1/invitations/", body, content_type="application/json", headers=headers).status_code

    assert [invite("one@example.net") for _number in range(6)] == [201] * 5 + [429]
    assert invite("other@example.net") == 201
    assert MailMessage.objects.filter(recipient="one@example.net").count() == 5


def test_changes_of_address_flood_no_mailbox(client, owner, settings):
    settings.PARLANCE_LIMITS = TEN | {"person": (1000, 1000), "address": (1000, 1000)}
    client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})

    asked = [
        client.post("/accounts/email/", {"email": f"stranger{number}@example.net", "action_add": ""}).status_code
        for number in range(4)
    ]
    again = [
        client.post("/accounts/email/", {"email": "stranger3@example.net", "action_send": ""}).status_code
        for _number in range(2)
    ]

    assert (asked, again) == ([302] * 4, [302, 429])
    assert MailMessage.objects.filter(recipient__startswith="stranger").count() == 5


def test_all_addresses_of_a_line_are_one_caller(client, settings):
    settings.PARLANCE_LIMITS = TEN | {"address": (0.001, 1)}

    own = [client.get("/accounts/login/", REMOTE_ADDR=f"2001:db8:7:1::{last:x}").status_code for last in range(1, 12)]
    next_door = client.get("/accounts/login/", REMOTE_ADDR="2001:db8:7:2::1").status_code

    assert (own, next_door) == ([200] * 10 + [429], 200)
