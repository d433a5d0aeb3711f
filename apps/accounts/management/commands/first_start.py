"""Prepares a fresh installation; called at every start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from apps.accounts.services import people
from config import env


class Command(BaseCommand):
    help = "Make the home organization, and a link for the first person (or that person, from the environment)."

    def handle(self, *args: Any, **options: Any) -> None:
        started = people.start_first(
            email=env.text("PARLANCE_ADMIN_EMAIL"), password=env.text("PARLANCE_ADMIN_PASSWORD")
        )
        if started.link_token:
            self.stdout.write(f"link: {settings.PARLANCE_URL}{reverse('accounts:link', args=[started.link_token])}")
