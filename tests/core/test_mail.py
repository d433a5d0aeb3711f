import io
import smtplib
import threading

import pytest
from django.core import mail as outbox
from django.db import connection, transaction

from apps.core import mail
from apps.core.correlation import caused_by
from apps.core.models import MailMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def queued():
    with caused_by("cause-1234"):
        return mail.queue_mail(recipient="a@example.com", subject="Hello\nBcc: x@y", text="Text", html="<p>Text</p>")


def make_due():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_mailmessage SET due_at = clock_timestamp() - interval '1 s'")


def fail_with(monkeypatch, error):
    def send(self, *args, **kwargs):
        raise error

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", send)


def test_mail_is_sent_once_and_its_text_is_emptied(queued):
    mail.send_mail(mail_id=queued)
    mail.send_mail(mail_id=queued)

    (sent,) = outbox.outbox
    assert (sent.subject, sent.to, sent.body) == ("Hello Bcc: x@y", ["a@example.com"], "Text")
    assert sent.extra_headers == {"Message-ID": f"<{queued}@parlance>", "X-Request-ID": "cause-1234"}
    row = MailMessage.objects.get()
    assert (row.status, row.text, row.html, row.attempts) == ("sent", "", "", 1)


@pytest.fixture
def printed(queued, settings):
    """The mail where no server is set up; what Django's tests put in place of every backend is taken away."""
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"

    def send(log_format):
        settings.LOGGING = {**settings.LOGGING, "format": log_format}
        mail.send_mail(mail_id=queued)

    return send


def test_mail_without_a_server_is_one_block_on_a_terminal(printed, monkeypatch, caplog):
    terminal = io.StringIO()
    monkeypatch.setattr("sys.__stderr__", terminal)

    printed("text")

    rule, said, to, subject, nothing, text, end = terminal.getvalue().splitlines()
    assert (to, subject, nothing, text) == ("To: a@example.com", "Subject: Hello Bcc: x@y", "", "Text")
    assert "no mail server" in said
    assert rule == end
    assert caplog.records == []
    assert MailMessage.objects.get().status == "sent"
    assert not mail.is_delivered()


def test_mail_without_a_server_is_one_line_among_logs(printed, monkeypatch, caplog):
    terminal = io.StringIO()
    monkeypatch.setattr("sys.__stderr__", terminal)
    caplog.set_level("INFO")

    printed("json")

    (line,) = [record for record in caplog.records if record.name == "apps.core.mail_log"]
    assert (line.levelname, line.msg, line.to, line.text) == ("INFO", "mail_printed", "a@example.com", "Text")
    assert terminal.getvalue() == ""


def test_failed_mail_is_tried_six_times(queued, monkeypatch):
    fail_with(monkeypatch, ConnectionRefusedError())
    for _turn in range(8):
        make_due()
        mail.send_mail(mail_id=queued)

    row = MailMessage.objects.get()
    assert (row.status, row.attempts, row.error, row.text) == ("failed", 6, "ConnectionRefusedError", "Text")
    assert outbox.outbox == []


def test_mail_waits_before_the_next_attempt(queued, monkeypatch):
    fail_with(monkeypatch, ConnectionRefusedError())

    mail.send_mail(mail_id=queued)
    mail.send_mail(mail_id=queued)

    assert MailMessage.objects.get().attempts == 1
    assert mail.find_due_mail() == []
    make_due()
    assert mail.find_due_mail() == [{"mail_id": queued}]


def test_refused_recipient_is_not_tried_again(queued, monkeypatch):
    fail_with(monkeypatch, smtplib.SMTPRecipientsRefused({}))

    mail.send_mail(mail_id=queued)

    assert MailMessage.objects.get().status == "failed"


@pytest.mark.django_db(transaction=True)
def test_mail_of_a_change_that_is_rolled_back_is_never_there():
    with transaction.atomic():
        mail.queue_mail(recipient="a@example.com", subject="s", text="t")
        transaction.set_rollback(True)

    assert not MailMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_one_mail():
    pk = mail.queue_mail(recipient="a@example.com", subject="s", text="t")

    def send():
        mail.send_mail(mail_id=pk)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outbox.outbox) == 1
