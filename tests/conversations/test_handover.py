"""Conversations of somebody who leaves: what others see gets an owner who may write in it, what is private stays with its people."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import OrganizationMember
from apps.accounts.services import belongings, erasure, organizations
from apps.accounts.types import SYSTEM, OrganizationRole, Permission, ProjectAccess
from apps.conversations import selectors, services
from apps.conversations.models import Conversation, ConversationGrant, ShareLink
from apps.conversations.sweeps import delete_what_nobody_came_back_for
from apps.conversations.types import KEEP_LEFT_DAYS
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.core.models import Event
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    deny,
    join,
    member_of,
    team_of,
)
from tests.conversations.factories import start

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


@pytest.fixture
def leaver(project):
    return member_of(project)


def remove(user, owner, **kwargs):
    member = OrganizationMember.objects.get(user=user)
    organizations.remove_member(actor=actor_of(owner), member_id=member.pk, **kwargs)


def private_of(user, project, *people, permission=Permission.POST):
    conversation = start(actor_of(user), project, title="Private", visibility="private")
    for person in people:
        services.invite_participant(
            actor=actor_of(user), conversation_id=conversation.pk, user_id=person.pk, permission=permission
        )
    return conversation


def owner_of(conversation):
    return Conversation.objects.get(pk=conversation.pk).owner


def sees(user, conversation, permission=Permission.VIEW):
    return selectors.visible_to(actor_of(user), permission=permission).filter(pk=conversation.pk).exists()


def test_heir_who_may_not_write_there_gets_what_they_may(owner, project, leaver):
    closed = ProjectFactory(organization=project.organization, access=ProjectAccess.RESTRICTED)
    add_to_project(leaver, closed)
    heir = member_of(project)
    here, there = start(actor_of(leaver), project), start(actor_of(leaver), closed)

    remove(leaver, owner, heir_id=heir.pk)

    assert (owner_of(here), owner_of(there)) == (heir, owner)
    assert not sees(heir, there)
    assert Event.objects.filter(type="conversations.conversation_handed_over").count() == 2


def test_heir_who_is_denied_gets_nothing_and_the_owner_all(owner, project, leaver):
    heir = member_of(project)
    deny(heir, project, permission=Permission.POST)
    shared = start(actor_of(leaver), project)

    remove(leaver, owner, heir_id=heir.pk)

    assert owner_of(shared) == owner


def test_what_is_denied_to_everybody_has_an_owner_still(owner, project, leaver):
    shared = start(actor_of(leaver), project)
    deny(owner, project)

    remove(leaver, owner)

    assert owner_of(shared) == owner


def test_private_conversation_goes_to_who_is_in_it_longest_and_stays_sealed(owner, project, leaver):
    first, second = member_of(project), member_of(project)
    talk = private_of(leaver, project, first, second)

    remove(leaver, owner)

    assert owner_of(talk) == first
    assert (sees(first, talk, Permission.POST), sees(second, talk), sees(owner, talk)) == (True, True, False)
    assert not ConversationGrant.objects.filter(user=first).exists()  # an owner needs none


def test_guest_who_inherits_a_private_conversation_may_write_in_it(owner, project, leaver):
    guest = member_of(project, role=OrganizationRole.GUEST)
    talk = private_of(leaver, project, guest, permission=Permission.VIEW)

    remove(leaver, owner)

    assert owner_of(talk) == guest
    assert sees(guest, talk, Permission.POST)
    assert not sees(owner, talk)


def test_who_may_write_comes_before_who_may_read(owner, project, leaver):
    reader, writer = (member_of(project, role=OrganizationRole.GUEST) for _each in range(2))
    talk = private_of(leaver, project, reader, permission=Permission.VIEW)
    services.invite_participant(actor=actor_of(leaver), conversation_id=talk.pk, user_id=writer.pk)

    remove(leaver, owner)

    assert owner_of(talk) == writer


def test_private_conversation_of_a_team_goes_to_its_members(owner, project, leaver):
    switched_off, mate = UserFactory(is_active=False), member_of(project)
    join(switched_off, project.organization)
    talk = private_of(leaver, project)
    services.invite_participant(
        actor=actor_of(leaver),
        conversation_id=talk.pk,
        team_id=team_of(project.organization, switched_off, leaver, mate).pk,
    )

    remove(leaver, owner)

    assert owner_of(talk) == mate


@pytest.mark.parametrize("permission", [Permission.VIEW, Permission.POST])
def test_who_is_denied_inherits_no_private_conversation(permission, owner, project, leaver):
    denied, other = member_of(project), member_of(project)
    talk = private_of(leaver, project, denied, other)
    deny(denied, project, permission=permission)

    remove(leaver, owner)

    assert owner_of(talk) == other


def test_private_conversation_of_nobody_else_is_archived_read_by_nobody_and_found_again(owner, project, leaver):
    talk = private_of(leaver, project)

    remove(leaver, owner)

    kept = Conversation.objects.get(pk=talk.pk)
    assert (kept.owner, kept.deleted_at) == (leaver, None)
    assert kept.archived_at is not None
    assert not sees(owner, talk)
    assert not sees(leaver, talk)
    join(leaver, project.organization)
    assert sees(leaver, talk, Permission.POST)


def test_what_nobody_came_back_for_is_deleted_when_the_organization_says(owner, project, leaver):
    talk = private_of(leaver, project)
    mine = private_of(owner, project)
    services.archive_conversation(actor=actor_of(owner), conversation_id=mine.pk, archived=True)
    remove(leaver, owner)
    Conversation.objects.update(archived_at=timezone.now() - timedelta(days=60))

    delete_what_nobody_came_back_for()
    assert Conversation.objects.get(pk=talk.pk).deleted_at is None
    preferences.change_setting(
        actor=actor_of(owner),
        key=KEEP_LEFT_DAYS,
        level=Level.ORGANIZATION,
        target_id=project.organization_id,
        value=59,
    )
    preferences.forget_kept()
    delete_what_nobody_came_back_for()

    assert Conversation.objects.get(pk=talk.pk).deleted_at is not None
    assert Conversation.objects.get(pk=mine.pk).deleted_at is None


def test_who_came_back_keeps_what_is_theirs(owner, project, leaver):
    talk = private_of(leaver, project)
    remove(leaver, owner)
    Conversation.objects.update(archived_at=timezone.now() - timedelta(days=1000))
    join(leaver, project.organization)

    delete_what_nobody_came_back_for()

    assert Conversation.objects.get(pk=talk.pk).deleted_at is None


def test_grants_and_links_of_a_leaver_end(owner, project, leaver):
    theirs = private_of(owner, project, leaver)
    shared = start(actor_of(leaver), project, visibility="link")
    services.make_link(actor=actor_of(leaver), conversation_id=shared.pk)

    remove(leaver, owner)
    join(leaver, project.organization)

    assert ShareLink.objects.get().revoked_at is not None
    assert not sees(leaver, theirs)  # coming back is no way into what they were let into before
    assert owner_of(shared) == owner


def test_account_that_is_switched_off_keeps_its_private_conversations_grants_and_links(owner, project, leaver):
    mate = member_of(project)
    talk, theirs = private_of(leaver, project, mate), private_of(owner, project, leaver)
    shared = start(actor_of(leaver), project, visibility="link")
    services.make_link(actor=actor_of(leaver), conversation_id=shared.pk)
    leaver.is_active = False
    leaver.save()

    belongings.hand_over(actor=actor_of(owner), member_id=OrganizationMember.objects.get(user=leaver).pk)

    assert (owner_of(talk), owner_of(shared)) == (leaver, owner)
    assert sees(leaver, theirs)
    assert ShareLink.objects.get().revoked_at is None


def test_erased_person_leaves_nothing_without_an_owner(owner, project, leaver):
    mate = member_of(project)
    shared, talk, alone = (
        start(actor_of(leaver), project),
        private_of(leaver, project, mate),
        private_of(leaver, project),
    )

    erasure.erase_person(actor=SYSTEM, user_id=leaver.pk)

    assert (owner_of(shared), owner_of(talk)) == (owner, mate)
    assert Conversation.objects.get(pk=alone.pk).deleted_at is not None
