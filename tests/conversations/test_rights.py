"""SQL and Python agree on who may see and write: for random roles, teams, grants, denials, privacy, keys and share links.

The Python side reads rows one by one and asks ``policies``; the SQL side is one statement. Neither knows the other's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission as PermissionRow
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts import policies as account_policies
from apps.accounts.models import Denial, OrganizationMember, Project, ProjectMember, ProjectTeam, Team, TeamMember
from apps.accounts.types import (
    NOBODY,
    SYSTEM,
    Actor,
    ActorKind,
    OrganizationRole,
    Permission,
    ProjectAccess,
    ProjectRole,
    highest,
)
from apps.conversations import policies, selectors
from apps.conversations.models import (
    Conversation,
    ConversationDenial,
    ConversationGrant,
    Message,
    ShareLink,
    TeamGrant,
    Turn,
)
from apps.conversations.types import POST_IN, VIEW, Access, ListFilter, MessageStatus, TurnStatus, Visibility
from tests.accounts.factories import OrganizationFactory, UserFactory, actor_of

pytestmark = pytest.mark.django_db

PEOPLE, TEAMS, PROJECTS = 4, 2, 2
DENIABLE = (Permission.VIEW, Permission.POST)
maybe_permission = st.sampled_from([None, None, *DENIABLE])


@st.composite
def plans(draw):
    """What is drawn: plain values, so that a failing example can be read and shrunk."""
    person, team = st.integers(0, PEOPLE - 1), st.integers(0, TEAMS - 1)
    conversation = st.integers(0, 2 * PROJECTS - 1)
    who = st.one_of(st.tuples(st.just("user"), person), st.tuples(st.just("team"), team))
    return {
        "members": draw(st.lists(st.sampled_from([None, *OrganizationRole.values]), min_size=PEOPLE, max_size=PEOPLE)),
        "access": draw(st.lists(st.sampled_from(ProjectAccess.values), min_size=PROJECTS, max_size=PROJECTS)),
        "deleted_project": draw(st.sampled_from([None, None, None, 0])),
        "project_roles": draw(
            st.dictionaries(
                st.tuples(st.integers(0, PROJECTS - 1), person), st.sampled_from(ProjectRole.values), max_size=4
            )
        ),
        "project_teams": draw(
            st.dictionaries(
                st.tuples(st.integers(0, PROJECTS - 1), team), st.sampled_from(ProjectRole.values), max_size=2
            )
        ),
        "teams": draw(st.sets(st.tuples(team, person), max_size=5)),
        "deleted_team": draw(st.sampled_from([None, None, None, 1])),
        "visibility": draw(st.lists(st.sampled_from(Visibility.values), min_size=2 * PROJECTS, max_size=2 * PROJECTS)),
        "owners": draw(st.lists(person, min_size=2 * PROJECTS, max_size=2 * PROJECTS)),
        "deleted": draw(st.sets(conversation, max_size=1)),
        "grants": draw(st.dictionaries(st.tuples(conversation, who), st.sampled_from(DENIABLE), max_size=5)),
        "denials": draw(st.dictionaries(st.tuples(conversation, who), st.sampled_from(DENIABLE), max_size=3)),
        "account_denials": draw(
            st.dictionaries(
                st.tuples(st.sampled_from([None, *range(PROJECTS)]), who),
                st.tuples(st.sampled_from(Permission.values), st.sampled_from([None, -1, 1])),
                max_size=2,
            )
        ),
    }


@dataclass
class World:
    organization: object
    people: list
    teams: list
    projects: list
    conversations: list

    def who(self, named):
        kind, place = named
        return {"user": self.people[place]} if kind == "user" else {"team": self.teams[place]}


def build(plan):
    organization = OrganizationFactory()
    people = [UserFactory(password=None) for _each in range(PEOPLE)]
    OrganizationMember.objects.bulk_create(
        OrganizationMember(organization=organization, user=user, role=role)
        for user, role in zip(people, plan["members"], strict=True)
        if role
    )
    now = timezone.now()
    teams = Team.objects.bulk_create(
        Team(organization=organization, name=f"T{n}", deleted_at=now if n == plan["deleted_team"] else None)
        for n in range(TEAMS)
    )
    TeamMember.objects.bulk_create(
        TeamMember(organization=organization, team=teams[team], user=people[person]) for team, person in plan["teams"]
    )
    projects = Project.objects.bulk_create(
        Project(
            organization=organization,
            name=f"P{n}",
            access=access,
            deleted_at=now if n == plan["deleted_project"] else None,
        )
        for n, access in enumerate(plan["access"])
    )
    ProjectMember.objects.bulk_create(
        ProjectMember(organization=organization, project=projects[project], user=people[person], role=role)
        for (project, person), role in plan["project_roles"].items()
    )
    ProjectTeam.objects.bulk_create(
        ProjectTeam(organization=organization, project=projects[project], team=teams[team], role=role)
        for (project, team), role in plan["project_teams"].items()
    )
    conversations = Conversation.objects.bulk_create(
        Conversation(
            organization=organization,
            project=projects[n // 2],
            owner=people[owner],
            visibility=visibility,
            last_activity_at=now,
            deleted_at=now if n in plan["deleted"] else None,
        )
        for n, (owner, visibility) in enumerate(zip(plan["owners"], plan["visibility"], strict=True))
    )
    world = World(organization, people, teams, projects, conversations)
    kinds = {row.codename: row for row in PermissionRow.objects.filter(codename__in=(VIEW, POST_IN))}
    for (conversation, named), permission in plan["grants"].items():
        who = world.who(named)
        table = ConversationGrant if "user" in who else TeamGrant
        for code in (VIEW, POST_IN) if permission == Permission.POST else (VIEW,):
            table(
                content_object=conversations[conversation], organization=organization, permission=kinds[code], **who
            ).save()
    for (conversation, named), permission in plan["denials"].items():
        ConversationDenial.objects.create(
            organization=organization,
            conversation=conversations[conversation],
            permission=permission,
            **world.who(named),
        )
    for (project, named), (permission, hours) in plan["account_denials"].items():
        Denial.objects.create(
            organization=organization,
            project=projects[project] if project is not None else None,
            permission=permission,
            expires_at=now + timedelta(hours=hours) if hours else None,
            **world.who(named),
        )
    return world


def least(permissions):
    """The denial that takes most away."""
    return next((each for each in Permission if each in permissions), None)


def access_of(world, actor, conversation):  # one row at a time
    """What the rows say, in the plainest Python."""
    if actor.kind == ActorKind.SYSTEM:
        is_alive = conversation.project.deleted_at is None
        return Access(ProjectRole.MANAGER if is_alive else None)
    reaches = (
        actor.user_id is not None
        and actor.organization_id in (None, conversation.organization_id)
        and actor.project_id in (None, conversation.project_id)
        and conversation.project.deleted_at is None
    )
    member = OrganizationMember.objects.filter(organization=world.organization, user=actor.user_id).first()
    if not reaches or member is None:
        return Access()
    alive = [team.pk for team in world.teams if team.deleted_at is None]
    teams = [row.team_id for row in TeamMember.objects.filter(user=actor.user_id) if row.team_id in alive]

    def is_about(row):
        return actor.user_id == row.user_id or row.team_id in teams

    now = timezone.now()
    taken = [
        Permission(row.permission)
        for row in Denial.objects.filter(organization=world.organization)
        if is_about(row)
        and row.project_id in (None, conversation.project_id)
        and (row.expires_at is None or row.expires_at > now)
    ]
    own = ProjectMember.objects.filter(project=conversation.project, user=actor.user_id).first()
    by_team = [
        ProjectRole(row.role)
        for row in ProjectTeam.objects.filter(project=conversation.project)
        if row.team_id in teams
    ]
    role = account_policies.effective_role(
        organization_role=member.role,
        member_role=own.role if own else None,
        access=conversation.project.access,
        team_role=highest(by_team),
        denied=least(taken),
    )
    codes = {
        row.permission.codename
        for row in ConversationGrant.objects.filter(content_object=conversation, user=actor.user_id)
    } | {
        row.permission.codename for row in TeamGrant.objects.filter(content_object=conversation) if row.team_id in teams
    }
    granted = Permission.POST if POST_IN in codes else Permission.VIEW if codes else None
    here = [
        Permission(row.permission)
        for row in ConversationDenial.objects.filter(conversation=conversation)
        if is_about(row)
    ]
    denied = least([each for each in [*taken, *here] if each in DENIABLE])
    return Access(role, granted, denied)


def actors_in(world):
    people = [actor_of(user) for user in world.people]
    keys = [
        replace(
            people[n],
            kind=ActorKind.KEY,
            key_id=uuid4(),
            organization_id=world.organization.pk,
            project_id=world.projects[n % PROJECTS].pk if n % 2 else None,
            scopes=scopes,
        )
        for n, scopes in enumerate(
            [
                frozenset({"conversations:read"}),
                frozenset({"conversations:write"}),
                frozenset(),
                frozenset({"agents:read"}),
            ]
        )
    ]
    stranger = replace(people[0], kind=ActorKind.KEY, organization_id=uuid4())
    link = Actor(kind=ActorKind.SHARE_LINK, organization_id=world.organization.pk)
    return [*people, *keys, stranger, link, SYSTEM, NOBODY]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans())
def test_visible_to_agrees_with_policies(plan):
    with transaction.atomic():
        world = build(plan)
        for actor in actors_in(world):
            visible = set(selectors.visible_to(actor).values_list("pk", flat=True))
            writable = set(selectors.visible_to(actor, permission=Permission.POST).values_list("pk", flat=True))
            listed = {row.pk for row in selectors.list_conversations(viewer=actor)}
            for row in Conversation.objects.select_related("project"):
                access = access_of(world, actor, row)
                can_view = policies.can_view(actor, row, access=access)
                assert (row.pk in visible) == can_view, (actor, row.visibility, access)
                assert (row.pk in listed) == can_view, (actor, row.visibility, access)
                if actor.kind != ActorKind.SYSTEM and policies.has_scope(actor, policies.WRITE):
                    can_post = can_view and policies.can_post(actor, row, access=access)
                    assert (row.pk in writable) == can_post, (actor, row.visibility, access)
                if can_view and actor.kind != ActorKind.SYSTEM:
                    found = selectors.access_to(selectors.get_conversation(conversation_id=row.pk, viewer=actor), actor)
                    assert policies.can_post(actor, row, access=found) == policies.can_post(actor, row, access=access)
        transaction.set_rollback(True)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans())
def test_window_of_a_list_is_what_visible_to_says(plan):
    from apps.core.paging import Order, Window

    with transaction.atomic():
        world = build(plan)
        for actor in actors_in(world):
            for project in (None, world.projects[0].pk):
                only = ListFilter(project)
                asked = selectors.list_conversations(viewer=actor, only=only)
                window = selectors.read_window(Window(Order("last_activity_at"), 50), viewer=actor, only=only)
                assert [row.pk for row in window] == [row.pk for row in asked.order_by("-last_activity_at", "-pk")], (
                    actor
                )
        transaction.set_rollback(True)


hours = st.sampled_from([None, -1, 1])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    visibility=st.sampled_from(Visibility.values),
    is_deleted=st.booleans(),
    links=st.lists(st.tuples(st.booleans(), hours, st.integers(0, 6)), max_size=3),
    said=st.lists(
        st.tuples(st.sampled_from([*MessageStatus.values, "completed", "completed"]), st.booleans(), hours), max_size=6
    ),
)
def test_what_links_show_agrees_with_policies(visibility, is_deleted, links, said):
    """``said``: status, whether it is deleted, and when its turn ended (None: a person's words)."""
    with transaction.atomic():
        now = timezone.now()
        project = Project.objects.create(organization=OrganizationFactory(), name="P")
        owner = UserFactory(password=None)
        conversation = Conversation.objects.create(
            organization=project.organization,
            project=project,
            owner=owner,
            visibility=visibility,
            last_activity_at=now,
            deleted_at=now if is_deleted else None,
        )
        shared = {"organization": project.organization, "conversation": conversation}
        for number, (status, is_gone, ended) in enumerate(said, start=1):
            message = Message.objects.create(
                number=number, role="assistant", status=status, deleted_at=now if is_gone else None, **shared
            )
            if ended is not None:
                message.turn = Turn.objects.create(
                    project=project,
                    message=message,
                    status=TurnStatus.COMPLETED,
                    finished_at=now + timedelta(hours=ended),
                    **shared,
                )
                message.save(update_fields=["turn"])
        for place, (is_revoked, expires, up_to) in enumerate(links):
            ShareLink.objects.create(
                token_hash=bytes([place]) * 32,
                hint="abcd",
                created_by=owner,
                up_to_number=up_to,
                shared_at=now,
                expires_at=now + timedelta(hours=expires) if expires else None,
                revoked_at=now if is_revoked else None,
                **shared,
            )
        in_force = set(selectors.links_in_force().values_list("pk", flat=True))
        for link in ShareLink.objects.select_related("conversation").filter(conversation=conversation):
            assert (link.pk in in_force) == policies.is_link_in_force(link, conversation)
            shown = set(selectors.shown_by(link).values_list("pk", flat=True))
            for message in selectors.messages().filter(conversation=conversation):
                assert (message.pk in shown) == policies.is_shown_by(link, message)
        transaction.set_rollback(True)
