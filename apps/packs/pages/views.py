"""Packs of a project: which there are, which are in it, and one that is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.accounts.pages.settings import SettingsView
from apps.core.errors import NotFound
from apps.packs import archive, catalogue, exporting, policies, reading, selectors, services
from apps.packs.pages.forms import ExportForm
from apps.packs.types import MAX_ARCHIVE_BYTES, Origin, Pack, PackClashes, PackRejected, Report, version_key


class PacksPage(SettingsView):
    template_name = "settings/packs.html"
    handlers = {"install": "install", "upload": "upload", "export": "export"}

    def project(self) -> Any:
        if (found := places.find_project(self.request)) is None:
            raise NotFound
        return found

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        project = self.project()
        installed = list(selectors.list_installations(self.actor, project_id=project.pk).order_by("name", "prefix"))
        shipped = catalogue.list_shipped(self.actor.language)
        versions = {pack.name: pack.version for pack in shipped}
        there = {row.name for row in installed}
        named = {"name": slugify(project.name)[:40].strip("-") or "pack", "title": project.name[:80]}
        return {
            "packed": project,
            "installed": [(row, _newer(versions.get(row.name), row.version)) for row in installed],
            "shipped": [(pack, pack.name in there, _counted(pack)) for pack in shipped],
            "can_manage": policies.can_manage_packs(self.actor, accounts.role_in(self.actor, project)),
            "form": form or ExportForm(initial={"version": "1.0.0", **named}),
        }

    def install(self) -> HttpResponse | None:
        pack = catalogue.get_shipped(self.request.POST.get("pack", ""), self.actor.language)
        return self._bring(pack, Origin.SHIPPED)

    def upload(self) -> HttpResponse | None:
        sent = self.request.FILES.get("file")
        if not isinstance(sent, UploadedFile):
            messages.error(self.request, _("Choose a file."))
            return None
        try:
            pack = reading.read(archive.of_zip(sent.read(MAX_ARCHIVE_BYTES + 1)), language=self.actor.language)
        except PackRejected as error:
            return self._shown(self.context() | {"wrong": error}, status=error.status)
        return self._bring(pack, Origin.UPLOADED)

    def _bring(self, pack: Pack, origin: Origin) -> HttpResponse:
        prefix = self.request.POST.get("prefix", "").strip()
        try:
            installation, _report = services.install_pack(
                actor=self.actor, project_id=self.project().pk, pack=pack, origin=origin, prefix=prefix
            )
        except PackClashes as error:
            return self._shown(
                self.context() | {"clashes": error.extra["clashes"], "clashing": pack, "origin": origin},
                status=error.status,
            )
        messages.success(self.request, _("“%(title)s” is installed.") % {"title": pack.title})
        return redirect("packs:installation", installation.pk)

    def export(self) -> BaseForm | HttpResponse:
        form = ExportForm(self.request.POST)
        if not form.is_valid():
            return form
        try:
            content = exporting.exported(self.actor, project_id=self.project().pk, **form.cleaned_data)
        except PackRejected as error:
            return self._shown(self.context(form=form) | {"wrong": error}, status=error.status)
        name = f"{form.cleaned_data['name']}-{form.cleaned_data['version']}.zip"
        disposition = f'attachment; filename="{name}"'
        return HttpResponse(content, content_type="application/zip", headers={"Content-Disposition": disposition})


class InstallationPage(SettingsView):
    template_name = "settings/pack.html"
    handlers = {"upgrade": "upgrade", "remove": "remove"}

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        found = selectors.get_installation(installation_id=ids["installation_id"], viewer=self.actor)
        shipped = {pack.name: pack.version for pack in catalogue.list_shipped(self.actor.language)}
        role = accounts.project_role(self.actor, found.project_id)
        return {
            "pack": found,
            "objects": selectors.brought_by(found, self.actor),
            "newer": _newer(shipped.get(found.name), found.version),
            "can_manage": policies.can_manage_packs(self.actor, role),
        }

    def upgrade(self, installation_id: UUID) -> None:
        found = selectors.get_installation(installation_id=installation_id, viewer=self.actor)
        pack = catalogue.get_shipped(found.name, found.language)
        _upgraded, report = services.upgrade_pack(
            actor=self.actor, installation_id=found.pk, pack=pack, origin=Origin.SHIPPED
        )
        messages.success(self.request, _("Version %(version)s is installed.") % {"version": pack.version})
        self._tell(report)

    def remove(self, installation_id: UUID) -> HttpResponse:
        everything = self.request.POST.get("everything") == "yes"
        report = services.remove_pack(actor=self.actor, installation_id=installation_id, everything=everything)
        messages.success(self.request, _("The pack is removed."))
        self._tell(report)
        return redirect("packs:list")

    def _tell(self, report: Report) -> None:
        if report.kept:
            number = len(report.kept)
            names = ", ".join(each.name for each in report.kept[:10])
            text = ngettext(
                "%(number)d thing stays as it is: %(names)s", "%(number)d things stay as they are: %(names)s", number
            )
            messages.info(self.request, text % {"number": number, "names": names})


def _newer(offered: str | None, there: str) -> str:
    """The version that one could upgrade to; empty when there is none."""
    return offered if offered and version_key(offered) > version_key(there) else ""


def _counted(pack: Pack) -> list[tuple[str, int]]:
    """How many of what: shown beside its summary."""
    counts: dict[str, int] = {}
    for each in pack.objects:
        counts[each.kind] = counts.get(each.kind, 0) + 1
    return list(counts.items())
