"""Who is named to see a collection: by whom, how it ends, what is kept of it, and what operations do when it ends meanwhile."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts import audit
from apps.accounts.models import AuditEntry, OrganizationMember, TeamMember, User
from apps.accounts.services import organizations
from apps.accounts.types import ProjectRole
from apps.bulk import engine
from apps.bulk.models import Item
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.eventlog.consumers import logged
from apps.core.models import Event
from apps.extraction import reader_selectors, selectors, services
from apps.extraction.erasers import _erase_person, _rows_of
from apps.extraction.models import Collection, CollectionReader, Record
from apps.extraction.types import TooManyReaders
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    deny,
    key_of,
    member_of,
    reader_of,
    team_of,
)
from tests.bulk.factories import fresh, planned
from tests.extraction.factories import PLACES, places, record
from tests.files.factories import upload

pytestmark = pytest.mark.django_db
JSON = {"content_type": "application/json"}


@pytest.fixture
def editor(project):
    user = member_of(project)
    add_to_project(user, project, role=ProjectRole.EDITOR)
    return actor_of(user)


@pytest.fixture
def closed(me, project):
    """Nobody is named yet: only managers see it."""
    made = places(me, project)
    return services.change_collection(actor=me, collection_id=made.pk, changes={"visibility": "named"})


def sees(actor, collection):
    try:
        selectors.get_collection(collection_id=collection.pk, viewer=actor)
    except NotFound:
        return False
    return True


def test_named_person_sees_it_until_they_are_named_no_more(me, project, editor, closed):
    assert (sees(me, closed), sees(editor, closed)) == (True, False)

    reader = services.name_reader(actor=me, collection_id=closed.pk, user_id=editor.user_id)
    assert services.name_reader(actor=me, collection_id=closed.pk, user_id=editor.user_id).pk == reader.pk
    made = record(editor, closed, name="Alfama")
    assert sees(editor, closed)

    services.remove_reader(actor=me, collection_id=closed.pk, reader_id=reader.pk)
    assert not sees(editor, closed)
    with pytest.raises(NotFound):
        services.change_record(actor=editor, record_id=made.pk, changes={"name": "Belém"})
    with pytest.raises(NotFound):
        services.remove_reader(actor=me, collection_id=closed.pk, reader_id=reader.pk)


def test_team_that_is_named_is_its_people_of_now(me, project, editor, closed):
    team = team_of(project.organization)
    services.name_reader(actor=me, collection_id=closed.pk, team_id=team.pk)
    assert not sees(editor, closed)

    place = TeamMember.objects.create(organization=project.organization, team=team, user_id=editor.user_id)
    assert sees(editor, closed)
    place.delete()
    assert not sees(editor, closed)


def test_name_gives_no_right_that_the_project_does_not(me, project, closed):
    reader = reader_of(project)
    services.name_reader(actor=me, collection_id=closed.pk, user_id=reader.pk)

    assert sees(actor_of(reader), closed)
    with pytest.raises(Forbidden):
        record(actor_of(reader), closed, name="Alfama")
    deny(reader, project)
    assert not sees(actor_of(reader), closed)


def test_managers_name_who_sees_the_project_and_nobody_else(me, project, editor, closed, monkeypatch):
    stranger, elsewhere = UserFactory(), team_of(ProjectFactory().organization)
    before = CollectionReader.objects.count()
    services.name_reader(actor=me, collection_id=closed.pk, user_id=editor.user_id)

    for who in ({"user_id": stranger.pk}, {"team_id": elsewhere.pk}):
        with pytest.raises(NotFound):
            services.name_reader(actor=me, collection_id=closed.pk, **who)
    for who in ({}, {"user_id": editor.user_id, "team_id": elsewhere.pk}):
        with pytest.raises(Invalid):
            services.name_reader(actor=me, collection_id=closed.pk, **who)
    with pytest.raises(Forbidden):
        services.name_reader(actor=editor, collection_id=closed.pk, user_id=editor.user_id)
    with pytest.raises(Forbidden):
        services.change_collection(actor=editor, collection_id=closed.pk, changes={"visibility": "project"})
    monkeypatch.setattr("apps.extraction.services.readers.MAX_READERS_A_COLLECTION", 1)
    with pytest.raises(TooManyReaders):
        services.name_reader(actor=me, collection_id=closed.pk, user_id=member_of(project).pk)

    assert CollectionReader.objects.count() == before + 1


def test_what_changes_who_sees_it_is_in_the_log_and_audited(me, project, editor, closed):
    reader = services.name_reader(actor=me, collection_id=closed.pk, user_id=editor.user_id)
    services.remove_reader(actor=me, collection_id=closed.pk, reader_id=reader.pk)
    services.change_collection(actor=me, collection_id=closed.pk, changes={"visibility": "project"})
    services.change_collection(actor=me, collection_id=closed.pk, changes={"visibility": "project"})

    kinds = ["privacy_changed", "reader_named", "reader_removed", "privacy_changed"]
    found = Event.objects.filter(type__regex="privacy|reader").order_by("pk")
    assert [row.type.removeprefix("extraction.collection_") for row in found] == kinds
    assert found[1].payload == {"collection_id": str(closed.pk), "user_id": str(editor.user_id), "team_id": None}
    assert [found[n].payload["after"] for n in (0, 3)] == ["named", "project"]
    for row in found:
        audit.record(logged(row))
    assert AuditEntry.objects.count() == 4


def test_new_collection_is_closed_from_its_beginning(api, project, editor):
    answer = api.post(
        "/api/v1/collections/",
        {"project": str(project.pk), "name": "Secrets", "document": {"type": "object"}, "visibility": "named"},
        **JSON,
    )

    assert (answer.status_code, answer.json()["visibility"]) == (201, "named")
    assert not sees(editor, Collection.objects.get(pk=answer.json()["id"]))


def test_readers_over_the_api(api, me, project, editor, closed, django_assert_max_num_queries):
    address = f"/api/v1/collections/{closed.pk}/readers/"
    team = team_of(project.organization, name="Support")

    named = api.post(address, {"user": str(editor.user_id)}, **JSON)
    teams = api.post(address, {"team": str(team.pk)}, **JSON)
    assert (named.status_code, teams.status_code) == (201, 201)
    assert named.json()["user"]["id"] == str(editor.user_id)
    assert (teams.json()["team"], teams.json()["user"]) == ({"id": str(team.pk), "name": "Support"}, None)
    assert api.post(address, {"user": str(editor.user_id), "team": str(team.pk)}, **JSON).status_code == 400
    with django_assert_max_num_queries(6):
        listed = api.get(address).json()["results"]
    assert [row["id"] for row in listed] == [teams.json()["id"], named.json()["id"]]
    of_editor = Client(headers=bearer(key_of(User.objects.get(pk=editor.user_id), project.organization)))
    assert of_editor.get(address).status_code == 403
    assert api.delete(f"{address}{named.json()['id']}/").status_code == 204
    assert of_editor.get(address).status_code == 404
    assert api.patch(f"/api/v1/collections/{closed.pk}/", {"visibility": "project"}, **JSON).status_code == 200
    assert of_editor.get(address).status_code == 403


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_of_readers_asks_the_same_whatever_its_length(count, api, me, project, closed, django_assert_num_queries):
    for _each in range(count):
        services.name_reader(actor=me, collection_id=closed.pk, user_id=member_of(project).pk)
    address = f"/api/v1/collections/{closed.pk}/readers/"
    api.get(address)

    with django_assert_num_queries(4):
        assert len(api.get(address).json()["results"]) == count


def test_page_closes_a_collection_and_names_people_and_teams(me, owner, project, editor):
    made, team = places(me, project), team_of(project.organization, name="Support")
    client = Client()
    client.force_login(owner)
    address = reverse("extraction:access", kwargs={"collection_id": made.pk})

    client.post(address, {"act": "see", "visibility": "named"})
    client.post(address, {"act": "name", "who": f"user:{editor.user_id}"})
    client.post(address, {"act": "name", "who": f"team:{team.pk}"})
    page = client.get(address).content.decode()

    assert Collection.objects.get(pk=made.pk).visibility == "named"
    assert "Support" in page
    assert set(CollectionReader.objects.values_list("user_id", "team_id")) == {(editor.user_id, None), (None, team.pk)}
    assert "Only who is named" in client.get(f"/records/{made.pk}/").content.decode()
    for row in reader_selectors.list_readers(made):
        client.post(address, {"act": "remove", "reader": str(row.pk)})
    assert not CollectionReader.objects.exists()
    for body in ({"act": "name", "who": "x"}, {"act": "remove"}, {"act": "no"}):
        assert client.post(address, body).status_code == 404
    of_editor = Client()
    of_editor.force_login(User.objects.get(pk=editor.user_id))
    client.post(address, {"act": "see", "visibility": "project"})
    assert of_editor.get(address).status_code == 403


def test_name_goes_with_a_person_who_leaves_or_is_erased(me, owner, project, editor, closed):
    other = member_of(project)
    for user_id in (editor.user_id, other.pk):
        services.name_reader(actor=me, collection_id=closed.pk, user_id=user_id)
    assert [row["collection_id"] for row in _rows_of(other.pk)["collections_named_for"]] == [closed.pk]
    assert reader_selectors.count_named(project.organization_id) == {editor.user_id: 1, other.pk: 1}

    member = OrganizationMember.objects.get(user=editor.user_id)
    organizations.remove_member(actor=me, member_id=member.pk)
    assert list(CollectionReader.objects.values_list("user_id", flat=True)) == [other.pk]
    assert _erase_person(other.pk) == 1
    assert not CollectionReader.objects.exists()


# Operations: rights are asked again when items run


@pytest.mark.parametrize(
    "kind",
    ["records.update", "records.delete", "records.import", "records.export", "records.render", "records.migrate"],
)
def test_operation_of_who_is_named_no_more_touches_nothing(kind, me, owner, project, editor, closed):
    reader = services.name_reader(actor=me, collection_id=closed.pk, user_id=editor.user_id)
    made = record(me, closed, name="Alfama")
    if kind == "records.migrate":
        wider = {"type": "object", "properties": {**PLACES["properties"], "river": {"type": "string"}}}
        services.change_collection(actor=me, collection_id=closed.pk, changes={"document": wider})
    person = User.objects.get(pk=editor.user_id)
    more = {
        "records.update": lambda: {"ids": [str(made.pk)], "data": {"name": "Belém"}},
        "records.delete": lambda: {"ids": [str(made.pk)]},
        "records.import": lambda: {"attachment": str(upload(person, project, b"Name\nBairro Alto\n", "p.csv").pk)},
        "records.export": dict,
        "records.render": lambda: {
            "template": str(
                services.make_template(actor=me, collection_id=closed.pk, name="Sheet", source="{{ record.name }}").pk
            ),
            "as": "markdown",
        },
        "records.migrate": dict,
    }[kind]()
    operation = planned(editor, project, kind, collection=str(closed.pk), **more)
    assert (fresh(operation).total, fresh(operation).status) == (1, "running")
    services.remove_reader(actor=me, collection_id=closed.pk, reader_id=reader.pk)

    engine.run_all()

    item = Item.objects.get(operation=operation)
    assert (item.status, item.result) in [("failed", {}), ("skipped", {"skipped": "gone"})], item.error_code
    assert list(Record.objects.values_list("title", "deleted_at")) == [(made.title, None)]


def test_operation_on_what_one_does_not_see_is_refused(project, editor, closed):
    with pytest.raises(Invalid) as refused:
        planned(editor, project, "records.delete", collection=str(closed.pk))

    assert [each.code for each in refused.value.fields] == ["unknown_collection"]


def test_review_of_access_counts_names(me, project, editor, closed):
    team = team_of(project.organization, User.objects.get(pk=editor.user_id))
    services.name_reader(actor=me, collection_id=closed.pk, team_id=team.pk)

    assert reader_selectors.count_named(project.organization_id) == {editor.user_id: 1}
