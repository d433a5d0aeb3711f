from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core import reference


class Command(BaseCommand):
    help = "Write docs/errors.md, docs/events.md and docs/settings.md from the code."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; exit code 1 when a page is behind.")

    def handle(self, *args: Any, **options: Any) -> None:
        behind = [
            path
            for path, text in reference.pages().items()
            if not path.exists() or path.read_text(encoding="utf-8") != text
        ]
        if options["check"]:
            for path in behind:
                self.stdout.write(f"{path} is behind the code: manage.py docs_reference")
            if behind:
                raise SystemExit(1)
            return
        for path in behind:
            path.write_text(reference.pages()[path], encoding="utf-8")
            self.stdout.write(f"wrote {path}")
