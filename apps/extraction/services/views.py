"""Writes of views: ways to look at a collection that somebody keeps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import rules
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.versions import require_version
from apps.extraction import filters, policies, selectors, use_selectors
from apps.extraction.events import ViewDeleted, ViewKept
from apps.extraction.models import RecordView
from apps.extraction.types import MAX_VIEWS_A_COLLECTION, TooManyViews, ViewNameTaken


@transaction.atomic
def keep_view(
    *, actor: Actor, collection_id: UUID, name: str, state: dict[str, Any], is_shared: bool = False
) -> RecordView:
    """``state`` is what the table is asked for: where, q, sort, complete, columns, look. Conditions have to fit the fields of today."""
    collection = selectors.get_collection(collection_id=collection_id, viewer=actor)
    role = accounts.project_role(actor, collection.project_id)
    require(policies.can_keep_views(actor, role) and (not is_shared or policies.can_share_views(actor, role)))
    if RecordView.objects.filter(collection=collection, owner=actor.user_id).count() >= MAX_VIEWS_A_COLLECTION:
        raise TooManyViews
    filters.as_q(selectors.schema_of(collection), [filters.read(raw) for raw in state.get("where", ())])
    view = RecordView(
        id=uuid7(),
        organization_id=collection.organization_id,
        collection=collection,
        project_id=collection.project_id,
        owner_id=actor.user_id,
        name=rules.NAME.of(60)(name, field="name"),
        is_shared=is_shared,
        state=state,
    )
    _save(view)
    fact = ViewKept(view.pk, collection.pk, is_shared)
    emit(fact, actor=actor, scope=collection.scope, subject=("record_view", view.pk))
    return view


@transaction.atomic
def change_view(
    *, actor: Actor, view_id: UUID, changes: dict[str, Any], expected_version: int | None = None
) -> RecordView:
    """``changes`` may name ``name``, ``state`` and ``is_shared``."""
    view = use_selectors.lock_view(view_id=view_id, viewer=actor)
    role = accounts.project_role(actor, view.project_id)
    require(policies.can_change_view(actor, view, role))
    require_version(view.version, expected_version)
    if "name" in changes:
        view.name = rules.NAME.of(60)(changes["name"], field="name")
    if "state" in changes:
        collection = selectors.get_collection(collection_id=view.collection_id, viewer=actor)
        conditions = [filters.read(raw) for raw in changes["state"].get("where", ())]
        filters.as_q(selectors.schema_of(collection), conditions)
        view.state = changes["state"]
    if "is_shared" in changes and changes["is_shared"] != view.is_shared:
        require(policies.can_share_views(actor, role))
        view.is_shared = changes["is_shared"]
    view.version += 1
    _save(view)
    fact = ViewKept(view.pk, view.collection_id, view.is_shared)
    emit(fact, actor=actor, scope=view.scope, subject=("record_view", view.pk))
    return view


@transaction.atomic
def delete_view(*, actor: Actor, view_id: UUID, expected_version: int | None = None) -> None:
    view = use_selectors.lock_view(view_id=view_id, viewer=actor)
    require(policies.can_change_view(actor, view, accounts.project_role(actor, view.project_id)))
    require_version(view.version, expected_version)
    RecordView.objects.filter(pk=view.pk).delete()
    emit(ViewDeleted(view.pk, view.collection_id), actor=actor, scope=view.scope, subject=("record_view", view.pk))


def _save(view: RecordView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        if "extraction_view_name" in str(error):
            raise ViewNameTaken from error
        raise
