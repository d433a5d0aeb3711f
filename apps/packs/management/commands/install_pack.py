from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.types import SYSTEM
from apps.core.errors import DomainError
from apps.packs import archive, catalogue, reading, selectors, services
from apps.packs.types import MAX_ARCHIVE_BYTES, Origin, Pack, Report


class Command(BaseCommand):
    help = "Bring a pack into a project, or upgrade the one that is there. Says what was made, what changed and what stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pack", help="The name of one that comes with the installation, a folder, or a ZIP.")
        parser.add_argument("--project", type=UUID, metavar="ID")
        parser.add_argument("--prefix", default="", help="Goes before every name.")
        parser.add_argument("--language", default="", help="Of those that the pack has.")
        parser.add_argument("--upgrade", action="store_true", help="Bring what is installed to this version.")
        parser.add_argument("--check", action="store_true", help="Only say whether it could be installed.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pack, origin = self._read(options["pack"], options["language"])
            if options["check"]:
                self.stdout.write(f"{pack.name} {pack.version}: {len(pack.objects)} things, nothing wrong")
                return
            if options["project"] is None:
                message = "Say which project: --project ID"
                raise CommandError(message)
            report = self._bring(pack, origin, options)
        except DomainError as error:
            raise CommandError(_in_words(error)) from None
        for name in ("made", "changed", "removed"):
            for kind, each in getattr(report, name):
                self.stdout.write(f"{name} {kind} {each}")
        for kept in report.kept:
            self.stdout.write(f"kept {kept.kind} {kept.name} ({kept.reason})")
        self.stdout.write(f"{pack.name} {pack.version} is installed.")

    def _read(self, named: str, language: str) -> tuple[Pack, Origin]:
        path = Path(named)
        if path.is_dir():
            return reading.read(archive.of_folder(path), language=language), Origin.UPLOADED
        if path.is_file():
            with path.open("rb") as stream:
                return reading.read(
                    archive.of_zip(stream.read(MAX_ARCHIVE_BYTES + 1)), language=language
                ), Origin.UPLOADED
        return catalogue.get_shipped(named, language), Origin.SHIPPED

    def _bring(self, pack: Pack, origin: Origin, options: dict[str, Any]) -> Report:
        if options["upgrade"]:
            found = selectors.find_installation(
                SYSTEM, project_id=options["project"], name=pack.name, prefix=options["prefix"]
            )
            if found is None:
                message = f"{pack.name} is not installed there."
                raise CommandError(message)
            return services.upgrade_pack(actor=SYSTEM, installation_id=found.pk, pack=pack, origin=origin)[1]
        return services.install_pack(
            actor=SYSTEM, project_id=options["project"], pack=pack, origin=origin, prefix=options["prefix"]
        )[1]


def _in_words(error: DomainError) -> str:
    said = [f"{each.field}: {each.detail}" for each in error.fields]
    lines = [error.detail, *(f"  {each}" for each in said if each != error.detail)]
    lines += [f"  {each['kind']} {each['name']}" for each in error.extra.get("clashes", [])]
    return "\n".join(lines)
