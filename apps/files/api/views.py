from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page
from apps.core.errors import NotFound
from apps.files import selectors, services, serving
from apps.files.api.serializers import AttachmentOut, AttachmentPageOut, AttachmentQuery, UploadIn, attachment_out
from apps.files.api.uploads import prepare_upload


@extend_schema(tags=["attachments"])
class AttachmentListView(APIView):
    parser_classes: ClassVar = [MultiPartParser]

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        prepare_upload(request._request)  # noqa: SLF001
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="attachments_list",
        parameters=[AttachmentQuery],
        responses=AttachmentPageOut,
        description="What the caller brought, and what is attached where they read; the newest first.",
    )
    def get(self, request: Request) -> Response:
        query = AttachmentQuery.parse_query(request)
        rows = selectors.list_files(
            request.actor,
            project_id=query.get("project"),
            name=query["q"],
            kinds=[query["kind"]] if "kind" in query else (),
            is_own=query["mine"],
        )
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(attachment_out))

    @extend_schema(
        operation_id="attachments_upload",
        request={"multipart/form-data": UploadIn},
        responses={201: AttachmentOut},
        description="Upload one file. Its type is told from its content; attach it to a message by its id.",
    )
    def post(self, request: Request) -> Response:
        data = UploadIn.parse(request)
        upload = data["file"]
        file = services.store_upload(
            actor=request.actor,
            project_id=data["project"],
            name=upload.name,
            stream=upload,
            declared=upload.content_type or "",
            expected_bytes=upload.size,
        )
        return Response(attachment_out(file), status=201)


@extend_schema(tags=["attachments"])
class AttachmentView(APIView):
    @extend_schema(operation_id="attachments_read", responses={200: AttachmentOut})
    def get(self, request: Request, attachment_id: UUID) -> Response:
        return Response(attachment_out(selectors.get_file(attachment_id, request.actor)))

    @extend_schema(operation_id="attachments_delete", responses={204: None})
    def delete(self, request: Request, attachment_id: UUID) -> Response:
        services.delete_file(actor=request.actor, file_id=attachment_id)
        return Response(status=204)


BYTES = OpenApiResponse(OpenApiTypes.BINARY, description="The content; `Range` is understood.")


@extend_schema(tags=["attachments"])
class AttachmentDownloadView(APIView):
    @extend_schema(operation_id="attachments_download", responses={(200, "application/octet-stream"): BYTES})
    def get(self, request: Request, attachment_id: UUID) -> HttpResponseBase:
        file = selectors.get_usable_file(attachment_id, request.actor)
        return serving.serve_file(request._request, file, selectors.content_of(file), as_download=True)  # noqa: SLF001


@extend_schema(tags=["attachments"])
class AttachmentPreviewView(APIView):
    @extend_schema(operation_id="attachments_preview", responses={(200, "image/*"): BYTES})
    def get(self, request: Request, attachment_id: UUID) -> HttpResponseBase:
        file = selectors.get_usable_file(attachment_id, request.actor)
        content = selectors.content_of_preview(file)
        if content is None:
            raise NotFound
        return serving.serve_preview(request._request, file, content)  # noqa: SLF001
