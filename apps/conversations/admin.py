"""Conversations and turns for operators: read only, with actions that call services."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.conversations import services
from apps.conversations.models import (
    Conversation,
    ConversationDenial,
    ConversationGrant,
    Message,
    ShareLink,
    TeamGrant,
    Turn,
)
from apps.core.admin import ServiceAdmin


@admin.register(Conversation)
class ConversationAdmin(ServiceAdmin):
    list_display = ("title", "project", "owner", "visibility", "last_number", "cost", "last_activity_at", "deleted_at")
    list_filter = ("visibility", "title_source", ("deleted_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("title", "id", "owner__email")
    date_hierarchy = "created_at"
    list_select_related = ("project", "owner")


@admin.register(Message)
class MessageAdmin(ServiceAdmin):
    """Words of people are not listed: operators see that a message is there, not what it says."""

    list_display = ("id", "conversation", "number", "role", "status", "is_sensitive", "created_at", "deleted_at")
    list_filter = ("role", "status", "is_sensitive", "organization")
    search_fields = ("id", "conversation__id")
    exclude = ("stored_parts", "content", "sealed", "words")
    list_select_related = ("conversation",)


@admin.register(Turn)
class TurnAdmin(ServiceAdmin):
    list_display = (
        "id",
        "status",
        "reason",
        "model_name",
        "attempts",
        "worker",
        "output_tokens",
        "cost",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "reason", "is_fallback", "provider_name", "organization")
    search_fields = ("id", "conversation__id", "correlation_id", "worker")
    date_hierarchy = "created_at"
    actions = ("stop", "requeue")

    @admin.action(description=_("Stop these turns"))
    def stop(self, request: HttpRequest, queryset: QuerySet[Turn]) -> None:
        count = 0
        for turn in queryset:
            services.stop_turn_as_operator(actor=request.actor, turn_id=turn.pk)  # type: ignore[attr-defined]
            count += 1
        text = ngettext("%(count)d turn was asked to stop.", "%(count)d turns were asked to stop.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Run these answers again"))
    def requeue(self, request: HttpRequest, queryset: QuerySet[Turn]) -> None:
        count = sum(services.requeue_turn(actor=request.actor, turn_id=turn.pk) for turn in queryset)  # type: ignore[attr-defined]
        text = ngettext("%(count)d turn is queued again.", "%(count)d turns are queued again.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(ConversationGrant)
class ConversationGrantAdmin(ServiceAdmin):
    list_display = ("content_object", "user", "permission", "granted_by", "created_at")
    list_filter = ("permission", "organization")
    search_fields = ("content_object__id", "user__email")
    list_select_related = ("content_object", "user", "permission__content_type", "granted_by")


@admin.register(TeamGrant)
class TeamGrantAdmin(ServiceAdmin):
    list_display = ("content_object", "team", "permission", "granted_by", "created_at")
    list_filter = ("permission", "organization")
    search_fields = ("content_object__id", "team__name")
    list_select_related = ("content_object", "team", "permission__content_type", "granted_by")


@admin.register(ConversationDenial)
class ConversationDenialAdmin(ServiceAdmin):
    list_display = ("conversation", "user", "team", "permission", "denied_by", "created_at")
    list_filter = ("permission", "organization")
    search_fields = ("conversation__id", "user__email", "team__name")
    list_select_related = ("conversation", "user", "team", "denied_by")


@admin.register(ShareLink)
class ShareLinkAdmin(ServiceAdmin):
    """Which links there are, never their tokens: those are kept hashed."""

    list_display = ("conversation", "hint", "created_by", "up_to_number", "shared_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "organization")
    search_fields = ("conversation__id", "hint", "created_by__email")
    exclude = ("token_hash",)
    list_select_related = ("conversation", "created_by")
    actions = ("withdraw",)

    @admin.action(description=_("Withdraw these links"))
    def withdraw(self, request: HttpRequest, queryset: QuerySet[ShareLink]) -> None:
        links = list(queryset.filter(revoked_at=None))
        for link in links:
            services.withdraw_link_as_operator(actor=request.actor, link_id=link.pk)  # type: ignore[attr-defined]
        text = ngettext("%(count)d link was withdrawn.", "%(count)d links were withdrawn.", len(links))
        self.message_user(request, text % {"count": len(links)}, messages.SUCCESS)
