"""Writes of comments on records."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import rules
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.types import Scope
from apps.core.versions import require_version
from apps.extraction import policies, selectors, use_selectors
from apps.extraction.events import CommentAdded, CommentChanged, CommentDeleted
from apps.extraction.models import RecordComment
from apps.extraction.types import MAX_COMMENT


@transaction.atomic
def add_comment(*, actor: Actor, record_id: UUID, text: str, answered_by: str = "") -> RecordComment:
    """``answered_by``: the model whose words they are; the author asked for them."""
    record = selectors.get_record(record_id=record_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, record.project_id)))
    comment = RecordComment.objects.create(
        id=uuid7(),
        organization_id=record.organization_id,
        record=record,
        project_id=record.project_id,
        author_id=actor.user_id,
        text=_clean(text),
        answered_by=answered_by[:200],
    )
    fact = CommentAdded(comment.pk, record.pk)
    emit(fact, actor=actor, scope=record.collection.scope, subject=("record", record.pk))
    return use_selectors.get_comment(comment_id=comment.pk, viewer=actor)


@transaction.atomic
def change_comment(*, actor: Actor, comment_id: UUID, text: str, expected_version: int | None = None) -> RecordComment:
    comment = use_selectors.lock_comment(comment_id=comment_id, viewer=actor)
    require(policies.can_change_comment(actor, comment, accounts.project_role(actor, comment.project_id)))
    require_version(comment.version, expected_version)
    RecordComment.objects.filter(pk=comment.pk).update(
        text=_clean(text), version=comment.version + 1, edited_at=Now(), updated_at=Now()
    )
    fact = CommentChanged(comment.pk, comment.record_id)
    emit(fact, actor=actor, scope=_scope(comment), subject=("record", comment.record_id))
    return use_selectors.get_comment(comment_id=comment.pk, viewer=actor)


@transaction.atomic
def delete_comment(*, actor: Actor, comment_id: UUID, expected_version: int | None = None) -> None:
    """Its words are gone for good; that there was one stays."""
    comment = use_selectors.lock_comment(comment_id=comment_id, viewer=actor)
    require(policies.can_delete_comment(actor, comment, accounts.project_role(actor, comment.project_id)))
    require_version(comment.version, expected_version)
    RecordComment.objects.filter(pk=comment.pk).update(text="", deleted_at=Now(), version=comment.version + 1)
    fact = CommentDeleted(comment.pk, comment.record_id)
    emit(fact, actor=actor, scope=_scope(comment), subject=("record", comment.record_id))


def _scope(comment: RecordComment) -> Scope:
    return Scope(f"collection:{comment.record.collection_id}", comment.organization_id, comment.project_id)


def _clean(text: str) -> str:
    kept = rules.TEXT.of(MAX_COMMENT)(text, field="text")
    if not kept:
        raise Invalid(fields=[FieldError("text", "blank", _("This may not be empty."))])
    return kept
