"""Names in words that mean a record which is there: found as long as they mean one, and kept where they do not."""

import pytest

from apps.extraction import services, targets
from apps.extraction.models import ExtractionRun, Proposal
from tests.accounts.factories import UserFactory, actor_of
from tests.conversations.factories import say, start
from tests.extraction.factories import people, read_as, record

pytestmark = pytest.mark.django_db

ANA = {"collection": "people", "id": "e1", "fields": {"name": "Ana"}}


@pytest.fixture
def collection(me, project):
    made = people(me, project)
    for name in (
        "Sarah Almeida",
        "Tomás",
        "Tomás Rocha",
        "Rui One",
        "Rui Two",
        "Łódź-Strauß",
        "Gone Girl",
        "Twin",
        "twin",
    ):
        record(me, made, name=name)
    services.delete_record(
        actor=me, record_id=targets.find_by_title(me, project_id=project.pk, slug="people", title="Gone Girl")
    )
    return made


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Sarah Almeida", "Sarah Almeida"),
        ("sarah", "Sarah Almeida"),
        ("ALMEIDA  Sarah", "Sarah Almeida"),
        ("Sar", None),
        ("Sarah Silva", None),
        ("Tomas", "Tomás"),
        ("rocha", "Tomás Rocha"),
        ("Rui", None),
        ("Rui Two", "Rui Two"),
        ("Twin", None),
        ("lodz-strauss", "Łódź-Strauß"),
        ("Gone", None),
        ("—", None),
        ("", None),
        (".*", None),
        ("Sarah " * 100, None),
    ],
)
def test_name_means_the_only_record_that_has_it(me, project, collection, name, title):
    found = targets.find_named(me, project_id=project.pk, names=[("people", name), ("places", name), ("ships", name)])

    assert {key: one.title for key, one in found.items()} == ({("people", name): title} if title else {})
    assert targets.find_named(actor_of(UserFactory()), project_id=project.pk, names=[("people", name)]) == {}


def test_many_names_are_two_queries(me, project, collection, django_assert_num_queries):
    names = [("people", name) for name in ("Sarah", "Tomás", "Rui", *map(str, range(30)))]
    targets.find_named(me, project_id=project.pk, names=names)

    with django_assert_num_queries(2):
        found = targets.find_named(me, project_id=project.pk, names=names)

    assert sorted(one.title for one in found.values()) == ["Sarah Almeida", "Tomás"]


def test_card_says_whom_a_name_means_and_what_it_links_to_nothing(browser, me, project, collection):
    links = [
        {"from": "e1", "field": "siblings", "to": "Sarah"},
        {"from": "e1", "field": "siblings", "to": "Rui"},
        {"from": "e1", "field": "lives_in", "to": "Lisboa"},
    ]
    run = read_as(me, project, ANA, links=links, message_id=say(me, start(me, project), "Ana of Lisboa").message.pk)
    address, ana = f"/review/proposals/{Proposal.objects.get().pk}/", Proposal.objects.get()

    before = browser.get(address).content.decode()
    made = services.accept_proposal(actor=me, proposal_id=ana.pk)

    sarah = targets.find_by_title(me, project_id=project.pk, slug="people", title="Sarah Almeida")
    lost = [("Rui", "no_record", "/siblings", "e1"), ("Lisboa", "no_record", "/lives_in", "e1")]
    kept = ExtractionRun.objects.get(pk=run.pk).unplaced
    assert "<dd>Sarah Almeida<" in before
    assert [f"“{name}” is no record, or could be several" in before for name in ("Sarah", "Rui", "Lisboa")] == [
        False,
        True,
        True,
    ]
    assert made.data == {"name": "Ana", "siblings": [str(sarah)]}
    assert [(each["value"], each["reason"], each["field"], each["entity"]) for each in kept] == lost
    assert "Not one record that is called so, for “lives_in”" in browser.get(f"/review/runs/{run.pk}/").content.decode()


def test_name_that_means_nobody_is_kept_also_where_somebody_was_chosen(me, project, collection):
    links = [{"from": "e1", "field": "siblings", "to": "Rui"}]
    run = read_as(me, project, ANA, links=links, message_id=say(me, start(me, project), "Ana and Rui").message.pk)
    sarah = str(targets.find_by_title(me, project_id=project.pk, slug="people", title="Sarah Almeida"))

    made = services.accept_proposal(actor=me, proposal_id=Proposal.objects.get().pk, changes={"siblings": [sarah]})

    assert made.data["siblings"] == [sarah]
    assert [each["value"] for each in ExtractionRun.objects.get(pk=run.pk).unplaced] == ["Rui"]


def test_name_that_became_a_record_meanwhile_is_linked(me, project, collection):
    links = [{"from": "e1", "field": "lives_in", "to": "Lisboa"}]
    run = read_as(me, project, ANA, links=links, message_id=say(me, start(me, project), "Ana of Lisboa").message.pk)
    city = record(me, type(collection).objects.get(slug="places"), name="Lisboa")

    made = services.accept_proposal(actor=me, proposal_id=Proposal.objects.get().pk)

    assert made.data["lives_in"] == str(city.pk)
    assert ExtractionRun.objects.get(pk=run.pk).unplaced == []
