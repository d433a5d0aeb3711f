"""What is read without being asked for: every message of a project that says so, and answers to what a conversation was asked."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.accounts import policies as account_policies
from apps.accounts.actors import actor_of_row
from apps.accounts.types import SYSTEM, Actor
from apps.conversations import selectors as conversations
from apps.conversations.types import Role
from apps.core import preferences
from apps.core.errors import DomainError
from apps.extraction import policies, question_selectors
from apps.extraction.models import ExtractionRun
from apps.extraction.services import follow_ups
from apps.extraction.services.extractions import request_extraction
from apps.extraction.types import EVERY_MESSAGE, MAX_READ_AN_HOUR, FollowUpStatus, RunCause

HOUR = timedelta(hours=1)


@transaction.atomic
def read_message(*, actor: Actor, message_id: UUID, key_id: UUID | None = None) -> ExtractionRun | None:
    """A message that somebody just posted, read with their rights and out of their quota; None where there is no reason to, or no right.

    Once a message, however often this is called. Never what is sensitive, or said in private, which the platform does not see. At most 200 messages of a project in an hour.
    """
    account_policies.require(policies.is_system(actor))
    message = conversations.find_readable(message_id=message_id, viewer=actor)
    if message is None or message.role != Role.USER or message.is_sensitive or message.author_id is None:
        return None
    talk = message.conversation
    cause = _cause(talk.organization_id, talk.project_id, talk.pk)
    if cause is None or question_selectors.has_automatic(message_id):
        return None
    if question_selectors.count_automatic(talk.project_id, within=HOUR) >= MAX_READ_AN_HOUR:
        return None
    author = actor_of_row(user_id=message.author_id, key_id=key_id)
    asked = question_selectors.list_follow_ups(author, conversation_id=talk.pk, status=FollowUpStatus.OPEN)
    wanted = set(asked.values_list("collection_id", flat=True)) if cause == RunCause.ANSWER else set()
    if cause == RunCause.ANSWER and not wanted:
        return None  # what was asked is about nothing that they see
    try:
        with transaction.atomic():
            return request_extraction(
                actor=author,
                project_id=talk.project_id,
                collections=sorted(wanted),
                message_id=message_id,
                language=message.author.language if message.author else "en",
                cause=cause,
            )
    except DomainError:
        return None  # no right, no collection, no place, no quota: nobody asked, so nobody is told


def _cause(organization_id: UUID, project_id: UUID, conversation_id: UUID) -> RunCause | None:
    if preferences.get(EVERY_MESSAGE, organization=organization_id, project=project_id):
        return RunCause.MESSAGE
    if not question_selectors.has_open_questions(conversation_id):
        return None
    follow_ups.settle_known(actor=SYSTEM, conversation_id=conversation_id)
    return RunCause.ANSWER if question_selectors.is_listening(conversation_id) else None
