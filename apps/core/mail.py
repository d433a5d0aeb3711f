"""Mail: a row in the transaction of its cause, sent by a job."""

from __future__ import annotations

import smtplib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models.functions import Now

from apps.core import failpoints, jobs, leases
from apps.core.correlation import caused_by, correlation_id
from apps.core.ids import uuid7
from apps.core.models import MailMessage

MAX_ATTEMPTS = 6
FIRST_RETRY_SECONDS = 10.0
KEEP_DAYS = 30
BATCH = 50

SEND = "core.send_mail"
PRINTING = {"apps.core.mail_log.EmailBackend", "django.core.mail.backends.console.EmailBackend"}


def is_delivered() -> bool:
    """Whether a mail server is set up. Without one mails are printed to the log and reach nobody."""
    return settings.EMAIL_BACKEND not in PRINTING


def queue_mail(*, recipient: str, subject: str, text: str, html: str = "") -> UUID:
    """Write the row and hint the job after commit. The text stays until it is sent, then it is emptied."""
    message = MailMessage.objects.create(
        id=uuid7(),
        recipient=recipient,
        subject=" ".join(subject.split())[:300],  # a line break in a subject is a header injection
        text=text,
        html=html,
        correlation_id=correlation_id(),
    )
    jobs.after_commit(SEND, mail_id=message.pk)
    return message.pk


def send_mail(*, mail_id: UUID) -> None:
    """Safe to repeat: only the holder of the row's lease sends; a failed attempt is tried again later, six in all.

    A process that dies between the server's "accepted" and our row sends it twice: mail knows no other way.
    """
    waiting = MailMessage.objects.filter(status=MailMessage.Status.QUEUED)
    fence = leases.claim(waiting.filter(due_at__lte=Now()), mail_id, seconds=60)
    if fence is None:
        return
    message = MailMessage.objects.get(pk=mail_id)
    with caused_by(message.correlation_id):
        try:
            _send(message)
        except (smtplib.SMTPException, OSError) as error:
            _note_failure(message, fence, error)
            return
        failpoints.hit("after_send")
        leases.release(
            MailMessage.objects.all(),
            mail_id,
            fence,
            status=MailMessage.Status.SENT,
            sent_at=Now(),
            text="",
            html="",
            error="",
        )


def _send(message: MailMessage) -> None:
    mail = EmailMultiAlternatives(
        message.subject,
        message.text,
        to=[message.recipient],
        # The same id on every attempt, so that a receiver can tell a repetition.
        headers={"Message-ID": f"<{message.pk}@parlance>", "X-Request-ID": message.correlation_id},
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    mail.send()


def _note_failure(message: MailMessage, fence: int, error: Exception) -> None:
    refused = isinstance(error, smtplib.SMTPRecipientsRefused)
    is_over = refused or message.attempts >= MAX_ATTEMPTS
    delay = leases.scaled(FIRST_RETRY_SECONDS * 3 ** (message.attempts - 1))
    leases.release(
        MailMessage.objects.all(),
        message.pk,
        fence,
        status=MailMessage.Status.FAILED if is_over else MailMessage.Status.QUEUED,
        error=type(error).__name__,
        due_at=Now() + timedelta(seconds=delay),
    )


def find_due_mail() -> Iterable[Mapping[str, object]]:
    """What should be on its way and is not: lost hints, retries, lapsed leases."""
    rows = MailMessage.objects.filter(leases.is_free(), status=MailMessage.Status.QUEUED, due_at__lte=Now())
    return [{"mail_id": pk} for pk in rows.order_by("due_at").values_list("pk", flat=True)[:BATCH]]


@transaction.atomic
def retry_mail(*, mail_ids: list[UUID]) -> int:
    """Failed mails get their attempts back. Returns how many there were."""
    failed = MailMessage.objects.filter(pk__in=mail_ids, status=MailMessage.Status.FAILED)
    pks = list(failed.select_for_update().values_list("pk", flat=True))
    MailMessage.objects.filter(pk__in=pks).update(
        status=MailMessage.Status.QUEUED, attempts=0, due_at=Now(), lease_until=None
    )
    for pk in pks:
        jobs.after_commit(SEND, mail_id=pk)
    return len(pks)


def forget_old_mail() -> None:
    MailMessage.objects.filter(created_at__lte=Now() - timedelta(days=KEEP_DAYS)).delete()
