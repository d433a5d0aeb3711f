"""A collection for who is named: to everybody else of its project it is not there, by whatever way they come."""

import json
import re
from contextlib import contextmanager

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.bulk.models import Item
from apps.conversations import context
from apps.conversations import services as talks
from apps.conversations.types import Ending, Named, TurnStatus
from apps.core.doors.exporters import ExportScope, exporters
from apps.core.doors.search_sources import SearchQuery
from apps.core.doors.topics import TopicEvent, topics
from apps.core.errors import Forbidden, NotFound
from apps.core.ids import uuid7
from apps.extraction import question_selectors, reader_selectors, rendering, selectors, services, wish_selectors
from apps.extraction.models import Collection, ExtractionPart, ExtractionRun, Proposal, Record, RecordLink, Wish
from apps.extraction.pages.cards import below
from apps.extraction.references import RecordReferences
from apps.extraction.search import RecordSearch
from apps.extraction.topics import ExtractionTopic
from apps.extraction.types import RecordInvalid
from apps.llm.types import KnowledgeContent
from tests.accounts.factories import actor_of, add_to_project, bearer, key_of, member_of
from tests.attacks.world import World, call, operations, random_ids, rows, sample
from tests.bulk.factories import planned, ran
from tests.conversations.factories import say, start
from tests.extraction.factories import PLACES, answered, people, read_as, record
from tests.files.factories import upload

pytestmark = pytest.mark.django_db

OURS = {
    *("collection_id", "record_id", "proposal_id", "template_id", "view_id", "comment_id", "follow_up_id", "merge_id"),
    *("run_id", "wish_id", "reader_id"),
}


def close(collection, *people):
    Collection.objects.filter(pk=collection.pk).update(visibility="named")
    manager = SYSTEM
    for each in people:
        services.name_reader(actor=manager, collection_id=collection.pk, user_id=each.user_id)


def editor(project):
    user = member_of(project)
    add_to_project(user, project, role=ProjectRole.EDITOR)
    return actor_of(user)


@pytest.fixture
def named(project):
    return editor(project)


@pytest.fixture
def other(project):
    """An editor of the project whom nobody named."""
    return editor(project)


@pytest.fixture
def places(me, project, named):
    """Closed; people, which point there, are open."""
    made = services.create_collection(
        actor=me, project_id=project.pk, name="Places", document=PLACES, title_template="{name}"
    )
    close(made, named)
    return made


@pytest.fixture
def alfama(named, places):
    return record(named, places, name="Alfama the secret place")


@pytest.fixture
def sarah(me, project, alfama):
    return record(me, people(me, project, title_template="{name}"), name="Sarah", lives_in=str(alfama.pk))


# Every address


def addressed():
    return [each for each in operations() if OURS & set(each.names) or {"collection", "run"} & set(each.query)]


def listing():
    return [each for each in operations() if each.method == "GET" and not each.names]


def told(answer):
    return answer.status_code, {
        name: said for name, said in (answer.json() if answer.content else {}).items() if name != "request_id"
    }


@contextmanager
def undone():
    """One world for many calls: what a call did is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def closed_world():
    world = World(is_shared=True)
    Collection.objects.filter(pk=world.ids["collection_id"]).update(visibility="named")
    return world, world.ids | random_ids({name: pk for name, pk in world.ids.items() if name in OURS})


def test_address_of_what_is_closed_answers_as_for_an_unknown_id():
    world, unknown = closed_world()
    headers, wrong = world.headers["A"], []

    for operation in addressed():
        with undone():
            closed, not_there = call(operation, world.ids, headers), call(operation, unknown, headers)
        is_closed = closed.status_code in {400, 404} or closed.json()["results"] == []
        if not is_closed or told(closed) != told(not_there) or b"ecret" in closed.content:
            wrong.append(f"{operation.id}: {told(closed)} and {told(not_there)}")

    assert wrong == []


def naming():
    """Those whose bodies name something of a collection."""
    names = {name.removesuffix("_id") for name in OURS} | {"winner", "loser", "records", "collections"}
    return [each for each in operations() if each.body and names & set(json_of(each))]


def json_of(operation):
    return set(re.findall(r'"(\w+)":', json.dumps(sample(operation.body, {}, whole=True))))


def test_body_that_names_what_is_closed_is_answered_as_with_an_unknown_id():
    world, unknown = closed_world()
    add_to_project(world.people["A"], world.project, role=ProjectRole.EDITOR)
    open_one = services.create_collection(
        actor=actor_of(world.owner), project_id=world.project.pk, name="Open", document={"type": "object"}
    )
    there = services.create_record(actor=actor_of(world.owner), collection_id=open_one.pk, data={"a": 1})
    reached = world.ids | {"collection_id": open_one.pk, "record_id": there.pk}
    headers, before, wrong = world.headers["A"], rows(), []

    for operation in naming():
        with undone():
            closed, not_there = (
                call(operation, reached, headers, body=sample(operation.body, ids, whole=True))
                for ids in (world.ids, unknown)
            )
            if closed.status_code < 400 or told(closed) != told(not_there) or rows() != before:
                wrong.append(f"{operation.id}: {told(closed)} and {told(not_there)}")

    assert wrong == []


def test_list_of_a_project_names_nothing_that_is_closed():
    world, _unknown = closed_world()
    ours, headers, wrong, shown = [str(world.ids[name]) for name in OURS], world.headers, [], set()

    for operation in listing():
        query = {"project": str(world.ids["project_id"])} if "project" in operation.query else {}
        with undone():
            told_who_manages = call(operation, world.ids, headers["B"], query=query)
            told_a_stranger = call(operation, world.ids, headers["A"], query=query)
        names = [each for each in ours if each in told_a_stranger.content.decode()]
        if names or told_a_stranger.status_code != told_who_manages.status_code:
            wrong.append(f"{operation.id}: {told_a_stranger.status_code}, names {names}")
        if any(each in told_who_manages.content.decode() for each in ours):
            shown.add(operation.id)

    assert wrong == []
    assert {"collections_list", "proposals_list", "extractions_list"} <= shown


@pytest.mark.parametrize("name", ["table", "fields", "access", "add", "export", "templates", "make", "record", "edit"])
def test_page_of_what_is_closed_is_not_there(name, other, alfama, places):
    client = browser_of(other)
    ids = {"record_id": alfama.pk} if name in {"record", "edit"} else {"collection_id": places.pk}

    assert client.get(reverse(f"extraction:{name}", kwargs=ids)).status_code == 404


def browser_of(actor):
    client = Client()
    client.force_login(User.objects.get(pk=actor.user_id))
    return client


# Links both ways


def test_link_into_what_is_closed_shows_no_title(me, other, named, sarah, alfama):
    assert b"Alfama the secret" in browser_of(named).get(f"/record/{sarah.pk}/").content
    for address in (f"/record/{sarah.pk}/", f"/record/{sarah.pk}/edit/", f"/records/{sarah.collection_id}/"):
        page = browser_of(other).get(address)
        assert (page.status_code, b"the secret" in page.content) == (200, False), address
    graph = browser_of(other).get(f"/records/{sarah.collection_id}/?look=graph")
    assert b"the secret" not in graph.content
    assert selectors.titles_of(other, [alfama.pk]) == {}
    assert selectors.titles_of(named, [alfama.pk]) == {str(alfama.pk): "Alfama the secret place"}


def test_link_out_of_what_is_closed_is_not_told(me, project, other, named, places):
    sarah = record(me, people(me, project), name="Sarah")
    secret = people(me, project, name="Secret people", title_template="{name}")
    close(secret, named)
    source = record(named, secret, name="Tomás the secret brother", siblings=[])
    RecordLink.objects.create(
        organization_id=source.organization_id, source=source, field="siblings", position=0, target=sarah
    )

    assert [link.source_id for link in selectors.links_to(sarah, named)] == [source.pk]
    assert list(selectors.links_to(sarah, other)) == []
    assert list(selectors.list_links_of(other, [sarah.pk], limit=10)) == []
    assert b"the secret brother" not in browser_of(other).get(f"/record/{sarah.pk}/").content


def test_who_sees_not_where_a_field_points_changes_the_others_and_makes_no_link_there(other, named, sarah, alfama):
    services.change_record(actor=other, record_id=sarah.pk, changes={"age": 29})
    second = record(named, alfama.collection, name="Belém")

    with pytest.raises(RecordInvalid):
        services.change_record(actor=other, record_id=sarah.pk, changes={"lives_in": str(second.pk)})

    kept = Record.objects.get(pk=sarah.pk)
    assert (kept.data["age"], kept.data["lives_in"]) == (29, str(alfama.pk))
    assert RecordLink.objects.filter(source=sarah, target=alfama).exists()
    services.change_record(actor=named, record_id=sarah.pk, changes={"lives_in": str(second.pk)})


def test_joining_brings_along_who_points_from_where_one_does_not_see(me, project, other, named, places):
    collection = people(me, project)
    winner, loser = record(me, collection, name="Sarah"), record(me, collection, name="Sara", age=28)
    document = {
        "type": "object",
        "properties": {"of": {"type": "string", "format": "uuid", "x-relation": "people"}},
    }
    notes = services.create_collection(actor=me, project_id=project.pk, name="Notes", document=document)
    close(notes, named)
    note = record(named, notes, of=str(loser.pk))

    merge = services.merge_records(actor=other, winner_id=winner.pk, loser_id=loser.pk)

    assert Record.objects.get(pk=note.pk).data == {"of": str(winner.pk)}
    services.undo_merge(actor=other, merge_id=merge.pk)
    assert Record.objects.get(pk=note.pk).data == {"of": str(loser.pk)}
    with pytest.raises(NotFound):
        services.merge_records(actor=other, winner_id=winner.pk, loser_id=note.pk)


# Lists, search, mentions, models


def test_lists_and_search_leave_out_what_is_closed(me, project, other, named, sarah, alfama, places):
    seen = {
        actor: set(selectors.list_collections(actor).values_list("name", flat=True)) for actor in (other, named, me)
    }
    assert seen == {other: {"People"}, named: {"People", "Places"}, me: {"People", "Places"}}
    assert [row.name for row in selectors.list_names(other, project_id=project.pk)] == ["People"]

    found = {actor: [hit.title for hit in RecordSearch().search(actor, asked("secret"))] for actor in (other, named)}
    assert found == {other: [], named: ["Alfama the secret place"]}
    for address in ("/records/", f"/records/{sarah.collection_id}/", "/review/", *SEARCHED):
        assert b"Places" not in browser_of(other).get(address).content, address
        assert b"Alfama the" not in browser_of(other).get(address).content, address
    assert b"Places" in browser_of(named).get(f"/records/{sarah.collection_id}/").content
    for address in SEARCHED:
        assert b"Alfama the" in browser_of(named).get(address).content, address
    api = Client(headers=bearer(key_of(User.objects.get(pk=other.user_id), project.organization)))
    assert api.get("/api/v1/search/?q=secret").json()["results"] == []


SEARCHED = ("/search/?q=secret", "/search/palette/?q=secret")


def asked(text):
    return SearchQuery(text=text, limit=10)


def test_mention_is_offered_and_given_to_models_as_far_as_who_asks_sees(me, project, other, named, sarah, alfama):
    source = RecordReferences()

    for actor, titles in ((other, []), (named, ["Alfama the secret place"])):
        assert [each.title for each in source.suggest(actor, project_id=project.pk, typed="Alf", limit=5)] == titles
        assert [each.title for each in source.find(actor, [alfama.pk]).values()] == titles
    words = source.texts_for_model(other, [sarah.pk, alfama.pk], max_characters=1000)
    assert list(words) == [sarah.pk]
    assert "secret" not in words[sarah.pk][1]
    assert "Alfama the secret" in source.texts_for_model(named, [sarah.pk], max_characters=1000)[sarah.pk][1]


def test_model_is_given_what_who_asks_sees(me, project, other, named, alfama):
    talk = start(named, project)
    said = say(named, talk, "What of #Alfama", references=[Named("record", alfama.pk)])
    given = {actor: _given(actor, talk, said) for actor in (named, other)}

    assert [text for text in given[named] if "secret place" in text]
    assert given[other] == []


def _given(actor, talk, said):
    posted = say(actor, talk, "And you?") if actor.user_id != said.message.author_id else said
    held = talks.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    messages = context.read_context(held).messages
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "Answer"}])
    talks.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)
    parts = [part for message in messages for part in message.parts if isinstance(part, KnowledgeContent)]
    return [str(part) for part in parts]


def test_template_says_nothing_of_what_is_closed_to_who_renders(me, other, named, sarah, alfama):
    template = services.make_template(
        actor=me,
        collection_id=sarah.collection_id,
        name="Sheet",
        source="{{ record.name }}: {{ record.lives_in._title }}",
    )

    assert "secret" not in rendering.shown(template, [sarah.pk], other)
    assert rendering.shown(template, [sarah.pk], named) == "Sarah: Alfama the secret place"


def test_import_finds_the_titles_that_its_asker_sees(me, project, other, named, sarah, alfama):
    table = b"Name,Lives in\nTom\xc3\xa1s,Alfama the secret place\n"
    made = {}
    for actor in (other, named):
        file = upload(User.objects.get(pk=actor.user_id), project, table, "people.csv")
        operation = ran(
            actor,
            project,
            "records.import",
            collection=str(sarah.collection_id),
            attachment=str(file.pk),
            on_duplicate="new",
        )
        made[actor] = list(Item.objects.filter(operation=operation).values_list("status", "error_code"))

    assert made == {other: [("failed", "record_invalid")], named: [("succeeded", "")]}
    assert [row.data["lives_in"] for row in Record.objects.filter(title="Tomás")] == [str(alfama.pk)]


def test_operation_on_what_is_closed_is_told_to_its_asker_and_managers_alone(me, project, other, named, alfama):
    operation = planned(named, project, "records.delete", collection=str(alfama.collection_id), start=False)

    for actor, status in ((other, 404), (named, 200), (me, 200)):
        client = browser_of(actor)
        assert client.get(f"/api/v1/bulk-operations/{operation.pk}/items/").status_code == status
        listed = client.get("/api/v1/bulk-operations/").json()["results"]
        assert [row["id"] for row in listed] == ([str(operation.pk)] if status == 200 else [])
        assert topics.get("operation").is_allowed(actor, operation.pk) == (status == 200)


def test_export_has_what_its_viewer_sees(project, other, named, me, sarah, alfama):
    def exported(kind, viewer):
        scope = ExportScope(organization_id=project.organization_id, project_id=project.pk, viewer=viewer)
        return list(exporters.get(kind).rows(scope))

    assert [row["name"] for row in exported("collections", other)] == ["People"]
    assert {row["name"] for row in exported("collections", me)} == {"People", "Places"}
    assert len(exported("records", other)) == 1
    assert len(exported("record_revisions", other)) == 1
    for actor, readers in ((me, [{"user": str(named.user_id)}]), (named, [])):
        assert [row["readers"] for row in exported("collections", actor) if row["name"] == "Places"] == [readers]


# What is read for records

SAID = "Sarah lives in Alfama. Her age is no number."
BOTH = (
    {"collection": "people", "id": "p", "fields": {"name": "Sarah"}},
    {"collection": "places", "id": "s", "fields": {"name": "Alfama", "river": "the secret Tejo"}},
)


def test_run_shows_who_sees_a_part_of_it_that_part(me, project, other, named, sarah, places):
    talk = start(me, project)
    run = read_as(named, project, *BOTH, message_id=say(named, talk, SAID).message.pk)

    assert Proposal.objects.filter(run=run).count() == 2
    for actor, count in ((other, 1), (named, 2)):
        row = selectors.get_run(run_id=run.pk, viewer=actor)
        assert (row.sees_all, selectors.list_proposals(actor, run_id=run.pk).count()) == (count == 2, count)
        assert selectors.count_proposals(actor, [run.pk]) == {run.pk: (count, count)}
        (shown,) = below(actor, [run.shown_under])[run.shown_under]
        assert (len(shown.card.proposals), len(shown.card.unplaced)) == (count, count - 1)
    api = Client(headers=bearer(key_of(User.objects.get(pk=other.user_id), project.organization)))
    answer = api.get(f"/api/v1/extractions/{run.pk}/").json()
    assert (answer["unplaced"], answer["status"]) == ([], "completed")
    events = [_event({"proposals": 2, "unplaced": 1, "run_id": str(run.pk)})]
    assert "proposals" not in ExtractionTopic().render(other, run.pk, events)[0]
    assert ExtractionTopic().render(named, run.pk, events)[0]["proposals"] == 2
    closed = Proposal.objects.get(run=run, collection=places)
    with pytest.raises(NotFound):
        services.accept_proposal(actor=other, proposal_id=closed.pk)


def _event(payload):
    return TopicEvent(uuid7(), 1, "extraction.completed", "extraction.extraction_completed.v1", payload, None, None)


def test_run_for_what_is_closed_alone_is_not_there(me, project, other, named, places):
    talk = start(me, project)
    run = read_as(named, project, BOTH[1], message_id=say(named, talk, SAID).message.pk, collections=[places.pk])

    with pytest.raises(NotFound):
        selectors.get_run(run_id=run.pk, viewer=other)
    assert below(other, [run.shown_under]) == {}
    assert not ExtractionTopic().is_allowed(other, run.pk)
    assert ExtractionTopic().is_allowed(named, run.pk)
    assert browser_of(other).get("/review/").content.count(b"Alfama") == 0


def test_who_sees_a_part_does_not_try_all_of_it_again(me, project, other, named, sarah, places):
    talk = start(me, project)
    run = services.request_extraction(actor=named, project_id=project.pk, message_id=say(named, talk, SAID).message.pk)
    ExtractionRun.objects.filter(pk=run.pk).update(status="failed", error_code="network")

    with pytest.raises(Forbidden):
        services.retry_extraction(actor=other, run_id=run.pk)
    assert services.retry_extraction(actor=named, run_id=run.pk).status == "queued"


def test_who_sees_a_part_does_not_go_on_with_all_of_it(me, project, other, named, sarah, places):
    run = read_as(named, project, *BOTH, message_id=say(named, start(me, project), SAID).message.pk)
    ExtractionRun.objects.filter(pk=run.pk).update(stopped_by="person")
    ExtractionPart.objects.create(
        organization=project.organization, run=run, number=1, start=0, end=1, digest=b"", answer="{}", is_suggested=True
    )

    (card_of_other, card_of_named) = (
        below(actor, [run.shown_under])[run.shown_under][0].card for actor in (other, named)
    )
    assert (card_of_other.is_resumable, card_of_named.is_resumable) == (False, True)
    with pytest.raises(Forbidden):
        services.resume_extraction(actor=other, run_id=run.pk)
    assert services.resume_extraction(actor=named, run_id=run.pk).status == "queued"


def test_run_of_who_is_named_no_more_reads_nothing(me, project, named, places):
    talk = start(me, project)
    run = services.request_extraction(
        actor=named, project_id=project.pk, message_id=say(named, talk, SAID).message.pk, collections=[places.pk]
    )
    (reader,) = reader_selectors.list_readers(places)
    services.remove_reader(actor=me, collection_id=places.pk, reader_id=reader.pk)

    assert services.claim_run(actor=SYSTEM, run_id=run.pk) is None
    assert ExtractionRun.objects.get(pk=run.pk).status == "failed"


def test_who_does_not_see_reads_for_what_they_see(me, project, other, sarah, places):
    talk = start(me, project)
    run = services.request_extraction(actor=other, project_id=project.pk, message_id=say(other, talk, SAID).message.pk)

    assert run.collections == [sarah.collection_id]
    answered(run, {"collection": "people", "id": "p", "fields": {"name": "Tomás"}})


def test_link_of_a_suggestion_into_what_is_closed_is_left_out_for_who_does_not_see(
    me, project, other, named, sarah, places
):
    talk = start(me, project)
    links = [{"from": "p", "field": "lives_in", "to": "s"}]
    run = read_as(named, project, *BOTH, links=links, message_id=say(named, talk, SAID).message.pk)
    of_person, of_place = (Proposal.objects.get(run=run, collection__slug=slug) for slug in ("people", "places"))
    place = services.accept_proposal(actor=named, proposal_id=of_place.pk)

    made = services.accept_proposal(actor=other, proposal_id=of_person.pk, on_duplicate="new")

    assert "lives_in" not in made.data
    services.change_record(actor=named, record_id=made.pk, changes={"lives_in": str(place.pk)})


def test_questions_about_what_is_closed_are_on_the_card_alone(me, project, other, named, places):
    Collection.objects.filter(pk=places.pk).update(needed=["river"])
    services.change_collection(
        actor=me,
        collection_id=places.pk,
        changes={
            "document": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "river": {"type": "string"}},
                "required": ["name"],
            },
            "needed": ["river"],
        },
    )
    talk = start(me, project)
    said = say(named, talk, "Alfama is a place.").message
    read_as(named, project, {"collection": "places", "id": "s", "fields": {"name": "Alfama"}}, message_id=said.pk)

    (asked_about,) = question_selectors.list_follow_ups(named)
    assert [each["state"] for each in asked_about.questions] == ["waiting"]
    assert asked_about.asked_in is None
    assert list(question_selectors.list_follow_ups(other)) == []
    assert services.read_message(actor=SYSTEM, message_id=say(other, talk, "The Tejo").message.pk) is None
    services.answer_question(actor=named, follow_up_id=asked_about.pk, field="river", value="Tejo")
    with pytest.raises(NotFound):
        services.answer_question(actor=other, follow_up_id=asked_about.pk, field="river", value="Tejo")


def test_wish_for_what_is_closed_is_not_shown(me, project, other, named, places):
    talk = start(me, project)
    message = say(named, talk, "create 3 places").message
    wish = Wish.objects.create(
        organization=project.organization,
        project=project,
        conversation_id=talk.pk,
        shown_under=message.pk,
        status="proposed",
        count=3,
        brief="secret",
        collection=places,
    )

    assert [row.pk for row in wish_selectors.list_shown_under(named, [message.pk])] == [wish.pk]
    assert list(wish_selectors.list_shown_under(other, [message.pk])) == []
    with pytest.raises(NotFound):
        services.confirm_wish(actor=other, wish_id=wish.pk)
