"""What takes mails where no mail server is set up: they are printed for whoever runs the installation, and reach nobody."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

logger = logging.getLogger(__name__)

RULE = "-" * 72


class EmailBackend(BaseEmailBackend):
    """On a terminal one block to read, among logs of JSON one line. Workers turn what is merely printed into a warning a line."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            to = ", ".join(message.to)
            if settings.LOGGING["format"] == "text" and sys.__stderr__ is not None:
                sys.__stderr__.write(block(to, str(message.subject), str(message.body)))
                sys.__stderr__.flush()
            else:
                logger.info("mail_printed", extra={"to": to, "subject": message.subject, "text": message.body})
        return len(email_messages)


def block(to: str, subject: str, text: str) -> str:
    lines = [
        "Not sent, no mail server is set up (EMAIL_HOST):",
        f"To: {to}",
        f"Subject: {subject}",
        "",
        *text.strip().splitlines(),
    ]
    return "\n".join([RULE, *lines, RULE, ""])
