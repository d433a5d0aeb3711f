from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.accounts.types import SYSTEM
from apps.conversations import services, titles
from apps.conversations.models import Conversation, TitleRequest
from apps.conversations.sweeps import find_lost_titles
from apps.conversations.titles import cleaned
from apps.llm import routing
from apps.llm.models import CallAttempt
from tests.conversations.factories import answer, say, start
from tests.llm.factories import set_defaults, stub_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation(ines, provider):
    """An answer has come; nobody has typed a title."""
    routing.forget()
    project = services.conversations.accounts.visible_projects(ines).get()
    set_defaults(stub_model(provider, organization=project.organization))
    conversation = start(ines, project)
    answer(say(ines, conversation, "Who rewrites the manifests?"), "Nobody knows.")
    return conversation


def make_free():
    TitleRequest.objects.update(lease_until=None, updated_at=Now() - timedelta(minutes=1))


def title_of(conversation):
    return Conversation.objects.values_list("title", "title_source").get(pk=conversation.pk)


def test_write_title_has_a_row_of_its_own_in_the_ledger(conversation, provider):
    provider.script({"text": '"Manifests of the port."'})

    titles.write_title(conversation.pk)
    titles.write_title(conversation.pk)

    assert title_of(conversation) == ("Manifests of the port", "auto")
    assert list(CallAttempt.objects.values_list("purpose", "status")) == [("title", "completed")]
    assert not TitleRequest.objects.exists()


def test_write_title_keeps_no_connection_while_the_provider_thinks(conversation, provider):
    provider.script({"text": "Manifests", "header_delay": 1.0})
    seen = []

    def write():
        seen.append(connections["default"])
        titles.write_title(conversation.pk)
        seen[0].close()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        provider.wait_for(lambda stats: stats["count"] > 0)
        held = seen[0].connection
        writing.result()

    assert held is None
    assert title_of(conversation) == ("Manifests", "auto")


def test_wish_for_a_title_is_hinted_again_until_there_is_one(conversation, provider):
    assert find_lost_titles() == []
    make_free()

    assert find_lost_titles() == [{"conversation_id": conversation.pk}]
    assert services.claim_title(actor=SYSTEM, conversation_id=conversation.pk) is not None
    assert find_lost_titles() == []


def test_answers_that_end_close_together_pay_for_one_title(ines, conversation):
    held = services.claim_title(actor=SYSTEM, conversation_id=conversation.pk)
    answer(say(ines, conversation, "And the port?"), "Closed.")

    titles.write_title(conversation.pk)

    assert not CallAttempt.objects.exists()
    assert services.title_conversation(actor=SYSTEM, held=held, title="One") is True


def test_title_conversation_refuses_a_late_writer(conversation):
    late = services.claim_title(actor=SYSTEM, conversation_id=conversation.pk)
    make_free()
    held = services.claim_title(actor=SYSTEM, conversation_id=conversation.pk)

    assert services.title_conversation(actor=SYSTEM, held=late, title="Late") is False
    assert services.title_conversation(actor=SYSTEM, held=held, title="In time") is True
    assert title_of(conversation) == ("In time", "auto")


def test_title_is_never_written_over_a_typed_one(ines, conversation):
    held = services.claim_title(actor=SYSTEM, conversation_id=conversation.pk)
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"title": "Mine"})

    assert services.title_conversation(actor=SYSTEM, held=held, title="Theirs") is False
    assert title_of(conversation) == ("Mine", "typed")


def test_claim_title_gives_up_after_three_attempts_until_the_next_answer(ines, conversation):
    for _attempt in range(3):
        assert services.claim_title(actor=SYSTEM, conversation_id=conversation.pk) is not None
        make_free()
    assert services.claim_title(actor=SYSTEM, conversation_id=conversation.pk) is None
    assert find_lost_titles() == []

    answer(say(ines, conversation, "Another"), "Answer")

    assert services.claim_title(actor=SYSTEM, conversation_id=conversation.pk).fence == 4


def test_no_title_is_written_for_one_who_may_not_write_any_more(ines, conversation):
    User.objects.filter(pk=ines.user_id).update(is_active=False)

    titles.write_title(conversation.pk)

    assert title_of(conversation) == ("", "none")
    assert not CallAttempt.objects.exists()
    assert not TitleRequest.objects.exists()


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("# **The port.**\nand more", "The port"),
        ("„Der Hafen“", "Der Hafen"),
        (" ".join(f"w{n}" for n in range(20)), " ".join(f"w{n}" for n in range(12)) + "…"),
        (
            "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen",
            "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve…",
        ),
        ("\n\n", ""),
        ("```\nWhat is 17 * 23?\n```", "What is 17 * 23?"),
        ("What is 17 * 23?", "What is 17 * 23?"),
        ("Why does <b>tag show?", "Why does <b>tag show?"),
        ("Learning C#", "Learning C#"),
        ("*args and snake_case_", "*args and snake_case_"),
        ("## The `port` and **its** [map](https://example.com/) ##", "The port and its map"),
        ('**"The port."**', "The port"),
        ('"Yes" or "no"', '"Yes" or "no"'),
    ],
)
def test_cleaned_title_is_one_short_line(said, title):
    assert cleaned(said) == title
