"""Writes of wishes: asked for, read by a model, edited, confirmed or dismissed. Only confirming makes anything."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts import policies as account_policies
from apps.accounts import quotas
from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_of_row
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.bulk import services as operations
from apps.conversations import selectors as conversations
from apps.conversations import services as talks
from apps.conversations.types import Role
from apps.core import jobs, kept, leases, preferences
from apps.core.correlation import correlation_id
from apps.core.errors import DomainError, FieldError, Invalid, NotFound, VersionMismatch
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.extraction import bulk_making, policies, selectors, wish_fields, wish_selectors
from apps.extraction.events import WishConfirmed, WishDismissed, WishRequested
from apps.extraction.made_types import MAX_BRIEF, MAX_MADE
from apps.extraction.models import Wish
from apps.extraction.reading_types import Answer
from apps.extraction.services import describing
from apps.extraction.services.collections import create_collection
from apps.extraction.wish_types import (
    MAX_OPEN_WISHES,
    MAX_WISH_ATTEMPTS,
    NOTHING_DESCRIBED,
    USUAL_COUNT,
    WISHES_FROM_WORDS,
    TooManyWishes,
    WishDecided,
    WishKind,
    WishRead,
    WishStatus,
    WishWork,
)
from apps.extraction.wish_words import kind_of
from apps.llm import forecast

GAVE_UP = "worker_lost"
_MOST_COLLECTIONS = 40
_LARGEST = 2**31 - 1  # of what the column takes
_MOST_FIELDS = 20


@transaction.atomic
def request_wish(
    *,
    actor: Actor,
    conversation_id: UUID,
    message_id: UUID,
    words: str,
    kind: str = WishKind.RECORDS,
    language: str = "en",
    is_asked: bool = True,
) -> Wish:
    """Have words read as a wish, or as the description of a collection. It is shown below the message, and nothing is made until
    somebody confirms what was understood.
    """
    talk = conversations.get_conversation(conversation_id=conversation_id, viewer=actor)
    project = accounts.lock_project(talk.project_id, actor)
    _require(actor, kind, accounts.role_in(actor, project))
    if conversations.get_message(message_id=message_id, viewer=actor).conversation_id != talk.pk:
        raise NotFound
    words = words.replace("\x00", "").strip()[:MAX_BRIEF]
    if not words:
        raise Invalid(fields=[FieldError("words", "blank", str(Invalid.default_detail))])
    if Wish.objects.filter(project=project, status=WishStatus.READING).count() >= MAX_OPEN_WISHES:
        raise TooManyWishes
    quotas.take_answer(actor=actor, organization_id=project.organization_id)
    wish = Wish.objects.create(
        id=uuid7(),
        organization_id=project.organization_id,
        project=project,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        conversation_id=talk.pk,
        shown_under=message_id,
        kind=kind,
        is_asked=is_asked,
        words=words,
        language=language[:12],
        correlation_id=correlation_id()[:64],
    )
    emit(WishRequested(wish.pk), actor=actor, scope=wish.scope, subject=("wish", wish.pk))
    if is_asked:
        _show(wish, actor)
    jobs.after_commit("extraction.read_wish", wish_id=wish.pk)
    return wish


def _require(actor: Actor, kind: str, role: Any) -> None:
    detail = None
    if kind == WishKind.COLLECTION and policies.can_write_records(actor, role):
        detail = _("Only whoever manages the project can make a collection. Ask them.")
    require(policies.can_wish(actor, kind, role), detail=detail)


def _show(wish: Wish, actor: Actor) -> None:
    """Whoever has the conversation open draws the message again."""
    try:
        talks.annotate_message(actor=actor, message_id=wish.shown_under)
    except DomainError:
        return  # gone, or closed to whoever asked by now


def keep_wish(*, actor: Actor, work: WishWork) -> AbstractContextManager[None]:
    """While a model is asked: the worker's lease is renewed meanwhile."""
    account_policies.require(policies.is_system(actor))
    return kept.kept(
        Wish.objects.filter(status=WishStatus.READING), work.wish_id, work.fence, attempts=F("attempts") - 1
    )


@transaction.atomic
def claim_wish(*, actor: Actor, wish_id: UUID) -> WishWork | None:
    """Take it for one call; None: held, done, or who asked may write there no more."""
    account_policies.require(policies.is_system(actor))
    wish = Wish.objects.select_for_update(skip_locked=True).filter(pk=wish_id, status=WishStatus.READING).first()
    if wish is None:
        return None
    if wish.attempts >= MAX_WISH_ATTEMPTS:
        _fail(wish, GAVE_UP)
        return None
    rows = Wish.objects.filter(status=WishStatus.READING)
    fence = leases.claim(rows, wish.pk)
    if fence is None:
        return None
    asker = actor_of_row(user_id=wish.requested_by_id, key_id=wish.key_id)
    try:
        _require(asker, wish.kind, accounts.project_role(asker, wish.project_id))
    except DomainError as refusal:
        _fail(wish, refusal.code)
        return None
    there = selectors.with_document(selectors.list_collections(asker, project_id=wish.project_id)).order_by("name")
    return WishWork(
        wish_id=wish.pk,
        fence=fence,
        organization_id=wish.organization_id,
        project_id=wish.project_id,
        user_id=wish.requested_by_id,
        words=wish.words,
        language=wish.language,
        correlation_id=wish.correlation_id,
        kind=wish.kind,
        collections=tuple(
            (row.slug, row.name, tuple(each.title for each in selectors.schema_of(row).top[:_MOST_FIELDS]))
            for row in there[:_MOST_COLLECTIONS]
        ),
    )


@transaction.atomic
def fail_wish(*, actor: Actor, wish_id: UUID, fence: int, code: str) -> None:
    account_policies.require(policies.is_system(actor))
    wish = Wish.objects.select_for_update().filter(pk=wish_id, fence=fence, status=WishStatus.READING).first()
    if wish is not None:
        _fail(wish, code)


def _fail(wish: Wish, code: str) -> None:
    wish.status, wish.error_code = WishStatus.FAILED, code[:60]
    wish.save(update_fields=["status", "error_code", "updated_at"])
    if wish.is_asked:
        _show(wish, actor_of_row(user_id=wish.requested_by_id, key_id=wish.key_id))


@transaction.atomic
def propose_wish(*, actor: Actor, wish_id: UUID, fence: int, answer: Answer, read: WishRead) -> bool:
    """What was understood waits for a person. False: somebody else holds the wish by now."""
    account_policies.require(policies.is_system(actor))
    wish = Wish.objects.select_for_update().filter(pk=wish_id, fence=fence, status=WishStatus.READING).first()
    if wish is None:
        return False
    asker = actor_of_row(user_id=wish.requested_by_id, key_id=wish.key_id)
    wish.answered_by, wish.is_demo = answer.model[:200], answer.is_demo
    if not read.is_wish and not wish.is_asked:
        wish.status, wish.words = WishStatus.NOTHING, ""
        wish.save()
        return True
    if wish.kind == WishKind.COLLECTION:
        if not describing.keep_proposal(wish, asker, read):
            _fail(wish, NOTHING_DESCRIBED)
            return True
        wish.status = WishStatus.PROPOSED
        wish.save()
        _show(wish, asker)
        return True
    wish.status = WishStatus.PROPOSED
    wish.collection = selectors.find_collection(asker, project_id=wish.project_id, slug=read.collection or "")
    wish.count = min(max(read.count, 1), MAX_MADE) if read.count else USUAL_COUNT
    wish.asked_count = min(read.count, _LARGEST) if read.count > MAX_MADE else 0
    wish.brief = read.brief.strip()[:MAX_BRIEF] or wish.words
    wish.name = read.name.strip()[:80]
    if wish.collection is None:
        wish.fields = wish_fields.tolerated(read.fields)
    wish.is_reviewed = wish.collection is None or wish.collection.asks_first
    with override(asker.language):
        wish.name = wish.name or ("" if wish.collection else _("Records"))
        _estimate(wish, asker)
    wish.save()
    _show(wish, asker)
    return True


def _estimate(wish: Wish, actor: Actor) -> None:
    try:
        model = forecast.find_model(organization_id=wish.organization_id)
        found = bulk_making.estimate_of(
            wish.collection.name if wish.collection else wish.name,
            wish_selectors.schema_of(wish),
            {"brief": wish.brief, "count": wish.count},
            model,
        )
    except DomainError as error:
        wish.estimate = {"cost": None, "currency": "", "seconds": None, "basis": error.detail}
        return
    wish.estimate = {
        "cost": str(found.cost) if found.cost is not None else None,
        "currency": found.currency,
        "seconds": found.seconds,
        "basis": str(found.basis),
    }


def _lock_proposed(actor: Actor, wish_id: UUID) -> Wish:
    wish = wish_selectors.lock_wish(wish_id=wish_id, viewer=actor)
    _require(actor, wish.kind, accounts.project_role(actor, wish.project_id))
    if wish.status != WishStatus.PROPOSED:
        raise WishDecided
    return wish


@transaction.atomic
def change_wish(*, actor: Actor, wish_id: UUID, changes: dict[str, Any], expected_version: int | None = None) -> Wish:
    """``count, brief, collection`` (None: a new one), ``name, fields, review``. What does not fit is named by ``Invalid``.

    Another collection brings its own ``review``, unless that is said too.
    """
    wish = _lock_proposed(actor, wish_id)
    if expected_version is not None and expected_version != wish.version:
        raise VersionMismatch(current=wish.version)
    if wish.kind == WishKind.COLLECTION:
        describing.keep_changes(wish, actor, changes)
        return _kept(wish, actor)
    if "collection" in changes:
        was = wish.collection_id
        wish.collection = (
            selectors.list_collections(actor, project_id=wish.project_id).filter(pk=changes["collection"]).first()
            if changes["collection"]
            else None
        )
        if changes["collection"] and wish.collection is None:
            raise Invalid(fields=[FieldError("collection", "unknown_collection", str(Invalid.default_detail))])
        if wish.collection_id != was:
            wish.is_reviewed = wish.collection is None or wish.collection.asks_first
    if "review" in changes:
        wish.is_reviewed = changes["review"]
    for name in ("count", "brief", "name"):
        if name in changes:
            setattr(wish, name, changes[name])
    if "count" in changes:
        wish.asked_count = 0
    if "fields" in changes:
        wish.fields = wish_fields.tolerated(changes["fields"])
    if wish.collection is None:
        wish.fields = wish.fields or wish_fields.tolerated([])
        wish_selectors.schema_of(wish)
    _estimate(wish, actor)
    return _kept(wish, actor)


def _kept(wish: Wish, actor: Actor) -> Wish:
    wish.version += 1
    wish.save()
    _show(wish, actor)
    return wish_selectors.get_wish(wish_id=wish.pk, viewer=actor)


@transaction.atomic
def confirm_wish(*, actor: Actor, wish_id: UUID, edited: dict[str, Any] | None = None) -> Wish:
    """The collection, where it is new, and the operation, which starts: with the rights and out of the quota of who confirms.

    Of a described collection the collection alone; ``edited`` is what the form builder made of it (``create_collection``).
    """
    wish = _lock_proposed(actor, wish_id)
    if wish.kind == WishKind.COLLECTION:
        return _decided(wish, actor, collection_id=describing.make_described(wish=wish, actor=actor, edited=edited))
    collection_id = wish.collection_id
    if collection_id is None:
        made = create_collection(
            actor=actor, project_id=wish.project_id, name=wish.name, document=wish_fields.document_of(wish.fields)
        )
        collection_id = made.pk
    operation = operations.create_operation(
        actor=actor,
        project_id=wish.project_id,
        kind=bulk_making.KIND,
        params={
            "collection": str(collection_id),
            "brief": wish.brief,
            "count": wish.count,
            "review": wish.is_reviewed,
        },
        key=f"wish:{wish.pk}",
        start=True,
    )
    emit(WishConfirmed(wish.pk, operation.pk), actor=actor, scope=wish.scope, subject=("wish", wish.pk))
    return _decided(wish, actor, collection_id=collection_id, operation_id=operation.pk)


def _decided(wish: Wish, actor: Actor, **made: UUID) -> Wish:
    Wish.objects.filter(pk=wish.pk).update(
        **made,
        status=WishStatus.CONFIRMED,
        decided_by=actor.user_id,
        decided_at=Now(),
        version=wish.version + 1,
        updated_at=Now(),
    )
    _show(wish, actor)
    return wish_selectors.get_wish(wish_id=wish.pk, viewer=actor)


@transaction.atomic
def dismiss_wish(*, actor: Actor, wish_id: UUID) -> Wish:
    wish = _lock_proposed(actor, wish_id)
    Wish.objects.filter(pk=wish.pk).update(
        status=WishStatus.DISMISSED, decided_by=actor.user_id, decided_at=Now(), updated_at=Now()
    )
    emit(WishDismissed(wish.pk), actor=actor, scope=wish.scope, subject=("wish", wish.pk))
    _show(wish, actor)
    return wish_selectors.get_wish(wish_id=wish.pk, viewer=actor)


@transaction.atomic
def forget_wishes(*, actor: Actor, conversation_id: UUID, message_id: UUID | None = None) -> int:
    """Of words that are gone or sealed: the whole conversation's, or those that stand below one message."""
    account_policies.require(policies.is_system(actor))
    rows = Wish.objects.filter(conversation_id=conversation_id)
    return (rows.filter(shown_under=message_id) if message_id else rows).delete()[0]


@transaction.atomic
def hear_wish(*, actor: Actor, message_id: UUID, key_id: UUID | None = None) -> Wish | None:
    """A message that somebody just posted and that sounds like a wish for records or for a collection; None where it does not, or they
    have no right to have one.

    Once a message, however often this is called. Never what is sensitive.
    """
    account_policies.require(policies.is_system(actor))
    message = conversations.find_readable(message_id=message_id, viewer=actor)
    if message is None or message.role != Role.USER or message.is_sensitive or message.author_id is None:
        return None
    kind = kind_of(message.text)
    if kind is None or wish_selectors.has_automatic(message_id):
        return None
    talk = message.conversation
    if not preferences.get(WISHES_FROM_WORDS, organization=talk.organization_id, project=talk.project_id):
        return None
    try:
        with transaction.atomic():
            return request_wish(
                actor=actor_of_row(user_id=message.author_id, key_id=key_id),
                conversation_id=talk.pk,
                message_id=message_id,
                words=message.text,
                kind=kind,
                language=message.author.language if message.author else "en",
                is_asked=False,
            )
    except IntegrityError as error:
        if "extraction_wish_once" not in str(error):
            raise
        return None
    except DomainError:
        return None  # no right, no place, no quota: nobody asked, so nobody is told
