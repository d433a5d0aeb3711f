"""Templates of a collection over JSON, and what they make of records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import rules
from apps.core.api import APIView, Order, Page, PageQuery, Serializer, etag, expected_version
from apps.core.errors import NotFound
from apps.core.rule_fields import Text
from apps.extraction import rendering, selectors, services
from apps.extraction.models import RecordTemplate, TemplateRevision
from apps.extraction.template_types import MAX_TEMPLATE, TemplateFormat

_MOST_SHOWN = 200


class TemplateIn(Serializer):
    name = Text(rules.NAME.of(80))
    source = Text(rules.TEXT.of(MAX_TEMPLATE), help_text="Jinja, without calls.")
    format = serializers.ChoiceField(choices=TemplateFormat.choices, required=False)
    is_of_set = serializers.BooleanField(required=False, help_text="One document of all the records; else one of each.")


class TemplateChangeIn(Serializer):
    name = Text(rules.NAME.of(80), required=False)
    source = Text(rules.TEXT.of(MAX_TEMPLATE), required=False)
    format = serializers.ChoiceField(choices=TemplateFormat.choices, required=False)
    is_of_set = serializers.BooleanField(required=False)


class TemplateOut(serializers.ModelSerializer[RecordTemplate]):
    class Meta:
        model = RecordTemplate
        fields = (
            *("id", "collection", "project", "name", "format", "is_of_set", "source", "version"),
            *("created_at", "updated_at"),
        )


class TemplatePageOut(serializers.Serializer):
    results = TemplateOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class TemplateRevisionOut(serializers.ModelSerializer[TemplateRevision]):
    class Meta:
        model = TemplateRevision
        fields = ("number", "format", "source", "author", "created_at")


class TemplateRevisionPageOut(serializers.Serializer):
    results = TemplateRevisionOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class RenderIn(Serializer):
    records = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=_MOST_SHOWN, help_text="Of the collection."
    )


class RenderOut(serializers.Serializer):
    content = serializers.CharField(help_text="As the template wrote it: Markdown, or HTML that is made safe.")
    format = serializers.ChoiceField(choices=TemplateFormat.choices)


class TemplateListView(APIView):
    @extend_schema(operation_id="collection_templates_list", parameters=[PageQuery], responses=TemplatePageOut)
    def get(self, request: Request, collection_id: UUID) -> Response:
        query = PageQuery.parse_query(request)
        collection = selectors.get_collection(collection_id=collection_id, viewer=request.actor)
        rows = rendering.list_templates(request.actor, collection_id=collection.pk)
        order = Order("name", descending=False)
        page = Page.of(rows, order=order, cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: TemplateOut(row).data))

    @extend_schema(operation_id="collection_templates_create", request=TemplateIn, responses={201: TemplateOut})
    def post(self, request: Request, collection_id: UUID) -> Response:
        data = TemplateIn.parse(request)
        made = services.make_template(actor=request.actor, collection_id=collection_id, **data)
        return Response(TemplateOut(made).data, status=201, headers={"ETag": etag(made.version)})


class OneTemplateView(APIView):
    def found(self, request: Request, collection_id: UUID, template_id: UUID) -> RecordTemplate:
        template = rendering.get_template(template_id=template_id, viewer=request.actor)
        if template.collection_id != collection_id:
            raise NotFound
        return template


class TemplateView(OneTemplateView):
    @extend_schema(operation_id="collection_templates_read", responses=TemplateOut)
    def get(self, request: Request, collection_id: UUID, template_id: UUID) -> Response:
        template = self.found(request, collection_id, template_id)
        return Response(TemplateOut(template).data, headers={"ETag": etag(template.version)})

    @extend_schema(operation_id="collection_templates_change", request=TemplateChangeIn, responses=TemplateOut)
    def patch(self, request: Request, collection_id: UUID, template_id: UUID) -> Response:
        template = self.found(request, collection_id, template_id)
        changed = services.change_template(
            actor=request.actor,
            template_id=template.pk,
            changes=TemplateChangeIn.parse(request),
            expected_version=expected_version(request),
        )
        return Response(TemplateOut(changed).data, headers={"ETag": etag(changed.version)})

    @extend_schema(operation_id="collection_templates_delete", request=None, responses={204: None})
    def delete(self, request: Request, collection_id: UUID, template_id: UUID) -> Response:
        template = self.found(request, collection_id, template_id)
        services.delete_template(
            actor=request.actor, template_id=template.pk, expected_version=expected_version(request)
        )
        return Response(status=204)


class TemplateRevisionsView(OneTemplateView):
    @extend_schema(
        operation_id="collection_templates_revisions", parameters=[PageQuery], responses=TemplateRevisionPageOut
    )
    def get(self, request: Request, collection_id: UUID, template_id: UUID) -> Response:
        """The newest first."""
        query = PageQuery.parse_query(request)
        rows = rendering.list_template_revisions(self.found(request, collection_id, template_id))
        page = Page.of(rows, order=Order("number"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: TemplateRevisionOut(row).data))


class TemplateRenderView(OneTemplateView):
    @extend_schema(operation_id="collection_templates_render", request=RenderIn, responses=RenderOut)
    def post(self, request: Request, collection_id: UUID, template_id: UUID) -> Response:
        """Of a few records, at once. Files, and PDF, are made by the operation `records.render`."""
        template = self.found(request, collection_id, template_id)
        ids: list[Any] = RenderIn.parse(request)["records"]
        content = rendering.shown(template, ids, request.actor)
        return Response({"content": content, "format": template.format})
