"""Prepares a fresh installation; called at every start."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from apps.accounts.services import people
from apps.core import crypto, installation, key_rotation
from config import env


class Command(BaseCommand):
    help = "Make the home organization, and a link for the first person (or that person, from the environment)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key_rotation.check_keys()
        except crypto.KeysDoNotFit:
            note = installation.keys_do_not_fit()
            raise CommandError(f"{note.says} {note.advice}", returncode=os.EX_CONFIG) from None
        started = people.start_first(
            email=env.text("PARLANCE_ADMIN_EMAIL"), password=env.text("PARLANCE_ADMIN_PASSWORD")
        )
        if started.link_token:
            self.stdout.write(f"link: {settings.PARLANCE_URL}{reverse('accounts:link', args=[started.link_token])}")
