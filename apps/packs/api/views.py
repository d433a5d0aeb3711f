"""Packs over JSON: find, parse, call, render."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page
from apps.core.parsing import BoundedJSONParser
from apps.packs import archive, catalogue, exporting, reading, selectors, services
from apps.packs.api import serializers as shapes
from apps.packs.models import PackInstallation
from apps.packs.types import MAX_ARCHIVE_BYTES, Origin, Pack, Report


def _is_form(request: Request) -> bool:
    return (request.content_type or "").startswith("multipart/")


def _sent(file: Any, language: str) -> Pack:
    return reading.read(archive.of_zip(file.read(MAX_ARCHIVE_BYTES + 1)), language=language)


def _installed(installation: PackInstallation, report: Report) -> dict[str, Any]:
    return {"installation": shapes.InstallationOut(installation).data, "report": report.as_json()}


class PackListView(APIView):
    @extend_schema(operation_id="packs_list", responses=shapes.PackListOut)
    def get(self, request: Request) -> Response:
        """Those that come with the installation: all of them at once."""
        return Response({"results": shapes.PackOut(catalogue.list_shipped(request.actor.language), many=True).data})


class InstallationListView(APIView):
    parser_classes: ClassVar = [BoundedJSONParser, MultiPartParser]

    @extend_schema(
        operation_id="pack_installations_list",
        parameters=[shapes.InstallationQuery],
        responses=shapes.InstallationPageOut,
    )
    def get(self, request: Request) -> Response:
        query = shapes.InstallationQuery.parse_query(request)
        rows = selectors.list_installations(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.InstallationOut(row).data))

    @extend_schema(
        operation_id="pack_installations_create",
        request={"application/json": shapes.InstallIn, "multipart/form-data": shapes.InstallFileIn},
        responses={201: shapes.InstalledOut},
    )
    def post(self, request: Request) -> Response:
        """Installs one that comes with the installation, or a ZIP that is sent in a form."""
        data = (shapes.InstallFileIn if _is_form(request) else shapes.InstallIn).parse(request)
        language = data.get("language") or request.actor.language
        pack = _sent(data["file"], language) if "file" in data else catalogue.get_shipped(data["pack"], language)
        installation, report = services.install_pack(
            actor=request.actor,
            project_id=data["project"],
            pack=pack,
            origin=Origin.UPLOADED if "file" in data else Origin.SHIPPED,
            prefix=data.get("prefix", ""),
        )
        return Response(_installed(installation, report), status=201)


class InstallationView(APIView):
    @extend_schema(operation_id="pack_installations_read", responses=shapes.OneInstallationOut)
    def get(self, request: Request, installation_id: UUID) -> Response:
        found = selectors.get_installation(installation_id=installation_id, viewer=request.actor)
        objects = selectors.brought_by(found, request.actor)
        shown = shapes.BroughtObjectOut(objects, many=True).data
        return Response({**shapes.InstallationOut(found).data, "objects": shown})


class InstallationUpgradeView(APIView):
    parser_classes: ClassVar = [BoundedJSONParser, MultiPartParser]

    @extend_schema(
        operation_id="pack_installations_upgrade",
        request={"application/json": shapes.UpgradeIn, "multipart/form-data": shapes.UpgradeFileIn},
        responses=shapes.InstalledOut,
    )
    def post(self, request: Request, installation_id: UUID) -> Response:
        """To what comes with the installation, or to a ZIP that is sent in a form. What somebody changed stays, and is listed."""
        found = services.require_manager(actor=request.actor, installation_id=installation_id)
        if _is_form(request):
            pack, origin = _sent(shapes.UpgradeFileIn.parse(request)["file"], found.language), Origin.UPLOADED
        else:
            shapes.UpgradeIn.parse(request)
            pack, origin = catalogue.get_shipped(found.name, found.language), Origin.SHIPPED
        upgraded = services.upgrade_pack(actor=request.actor, installation_id=found.pk, pack=pack, origin=origin)
        return Response(_installed(*upgraded))


class InstallationRemoveView(APIView):
    @extend_schema(operation_id="pack_installations_remove", request=shapes.RemoveIn, responses=shapes.ReportOut)
    def post(self, request: Request, installation_id: UUID) -> Response:
        """What it brought and has no data goes; the answer says what stays, and why."""
        data = shapes.RemoveIn.parse(request)
        report = services.remove_pack(actor=request.actor, installation_id=installation_id, **data)
        return Response(report.as_json())


class ExportView(APIView):
    @extend_schema(
        operation_id="packs_export", request=shapes.ExportIn, responses={(200, "application/zip"): OpenApiTypes.BINARY}
    )
    def post(self, request: Request) -> HttpResponse:
        """Makes a pack of a project's collections, templates, agents and workflows: a ZIP, without any records."""
        data = shapes.ExportIn.parse(request)
        content = exporting.exported(request.actor, project_id=data.pop("project"), **data)
        name = f"{data['name']}-{data['version']}.zip"
        disposition = f'attachment; filename="{name}"'
        return HttpResponse(content, content_type="application/zip", headers={"Content-Disposition": disposition})
