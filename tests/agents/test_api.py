"""Agents over JSON: managers change them, everyone in the project sees them, nobody else knows of them."""

import pytest
from django.test import Client

from apps.accounts.types import OrganizationRole
from apps.agents.models import Agent
from apps.core.models import Event
from tests.accounts.factories import OrganizationFactory, ProjectFactory, UserFactory, bearer, join, key_of, member_of
from tests.llm.factories import ModelFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/agents/"


def client_of(user, project, **options):
    return Client(headers=bearer(key_of(user, project.organization, **options)))


def create(api, project, name="Noir", **fields):
    return api.post(URL, {"project": str(project.pk), "name": name, **fields}, content_type="application/json")


def change(api, pk, headers=None, **fields):
    return api.patch(f"{URL}{pk}/", fields, content_type="application/json", headers=headers or {})


def defaults(project):
    return list(Agent.objects.filter(project=project, is_default=True).values_list("name", flat=True))


def test_first_agent_of_a_project_is_its_default_and_the_next_is_not(api, project):
    first = create(api, project, "Noir", parameters={"temperature": 0.2})
    second = create(api, project, "Proof")

    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.json()["is_default"], second.json()["is_default"]) == (True, False)
    assert first.json()["parameters"] == {"temperature": 0.2}
    assert first["ETag"] == '"1"'
    assert list(Event.objects.order_by("topic_position").values_list("type", flat=True)) == ["agents.agent_created"] * 2


def test_default_moves_and_never_goes(api, project):
    first, second = create(api, project, "Noir").json(), create(api, project, "Proof").json()

    moved = change(api, second["id"], is_default=True)
    taken_away = change(api, second["id"], is_default=False)
    archived = api.delete(f"{URL}{second['id']}/")

    assert moved.json()["is_default"] is True
    assert (taken_away.status_code, taken_away.json()["code"]) == (409, "default_agent_needed")
    assert (archived.status_code, archived.json()["code"]) == (409, "default_agent_needed")
    assert defaults(project) == ["Proof"]
    assert Agent.objects.get(pk=first["id"]).archived_at is None


def test_new_default_takes_the_place_of_the_old_one(api, project):
    create(api, project, "Noir")

    create(api, project, "Proof", is_default=True)

    assert defaults(project) == ["Proof"]


def test_archived_agent_is_gone_and_its_name_is_free_again(api, project):
    create(api, project, "Noir")
    second = create(api, project, "Proof").json()

    assert api.delete(f"{URL}{second['id']}/").status_code == 204

    assert api.get(f"{URL}{second['id']}/").status_code == 404
    assert [row["name"] for row in api.get(URL).json()["results"]] == ["Noir"]
    assert create(api, project, "Proof").status_code == 201
    assert Event.objects.filter(type="agents.agent_archived").count() == 1


def test_name_is_taken_whatever_its_case(api, project):
    create(api, project, "Noir")

    refused = create(api, project, "NOIR")

    assert (refused.status_code, refused.json()["code"]) == (409, "agent_name_taken")
    assert Agent.objects.count() == 1
    assert create(api, ProjectFactory(organization=project.organization), "Noir").status_code == 201


def test_change_asks_for_the_version_it_was_made_from(api, project):
    made = create(api, project).json()
    changed = change(api, made["id"], {"If-Match": '"1"'}, instructions="Be brief.")

    late = change(api, made["id"], {"If-Match": '"1"'}, instructions="Be long.")

    assert (changed.status_code, changed["ETag"]) == (200, '"2"')
    assert (late.status_code, late.json()["current"]) == (412, 2)
    assert Agent.objects.get().instructions == "Be brief."


@pytest.mark.parametrize(
    "parameters", [{"temperature": 3}, {"top_p": -1}, {"max_output_tokens": 0}, {"seed": 7}, {"temperature": "hot"}]
)
def test_parameters_out_of_range_or_unknown_are_refused(api, project, parameters):
    refused = create(api, project, parameters=parameters)

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"].startswith("parameters")
    assert not Agent.objects.exists()


def test_model_is_one_of_the_organization(api, project):
    ours, theirs = ModelFactory(organization=project.organization), ModelFactory()

    made = create(api, project, model=ours.name)
    refused = create(api, project, "Proof", model=str(theirs.pk))

    assert made.json()["model"] == str(ours.pk)
    assert refused.status_code in {400, 404}
    assert Agent.objects.count() == 1
    assert change(api, made.json()["id"], model="").json()["model"] is None


def test_members_see_agents_and_do_not_change_them(api, project):
    made = create(api, project).json()
    reader = client_of(member_of(project), project)

    assert reader.get(f"{URL}{made['id']}/").json()["name"] == "Noir"
    assert create(reader, project, "Mine").status_code == 403
    assert change(reader, made["id"], name="Mine").status_code == 403
    assert reader.delete(f"{URL}{made['id']}/").status_code == 403
    assert list(Agent.objects.values_list("name", "version")) == [("Noir", 1)]


def test_key_without_the_scope_changes_nothing(owner, project):
    assert create(client_of(owner, project, scopes=("conversations:write",)), project).status_code == 403
    assert not Agent.objects.exists()


def test_stranger_finds_nothing(api, project):
    made = create(api, project).json()
    other = ProjectFactory(owner=UserFactory())
    stranger = client_of(member_of(other, role=OrganizationRole.OWNER), other)

    answers = [
        stranger.get(f"{URL}{made['id']}/"),
        change(stranger, made["id"], name="Mine"),
        stranger.delete(f"{URL}{made['id']}/"),
        create(stranger, project, "Mine"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(URL, {"project": str(project.pk)}).json()["results"] == []
    assert list(Agent.objects.values_list("name", "version")) == [("Noir", 1)]


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_list_takes_at_most_six_queries(api, project, rows, django_assert_max_num_queries):
    join(UserFactory(), OrganizationFactory())
    member_of(project)
    elsewhere = ProjectFactory()
    for number in range(rows):
        for where in (project, elsewhere):
            model = ModelFactory(organization=where.organization)
            Agent.objects.create(organization=where.organization, project=where, name=f"Agent {number}", model=model)

    with django_assert_max_num_queries(6):
        answer = api.get(URL, {"limit": 100})

    assert len(answer.json()["results"]) == rows
