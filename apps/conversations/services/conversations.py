"""Writes of the conversation itself and of what one person has with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.agents import selectors as agents
from apps.conversations import policies, selectors
from apps.conversations.events import (
    ConversationArchived,
    ConversationChanged,
    ConversationDeleted,
    ConversationExported,
    ConversationMarked,
    ConversationPrivacyChanged,
    ConversationRestored,
    ConversationStarted,
)
from apps.conversations.models import Conversation, Message, Participation
from apps.conversations.news import tell_list_later, tell_person_later
from apps.conversations.types import ParentElsewhere, SensitiveByRule, TitleSource, Visibility
from apps.core import jobs, rules
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.types import ActorRef, Scope
from apps.core.versions import require_version
from apps.live.bells import rights_changed, ring_after_commit
from apps.llm import selectors as llm

PUBLIC_NAMES = {"is_sensitive": "sensitive"}
UNTOLD = ("title_source", "seal_due")


def scope_of(conversation: Conversation) -> Scope:
    return Scope(conversation.topic, conversation.organization_id, conversation.project_id)


def announce(
    conversation: Conversation, fact: Any, actor: ActorRef, subject: tuple[str, UUID | None] | None = None
) -> None:
    """Emit on the conversation's topic, ring it after commit, and tell those who list it."""
    news = emit(fact, actor=actor, scope=scope_of(conversation), subject=subject or ("conversation", conversation.pk))
    ring_after_commit(conversation.topic, news)
    tell_list_later(conversation, fact)


@transaction.atomic
def start_conversation(
    *,
    actor: Actor,
    project_id: UUID,
    title: str = "",
    model: str = "",
    agent: UUID | None = None,
    visibility: str = Visibility.PROJECT,
    system_prompt: str = "",
    tags: Sequence[str] = (),
    sensitive: bool = False,
) -> Conversation:
    """``model`` is an id, ``provider/name`` or a bare name that is unique; unknown names raise ``Invalid``."""
    project = accounts.get_project(project_id, actor)
    role = accounts.project_role(actor, project.pk)
    account_policies.require(policies.can_start(actor, role=role))
    chosen_model = llm.get_model(organization_id=project.organization_id, reference=model) if model else None
    chosen_agent = agents.get_agent(agent_id=agent, viewer=actor, project_id=project.pk) if agent else None
    title = rules.TITLE(title, field="title")
    conversation = Conversation.objects.create(
        id=uuid7(),
        organization_id=project.organization_id,
        project=project,
        owner_id=actor.user_id,
        title=title,
        title_source=TitleSource.TYPED if title else TitleSource.NONE,
        visibility=visibility,
        model=chosen_model,
        agent=chosen_agent,
        system_prompt=system_prompt,
        tags=rules.tags(tags),
        is_sensitive=sensitive or selectors.is_sensitive_by_rule(project),
        last_activity_at=Now(),
    )
    announce(conversation, ConversationStarted(conversation.pk, visibility), actor)
    return selectors.get_conversation(conversation_id=conversation.pk, viewer=actor)


@transaction.atomic
def change_conversation(
    *, actor: Actor, conversation_id: UUID, changes: dict[str, Any], expected_version: int | None = None
) -> Conversation:
    """``changes`` may name title, tags, add_tags, remove_tags, model, agent, system_prompt, visibility, sensitive; the form lets nothing else
    through. What is added to the tags or taken away comes to those that are there, so that two people who save at once both have their way.
    """
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    is_owners = "visibility" in changes or changes.get("sensitive") is False
    allowed = policies.can_share if is_owners else policies.can_change
    account_policies.require(allowed(actor, conversation, access=access))
    require_version(conversation.version, expected_version)
    was_sensitive = conversation.is_sensitive
    before, fields = conversation.visibility, list[str]()
    if "title" in changes:
        conversation.title = rules.TITLE(changes["title"], field="title")
        conversation.title_source = TitleSource.TYPED if conversation.title else TitleSource.NONE
        fields += ["title", "title_source"]
    if not changes.keys().isdisjoint({"tags", "add_tags", "remove_tags"}):
        gone = set(rules.tags(changes.get("remove_tags", ()), field="remove_tags"))
        kept = [tag for tag in changes.get("tags", conversation.tags) if tag not in gone]
        conversation.tags = rules.tags([*kept, *changes.get("add_tags", ())])
        fields.append("tags")
    if "model" in changes:
        reference = changes["model"]
        conversation.model = (
            llm.get_model(organization_id=conversation.organization_id, reference=reference) if reference else None
        )
        fields.append("model")
    if "agent" in changes:
        agent_id = changes["agent"]
        conversation.agent = (
            agents.get_agent(agent_id=agent_id, viewer=actor, project_id=conversation.project_id) if agent_id else None
        )
        fields.append("agent")
    for name in ("system_prompt", "visibility"):
        if name in changes:
            setattr(conversation, name, changes[name])
            fields.append(name)
    if "sensitive" in changes:
        _mark_all(conversation, is_sensitive=changes["sensitive"])
        fields += ["is_sensitive", "seal_due"]
    conversation.version += 1
    conversation.save(update_fields=[*fields, "version", "updated_at"])
    public = tuple(PUBLIC_NAMES.get(name, name) for name in fields if name not in UNTOLD)
    announce(conversation, ConversationChanged(conversation.pk, public), actor)
    if conversation.is_sensitive != was_sensitive:
        announce(conversation, ConversationMarked(conversation.pk, conversation.is_sensitive), actor)
    if "visibility" in changes and conversation.visibility != before:
        fact = ConversationPrivacyChanged(conversation.pk, before, conversation.visibility)
        announce(conversation, fact, actor)
        if before == Visibility.LINK:
            _close_links(actor, conversation)
        ask_rights_again(conversation)
    return selectors.get_conversation(conversation_id=conversation.pk, viewer=actor)


def _mark_all(conversation: Conversation, *, is_sensitive: bool) -> None:
    """Of the row that the caller holds and saves. What was said before is sealed by a job; what is sealed stays so until
    somebody opens it, message by message. Raises ``SensitiveByRule`` where the organization or the project wants all sealed.
    """
    if not is_sensitive and selectors.is_sensitive_by_rule(conversation.project):
        raise SensitiveByRule
    conversation.is_sensitive = is_sensitive
    conversation.seal_due = is_sensitive and conversation.last_number > 0
    if conversation.seal_due:
        jobs.after_commit("conversations.seal_messages", conversation_id=conversation.pk)


def _close_links(actor: Actor, conversation: Conversation) -> None:
    from apps.conversations.services.links import withdraw_links  # links announce through this module

    withdraw_links(actor, conversation)


def ask_rights_again(conversation: Conversation) -> None:
    """Who follows it live and may no longer see it is told at once, and hears nothing more."""
    transaction.on_commit(lambda: rights_changed(conversation.topic), robust=True)


@transaction.atomic
def change_all(
    *, actor: Actor, conversation_id: UUID, changes: dict[str, Any], expected_version: int | None = None
) -> Conversation:
    """One PATCH: what everybody sees, whether it is archived, and one's own pin, all or nothing."""
    rest = {name: value for name, value in changes.items() if name not in ("archived", "pinned")}
    if rest or expected_version is not None:
        change_conversation(
            actor=actor, conversation_id=conversation_id, changes=rest, expected_version=expected_version
        )
    if "archived" in changes:
        archive_conversation(actor=actor, conversation_id=conversation_id, archived=changes["archived"])
    if "pinned" in changes:
        pin_conversation(actor=actor, conversation_id=conversation_id, pinned=changes["pinned"])
    return selectors.get_conversation(conversation_id=conversation_id, viewer=actor)


@transaction.atomic
def archive_conversation(*, actor: Actor, conversation_id: UUID, archived: bool) -> Conversation:
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_change(actor, conversation, access=selectors.access_to(conversation, actor)))
    if archived == (conversation.archived_at is not None):
        return selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    Conversation.objects.filter(pk=conversation.pk).update(
        archived_at=Now() if archived else None, version=conversation.version + 1
    )
    fact = ConversationArchived(conversation.pk) if archived else ConversationChanged(conversation.pk, ("archived",))
    announce(conversation, fact, actor)
    return selectors.get_conversation(conversation_id=conversation_id, viewer=actor)


@transaction.atomic
def delete_conversation(*, actor: Actor, conversation_id: UUID, expected_version: int | None = None) -> None:
    """Hidden from everyone and restorable for 30 days. Its running turns are asked to stop."""
    from apps.conversations.services.turns import stop_active_turns  # turns announce through this module

    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_remove(actor, conversation, access=selectors.access_to(conversation, actor)))
    require_version(conversation.version, expected_version)
    stop_active_turns(actor=actor, conversation=conversation)
    Conversation.objects.filter(pk=conversation.pk).update(
        deleted_at=Now(), deleted_by_id=actor.user_id, version=conversation.version + 1
    )
    announce(conversation, ConversationDeleted(conversation.pk), actor)


@transaction.atomic
def restore_conversation(*, actor: Actor, conversation_id: UUID) -> Conversation:
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor, with_deleted=True)
    account_policies.require(policies.can_remove(actor, conversation, access=selectors.access_to(conversation, actor)))
    policies.require_restorable(conversation)
    if conversation.deleted_at is not None:
        Conversation.objects.filter(pk=conversation.pk).update(
            deleted_at=None, deleted_by=None, version=conversation.version + 1
        )
        announce(conversation, ConversationRestored(conversation.pk), actor)
    return selectors.get_conversation(conversation_id=conversation_id, viewer=actor)


def _own(conversation: Conversation, actor: Actor, **values: Any) -> None:
    Participation.objects.update_or_create(
        organization_id=conversation.organization_id,
        conversation=conversation,
        user_id=actor.user_id,
        defaults=values,
    )


@transaction.atomic
def pin_conversation(*, actor: Actor, conversation_id: UUID, pinned: bool) -> None:
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_arrange(actor))
    _own(conversation, actor, pinned_at=Now() if pinned else None)
    tell_person_later(actor.user_id, conversation, "list")


@transaction.atomic
def mark_read(*, actor: Actor, conversation_id: UUID, number: int) -> None:
    """Everything up to ``number`` was seen. Going back is ignored."""
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_arrange(actor))
    number = min(number, conversation.last_number)
    changed = Participation.objects.filter(
        conversation=conversation, user_id=actor.user_id, last_read_number__lt=number
    ).update(last_read_number=number, updated_at=Now())
    if not changed and not Participation.objects.filter(conversation=conversation, user_id=actor.user_id).exists():
        _own(conversation, actor, last_read_number=number)
        changed = 1
    if changed:
        tell_person_later(actor.user_id, conversation, "read")


@transaction.atomic
def choose_branch(*, actor: Actor, conversation_id: UUID, message_id: UUID | None) -> UUID | None:
    """Show the newest path through ``message_id`` to this person; None follows everyone's head again. Gives the leaf."""
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_arrange(actor))
    if message_id is None:
        _own(conversation, actor, head=None)
        return conversation.head_id
    if not Message.objects.filter(pk=message_id, conversation=conversation).exists():
        raise ParentElsewhere
    leaf = selectors.newest_leaf(message_id)
    _own(conversation, actor, head_id=None if leaf == conversation.head_id else leaf)
    return leaf


@transaction.atomic
def record_export(*, actor: Actor, conversation_id: UUID, export_format: str) -> Conversation:
    """The conversation, once it is on record (and in the audit log) who takes it away."""
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.has_read_scope(actor))
    announce(conversation, ConversationExported(conversation.pk, export_format), actor)
    return conversation
