"""Core's own jobs."""

from __future__ import annotations

from uuid import UUID

from apps.core import mail
from apps.core.jobs import job


@job(mail.SEND, queue="jobs")
def send_mail(*, mail_id: str) -> None:
    """Safe to repeat: only the holder of the mail's lease sends it."""
    mail.send_mail(mail_id=UUID(mail_id))
