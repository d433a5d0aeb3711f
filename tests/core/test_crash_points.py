"""Kill -9 between commit and publish, and between send and mark (drill D34): nothing is lost, repetitions keep their id."""

import re
import signal

import psycopg
import pytest

from tests import services

pytestmark = pytest.mark.timeout(900)

POST = """
import django
django.setup()
from django.db import transaction
from apps.core import mail
from apps.core.events import emit
from apps.core.facts import SettingChanged
from apps.core.types import SYSTEM, Scope

for number in range(5):
    with transaction.atomic():
        mail.queue_mail(recipient=f"p{number}@example.com", subject=f"Mail {number}", text="Text")
        emit(SettingChanged("k", "user", None, is_reset=False), actor=SYSTEM, scope=Scope("crash:1"))
"""
SEND = """
import django
django.setup()
from django.conf import settings
from apps.core import mail

settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

for ids in mail.find_due_mail():
    mail.send_mail(**ids)
"""


@pytest.fixture
def rows(database):
    with psycopg.connect(services.owner_url(database), autocommit=True) as connection:
        connection.execute("TRUNCATE core_mailmessage, core_event, core_topic")
        yield connection.execute


def count(rows, table):
    return rows(f"SELECT count(*) FROM {table}").fetchone()[0]


def sent(text):
    return re.findall(r"Message-ID: <(\S+)@parlance>", text)


def test_killed_before_the_commit_nothing_of_it_is_there(run, rows):
    run("-c", POST, ends_with=-signal.SIGKILL, PARLANCE_FAILPOINTS="before_commit=kill@3")

    assert (count(rows, "core_mailmessage"), count(rows, "core_event")) == (2, 2)


def test_killed_between_commit_and_publish_the_mail_is_sent_once(run, rows):
    run("-c", POST, ends_with=-signal.SIGKILL, PARLANCE_FAILPOINTS="after_commit=kill@3")
    assert (count(rows, "core_mailmessage"), count(rows, "core_event")) == (3, 3)

    said = run("-c", SEND) + run("-c", SEND)

    assert len(sent(said)) == len(set(sent(said))) == 3


def test_killed_between_send_and_mark_the_mail_is_sent_again_with_the_same_id(run, rows):
    run("-c", POST)
    said = run("-c", SEND, ends_with=-signal.SIGKILL, PARLANCE_FAILPOINTS="after_send=kill@2", PYTHONUNBUFFERED="1")
    assert len(sent(said)) == 2
    rows("UPDATE core_mailmessage SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL")

    again = run("-c", SEND)

    assert len(sent(again)) == 4
    assert sorted(set(sent(said + again))) == sorted(str(pk) for (pk,) in rows("SELECT id FROM core_mailmessage"))
    assert set(sent(said)) & set(sent(again)) == {sent(said)[1]}
    assert rows("SELECT DISTINCT status FROM core_mailmessage").fetchall() == [("sent",)]
