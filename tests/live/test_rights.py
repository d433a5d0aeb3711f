"""Rights that are taken away end what follows with them at once: services, log, consumer, Redis, hub and socket."""

import asyncio

import pytest
from django.utils.functional import SimpleLazyObject

from apps.accounts import actors
from apps.accounts.services import denials, keys, organizations, projects, sessions, teams
from apps.accounts.types import ProjectAccess, ProjectRole, SessionEnd, SessionKind
from apps.core import coordinator
from apps.core.db import in_thread
from apps.core.doors.consumers import consumers
from apps.core.errors import NotFound
from apps.core.eventlog import consumers as running
from apps.core.eventlog import sequencer
from apps.live import bells, lobby, sse
from apps.live.hub import hub
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    give_team,
    join,
    member_of,
    team_of,
)
from tests.conversations.factories import start
from tests.live.test_subscription import Page

pytestmark = pytest.mark.django_db(transaction=True)

#: Far less than the looks that come without a bell (four and five seconds).
AT_ONCE = 2.0


class World:
    def __init__(self):
        self.owner = UserFactory()
        self.project = ProjectFactory(owner=self.owner)
        self.reader = member_of(self.project)
        self.topic = f"conversation:{start(actor_of(self.owner), self.project).pk}"
        running.ensure_cursor(consumers.get("live.rights"))

    @property
    def actor(self):
        return actor_of(self.owner)


@pytest.fixture
async def world():
    return await in_thread(World)


def hand_out():
    """What the coordinator does all the time."""
    with coordinator.own_connection() as own:
        sequencer.sequence(own)
    running.run_ordered(consumers.get("live.rights"))


async def following(world, user):
    page = Page(world.topic)
    page.actor = actor_of(user)
    assert await page.connect()
    return page


async def is_told_to_go(page, topic):
    await page.until(lambda: page.reader.errors, AT_ONCE)
    return page.frames[-1]["code"] == "not_found" and page.frames[-1]["topic"] == topic


async def test_one_who_loses_the_project_hears_nothing_more(world):
    await in_thread(
        projects.change_project, actor=world.actor, project_id=world.project.pk, access=ProjectAccess.RESTRICTED
    )
    await in_thread(add_to_project, world.reader, world.project)
    page, steady = await following(world, world.reader), await following(world, world.owner)

    await in_thread(
        projects.remove_project_member, actor=world.actor, project_id=world.project.pk, user_id=world.reader.pk
    )
    await in_thread(hand_out)

    assert await is_told_to_go(page, world.topic)
    assert steady.reader.errors == []
    steady.drop()


async def test_closing_a_project_to_its_organization_ends_all_who_follow_through_it(world):
    page, steady = await following(world, world.reader), await following(world, world.owner)

    await in_thread(
        projects.change_project, actor=world.actor, project_id=world.project.pk, access=ProjectAccess.RESTRICTED
    )
    await in_thread(hand_out)

    assert await is_told_to_go(page, world.topic)
    assert steady.reader.errors == []
    steady.drop()


async def test_one_who_leaves_the_organization_hears_nothing_more(world):
    page = await following(world, world.reader)
    member = await in_thread(join, world.reader, world.project.organization)

    await in_thread(organizations.remove_member, actor=world.actor, member_id=member.pk)
    await in_thread(hand_out)

    assert await is_told_to_go(page, world.topic)
    assert world.topic not in hub().feeds


@pytest.mark.parametrize("whom", ["person", "team"])
async def test_one_who_is_denied_hears_nothing_more(world, whom):
    team = await in_thread(team_of, world.project.organization, world.reader)
    page, steady = await following(world, world.reader), await following(world, world.owner)

    await in_thread(
        denials.deny,
        actor=world.actor,
        organization_id=world.project.organization_id,
        **({"user_id": world.reader.pk} if whom == "person" else {"team_id": team.pk}),
    )
    await in_thread(hand_out)

    assert await is_told_to_go(page, world.topic)
    assert steady.reader.errors == []
    steady.drop()


@pytest.mark.parametrize("how", ["leaves the team", "team is deleted", "team leaves the project"])
async def test_one_who_came_in_by_a_team_goes_with_it(world, how):
    await in_thread(
        projects.change_project, actor=world.actor, project_id=world.project.pk, access=ProjectAccess.RESTRICTED
    )
    team = await in_thread(team_of, world.project.organization, world.reader)
    await in_thread(give_team, team, world.project)
    page = await following(world, world.reader)

    ids = {
        "leaves the team": {"team_id": team.pk, "user_id": world.reader.pk},
        "team is deleted": {"team_id": team.pk},
        "team leaves the project": {"team_id": team.pk, "project_id": world.project.pk},
    }[how]
    service = {
        "leaves the team": teams.remove_team_member,
        "team is deleted": teams.delete_team,
        "team leaves the project": teams.remove_project_team,
    }[how]
    await in_thread(service, actor=world.actor, **ids)
    await in_thread(hand_out)

    assert await is_told_to_go(page, world.topic)


async def test_role_that_still_reads_goes_on_reading(world):
    page = await following(world, world.reader)

    await in_thread(
        projects.set_project_member,
        actor=world.actor,
        project_id=world.project.pk,
        user_id=world.reader.pk,
        role=ProjectRole.VIEWER,
    )
    await in_thread(hand_out)
    await asyncio.sleep(0.3)

    assert page.reader.errors == []
    page.drop()


async def test_ended_session_and_revoked_key_close_their_sockets_at_once(world):
    here = lobby.lobby()
    session = await in_thread(
        sessions.begin_session,
        user=world.reader,
        kind=SessionKind.TOKEN,
    )
    made = await in_thread(
        keys.make_api_key, actor=world.actor, organization_id=world.project.organization_id, name="Program"
    )
    by_session, by_key, steady = (Page(world.topic) for _ in range(3))
    by_session.actor = actors.member(world.reader, session=session)
    by_key.actor = await in_thread(actors.actor_for, authorization=f"Bearer {made.token}")
    steady.actor = world.actor
    for page in (by_session, by_key, steady):
        await page.connect()
        here.enter(page.socket)
    await asyncio.wait_for(hub()._is_connected.wait(), 5)

    await in_thread(sessions.end_all_sessions, user_id=world.reader.pk, reason=SessionEnd.RIGHTS)
    await in_thread(keys.revoke_api_key, actor=world.actor, key_id=made.key.pk)
    await in_thread(hand_out)

    await by_session.until(lambda: by_session.closed == [4401], AT_ONCE)
    await by_key.until(lambda: by_key.closed == [4401], AT_ONCE)
    assert steady.closed == []


async def renewed_at_once(world, key):
    await in_thread(keys.renew_api_key, actor=world.actor, key_id=key.pk)


async def closed_to_the_network(world, key):
    await in_thread(keys.change_api_key, actor=world.actor, key_id=key.pk, allowed_networks=["192.0.2.0/24"])


@pytest.mark.parametrize("change", [renewed_at_once, closed_to_the_network])
async def test_key_that_was_renewed_or_narrowed_closes_the_sockets_of_before(world, change):
    here = lobby.lobby()
    made = await in_thread(
        keys.make_api_key, actor=world.actor, organization_id=world.project.organization_id, name="Program"
    )
    before = Page(world.topic)
    before.actor = await in_thread(actors.actor_for, authorization=f"Bearer {made.token}", address="198.51.100.7")
    await before.connect()
    here.enter(before.socket)
    await asyncio.wait_for(hub()._is_connected.wait(), 5)

    await change(world, made.key)
    await in_thread(hand_out)

    await before.until(lambda: before.closed == [4401], AT_ONCE)


async def test_bell_during_a_look_is_not_lost(world):
    """The look that was under way saw the rights of before."""
    page = await following(world, world.reader)
    feed = hub().feeds[world.topic]
    looked = asyncio.Event()
    real, rounds = feed._look, []

    def slow(*args):
        found = real(*args)
        rounds.append(found)
        if len(rounds) == 1:
            projects.change_project(actor=world.actor, project_id=world.project.pk, access=ProjectAccess.RESTRICTED)
            feed._loop.call_soon_threadsafe(feed.forget_rights)
            feed._loop.call_soon_threadsafe(looked.set)
        return found

    feed._look = slow
    await asyncio.to_thread(bells.rights_changed, world.topic)
    await asyncio.wait_for(looked.wait(), AT_ONCE)

    assert await is_told_to_go(page, world.topic)


def test_stream_of_events_ends_once_its_key_may_do_something_else():
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    made = keys.make_api_key(actor=actor_of(owner), organization_id=project.organization_id, name="Reader")
    viewer = SimpleLazyObject(lambda: actors.actor_for(authorization=f"Bearer {made.token}"))
    row = sse.TurnRow("running", {}, {})

    assert sse._look(viewer, lambda: row) is row
    keys.change_api_key(actor=actor_of(owner), key_id=made.key.pk, name="Another name")
    assert sse._look(viewer, lambda: row) is row
    keys.change_api_key(actor=actor_of(owner), key_id=made.key.pk, scopes=["models:read"])

    with pytest.raises(NotFound):
        sse._look(viewer, lambda: row)
