"""The migration that makes grants of invitations: who could read or write before still can, and nobody else."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from apps.accounts.models import OrganizationMember
from apps.accounts.types import ProjectRole
from apps.conversations import selectors
from apps.conversations.models import ConversationGrant, Participation
from tests.accounts.factories import UserFactory, actor_of
from tests.conversations.factories import someone, start

pytestmark = pytest.mark.django_db


def test_invitations_become_grants_of_the_same_rights(project):
    migration = import_module("apps.conversations.migrations.0010_grants_for_invitations")
    owner, writer, reader, gone = (
        someone(project),
        someone(project),
        someone(project, ProjectRole.VIEWER),
        someone(project),
    )
    never = actor_of(UserFactory())
    conversation = start(owner, project, visibility="private")
    for person in (owner, writer, reader, gone, never):
        Participation.objects.create(
            organization=project.organization, conversation=conversation, user_id=person.user_id
        )
    OrganizationMember.objects.filter(user=gone.user_id).delete()
    with connection.cursor() as cursor:  # as the release before this one writes it
        cursor.execute("UPDATE conversations_participation SET is_invited = true")

    for _twice in range(2):
        migration.grant(apps, SimpleNamespace(connection=connection))

    found = selectors.list_participants(conversation=conversation, viewer=owner)
    assert {(each.id, each.can_post) for each in found} == {(writer.user_id, True), (reader.user_id, False)}
    assert ConversationGrant.objects.count() == 3
    assert not selectors.is_visible(conversation_id=conversation.pk, viewer=gone)
