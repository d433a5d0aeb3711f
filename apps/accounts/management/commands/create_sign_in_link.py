"""For somebody who cannot get in: no mail server, password lost."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services import sessions
from apps.accounts.types import SYSTEM


class Command(BaseCommand):
    help = "Print a link that signs this person in once, within 24 hours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email, is_active=True, is_service=False).first()
        if user is None:
            message = f"Nobody here has the address {email}."
            raise CommandError(message)
        token = sessions.make_sign_in_link(actor=SYSTEM, user=user)
        self.stdout.write(f"link: {settings.PARLANCE_URL}{reverse('accounts:link', args=[token])}")
