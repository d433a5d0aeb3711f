"""A letter: what a mail says, once. Its text and its HTML are made from it, so that neither says more than the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import get_language

from apps.core.mail import queue_mail

_ADDRESS = re.compile(r"https?://\S+\Z")


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain words in the receiver's language. ``facts`` are (label, value) pairs; ``label`` names the button to ``link``."""

    subject: str
    greeting: str
    lead: str
    facts: Sequence[tuple[str, str]] = ()
    code: str = ""
    label: str = ""
    link: str = ""
    closing: Sequence[str] = ()

    def render(self) -> tuple[str, str]:
        """Text and HTML."""
        context = {
            "letter": self,
            "host": urlsplit(settings.PARLANCE_URL).netloc,
            "home": settings.PARLANCE_URL,
            "language": (get_language() or "en").split("-")[0],
        }
        text = render_to_string("mail/letter.txt", context)
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", render_to_string("mail/letter.html", context)


def letter_of_text(*, subject: str, text: str) -> Letter:
    """For mails that a library words: the first paragraph greets, a line that is an address becomes the button."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n|\n(?=https?://)|(?<=\S)\n(?=\S)", text)]
    paragraphs = [part for part in paragraphs if part]
    link = next((part for part in paragraphs if _ADDRESS.match(part)), "")
    words = [part for part in paragraphs if part != link]
    greeting, lead, *closing = [*words, "", ""]
    return Letter(subject=subject, greeting=greeting, lead=lead, link=link, closing=[part for part in closing if part])


def queue_letter(*, recipient: str, letter: Letter) -> UUID:
    """Call it in the receiver's language (``translation.override``), as the frame has words of its own."""
    text, html = letter.render()
    return queue_mail(recipient=recipient, subject=letter.subject, text=text, html=html)
