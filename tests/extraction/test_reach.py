"""SQL and Python agree on who sees a collection: for random roles, teams, denials, names and keys."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts import selectors as accounts
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
)
from apps.core.errors import NotFound
from apps.core.ids import uuid7
from apps.extraction import policies, reach, selectors
from apps.extraction.models import Collection, CollectionReader, CollectionSchema, ExtractionRun, Proposal, Record
from apps.extraction.types import Visibility
from tests.accounts.factories import OrganizationFactory, UserFactory, actor_of

pytestmark = pytest.mark.django_db
PEOPLE, TEAMS, COLLECTIONS = 4, 2, 3


@st.composite
def plans(draw):
    """What is drawn: plain values, so that a failing example can be read and shrunk."""
    person, team = st.integers(0, PEOPLE - 1), st.integers(0, TEAMS - 1)
    who = st.one_of(st.tuples(st.just("user"), person), st.tuples(st.just("team"), team))
    return {
        "members": draw(st.lists(st.sampled_from([None, *OrganizationRole.values]), min_size=PEOPLE, max_size=PEOPLE)),
        "access": draw(st.sampled_from(ProjectAccess.values)),
        "is_project_gone": draw(st.sampled_from([False, False, False, True])),
        "roles": draw(st.dictionaries(person, st.sampled_from(ProjectRole.values), max_size=3)),
        "team_roles": draw(st.dictionaries(team, st.sampled_from(ProjectRole.values), max_size=2)),
        "teams": draw(st.sets(st.tuples(team, person), max_size=5)),
        "deleted_team": draw(st.sampled_from([None, None, 1])),
        "visibility": draw(st.lists(st.sampled_from(Visibility.values), min_size=COLLECTIONS, max_size=COLLECTIONS)),
        "deleted": draw(st.sets(st.integers(0, COLLECTIONS - 1), max_size=1)),
        "readers": draw(st.sets(st.tuples(st.integers(0, COLLECTIONS - 1), who), max_size=5)),
        "denials": draw(st.dictionaries(who, st.sampled_from(Permission.values), max_size=2)),
    }


class World:
    def __init__(self, plan):
        now = timezone.now()
        organization = self.organization = OrganizationFactory()
        own = {"organization": organization}
        self.people = [UserFactory(password=None) for _each in range(PEOPLE)]
        OrganizationMember.objects.bulk_create(
            OrganizationMember(user=user, role=role, **own)
            for user, role in zip(self.people, plan["members"], strict=True)
            if role
        )
        self.teams = Team.objects.bulk_create(
            Team(name=f"T{n}", deleted_at=now if n == plan["deleted_team"] else None, **own) for n in range(TEAMS)
        )
        TeamMember.objects.bulk_create(
            TeamMember(team=self.teams[team], user=self.people[person], **own) for team, person in plan["teams"]
        )
        gone = now if plan["is_project_gone"] else None
        project = self.project = Project.objects.create(name="P", access=plan["access"], deleted_at=gone, **own)
        ProjectMember.objects.bulk_create(
            ProjectMember(project=project, user=self.people[n], role=role, **own) for n, role in plan["roles"].items()
        )
        ProjectTeam.objects.bulk_create(
            ProjectTeam(project=project, team=self.teams[n], role=role, **own) for n, role in plan["team_roles"].items()
        )
        self.collections = Collection.objects.bulk_create(
            Collection(
                project=project,
                slug=f"c{n}",
                name=f"C{n}",
                visibility=visibility,
                deleted_at=now if n in plan["deleted"] else None,
                **own,
            )
            for n, visibility in enumerate(plan["visibility"])
        )
        for each in self.collections:
            CollectionSchema.objects.create(collection=each, number=1, document={"type": "object"}, **own)
        CollectionReader.objects.bulk_create(
            CollectionReader(collection=self.collections[n], **self.who(named), **own) for n, named in plan["readers"]
        )
        for named, permission in plan["denials"].items():
            Denial.objects.create(project=project, permission=permission, **self.who(named), **own)
        self.records = Record.objects.bulk_create(
            Record(id=uuid7(), collection=each, project=project, schema_number=1, title=each.name, **own)
            for each in self.collections
        )
        self.run = ExtractionRun.objects.create(
            project=project, collections=[each.pk for each in self.collections], status="completed", **own
        )
        self.proposals = Proposal.objects.bulk_create(
            Proposal(run=self.run, project=project, collection=each, number=n, entity_id=str(n), **own)
            for n, each in enumerate(self.collections)
        )

    def who(self, named):
        kind, place = named
        return {"user": self.people[place]} if kind == "user" else {"team": self.teams[place]}

    def actors(self):
        people = [actor_of(user) for user in self.people]
        keys = [
            replace(
                people[n],
                kind=ActorKind.KEY,
                key_id=uuid4(),
                organization_id=self.organization.pk,
                project_id=self.project.pk if n % 2 else None,
                scopes=scopes,
            )
            for n, scopes in enumerate(
                [
                    frozenset({"records:read"}),
                    frozenset({"records:write"}),
                    frozenset(),
                    frozenset({"conversations:read"}),
                ]
            )
        ]
        stranger = replace(people[0], kind=ActorKind.KEY, organization_id=uuid4())
        return [*people, *keys, stranger, Actor(kind=ActorKind.SHARE_LINK), SYSTEM, NOBODY]

    def is_named(self, actor, collection):
        """What the rows say, in the plainest Python."""
        alive = {team.pk for team in self.teams if team.deleted_at is None}
        teams = {row.team_id for row in TeamMember.objects.filter(user=actor.user_id)} & alive
        rows = CollectionReader.objects.filter(collection=collection)
        return actor.user_id is not None and any(row.user_id == actor.user_id or row.team_id in teams for row in rows)


def is_found(collection, actor):
    try:
        selectors.get_collection(collection_id=collection.pk, viewer=actor)
    except NotFound:
        return False
    return True


@pytest.mark.timeout(300)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans())
def test_collections_reached_are_those_the_policy_lets_see(plan):
    with transaction.atomic():
        world = World(plan)
        for actor in world.actors():
            role = accounts.project_role(actor, world.project.pk)
            seen = set(reach.collections(actor, with_deleted=True).values_list("pk", flat=True))
            records = set(selectors.visible_to(actor).values_list("collection_id", flat=True))
            suggested = set(selectors.visible_proposals(actor).values_list("collection_id", flat=True))
            allowed = set()
            for row in world.collections:
                is_named = world.is_named(actor, row)
                can_see = policies.can_see_collection(actor, row, role, is_named=is_named)
                is_there = can_see and row.deleted_at is None
                allowed |= {row.pk} if can_see else set()
                assert (row.pk in seen) == can_see, (actor, row.visibility, role, is_named)
                assert (row.pk in records, row.pk in suggested) == (is_there, is_there), (actor, row.visibility)
                assert is_found(row, actor) == is_there, (actor, row.visibility)
                assert reach.is_named(actor, row) == is_named, actor
            run = selectors.visible_runs(actor).first()
            assert (run is not None) == bool(allowed), (actor, allowed)
            if run is not None:
                assert run.sees_all == (len(allowed) == COLLECTIONS), (actor, allowed)
        transaction.set_rollback(True)
