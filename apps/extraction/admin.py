"""Collections and records for operators: read only. What a record says is for its project."""

from __future__ import annotations

from django.contrib import admin

from apps.core.admin import ServiceAdmin
from apps.extraction.models import (
    Collection,
    CollectionReader,
    ExtractionRun,
    FollowUp,
    Proposal,
    Record,
    RecordTemplate,
)


@admin.register(Collection)
class CollectionAdmin(ServiceAdmin):
    list_display = (
        "name",
        "slug",
        "project",
        "visibility",
        "schema_number",
        "trust",
        "version",
        "updated_at",
        "deleted_at",
    )
    list_filter = ("visibility", "trust", ("deleted_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("name", "slug", "id")
    list_select_related = ("project",)


@admin.register(CollectionReader)
class CollectionReaderAdmin(ServiceAdmin):
    list_display = ("collection", "user", "team", "created_at")
    list_filter = ("organization",)
    search_fields = ("id", "collection__slug", "user__email", "team__name")
    list_select_related = ("collection", "user", "team")


@admin.register(Record)
class RecordAdmin(ServiceAdmin):
    """Operators see that a record is there, not what it says."""

    list_display = ("id", "collection", "is_complete", "schema_number", "version", "updated_at", "deleted_at")
    list_filter = ("is_complete", ("deleted_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("id", "collection__slug")
    list_select_related = ("collection",)
    exclude = ("data", "title", "text", "words", "missing")
    date_hierarchy = "created_at"


@admin.register(ExtractionRun)
class ExtractionRunAdmin(ServiceAdmin):
    list_display = (
        "id",
        "project",
        "status",
        "error_code",
        "answered_by",
        "attempts",
        "cost",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "error_code", "is_demo", "organization")
    search_fields = ("id", "conversation_id", "message_id", "correlation_id")
    list_select_related = ("project",)
    exclude = ("unplaced", "answered")
    date_hierarchy = "created_at"


@admin.register(Proposal)
class ProposalAdmin(ServiceAdmin):
    list_display = ("id", "run", "collection", "status", "confidence", "decided_at")
    list_filter = ("status", "organization")
    search_fields = ("id", "run__id")
    list_select_related = ("run", "collection")
    exclude = ("entity_id", "data", "sources", "links", "problems")


@admin.register(FollowUp)
class FollowUpAdmin(ServiceAdmin):
    """Operators see that something is asked, not about whom."""

    list_display = ("id", "project", "collection", "status", "version", "created_at", "updated_at")
    list_filter = ("status", "organization")
    search_fields = ("id", "proposal__id", "conversation_id")
    list_select_related = ("project", "collection")
    exclude = ("title", "subject")


@admin.register(RecordTemplate)
class RecordTemplateAdmin(ServiceAdmin):
    """Operators see that there is one, not what it says."""

    list_display = ("id", "name", "project", "collection", "format", "version", "updated_at")
    list_filter = ("format", "organization")
    search_fields = ("id", "name")
    list_select_related = ("project", "collection")
    exclude = ("source",)
