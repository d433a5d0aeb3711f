from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.core.supervisor.up import main


class Command(BaseCommand):
    """Listed here for ``help``; ``manage.py`` itself goes straight to the supervisor, without loading Django."""

    help = "Start the database, Redis, web, interactive, calls and jobs, and stop them together."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        main()
