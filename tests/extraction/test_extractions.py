"""From a message to suggested records with their sources, and what people decide about them. The model is a real HTTP server."""

import json
import threading

import pytest
from django.db import connections

from apps.accounts.types import ProjectRole
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.models import Event
from apps.extraction import engine, selectors, services
from apps.extraction.models import ExtractionRun, FieldSource, Proposal, Record
from apps.extraction.types import NothingToRead, NotUnique, ProposalDecided, TooManyRuns, WordsAreSensitive
from apps.llm import routing
from apps.llm.models import CallAttempt
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.conversations.factories import answer as answered
from tests.conversations.factories import say, someone, start
from tests.extraction.factories import PEOPLE, people, record
from tests.extraction.factories import answered as read_back
from tests.llm.factories import set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "Sarah, a twenty-eight-year-old journalist 🗞 from Lisbon, and her brother Tomás."


def answer(*entities, links=()):
    return json.dumps({"entities": list(entities), "links": list(links)})


SARAH = {"collection": "people", "id": "e1", "fields": {"name": "Sarah", "age": 28, "is_alive": True}}
TOMAS = {"collection": "people", "id": "e2", "fields": {"name": "Tomás"}}
SIBLINGS = {"from": "e2", "field": "siblings", "to": "e1"}


@pytest.fixture
def message(me, project, provider):
    routing.forget()
    set_defaults(stub_model(provider, organization=project.organization))
    return say(me, start(me, project), WORDS).message


def read(me, project, message, provider, text, **fields):
    provider.script({"text": text})
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk, **fields)
    engine.extract(run.pk)
    return ExtractionRun.objects.get(pk=run.pk)


def proposals(run):
    return list(Proposal.objects.filter(run=run).order_by("number"))


def test_message_becomes_suggestions_with_the_words_behind_each_value(me, project, message, provider):
    people(me, project)

    run = read(me, project, message, provider, answer(SARAH, TOMAS, links=[SIBLINGS]))

    assert (run.status, run.error_code, run.unplaced, run.steps) == ("completed", "", [], [])
    sarah, tomas = proposals(run)
    assert (sarah.data, tomas.data) == ({"name": "Sarah", "age": 28, "is_alive": True}, {"name": "Tomás"})
    said = {source["field"]: source for source in sarah.sources}
    assert WORDS[said["/name"]["start"] : said["/name"]["end"]] == "Sarah"
    assert WORDS[said["/age"]["start"] : said["/age"]["end"]] == "twenty-eight"
    assert (said["/age"]["method"], said["/age"]["message"]) == ("number_word", str(message.pk))
    assert said["/is_alive"]["is_inferred"] is True
    place = tomas.sources[0]
    wide = WORDS.encode("utf-16-le")
    assert wide[place["start_utf16"] * 2 : place["end_utf16"] * 2].decode("utf-16-le") == "Tomás"
    assert place["start_utf16"] == place["start"] + 1  # the newspaper is two units
    assert not Record.objects.exists()
    assert list(CallAttempt.objects.values_list("purpose", "status")) == [("extract", "completed")]


def test_accepted_suggestions_become_linked_records_in_either_order(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH, TOMAS, links=[SIBLINGS]))
    sarah, tomas = proposals(run)

    second = services.accept_proposal(actor=me, proposal_id=tomas.pk)
    first = services.accept_proposal(actor=me, proposal_id=sarah.pk)

    assert Record.objects.get(pk=second.pk).data == {"name": "Tomás", "siblings": [str(first.pk)]}
    assert [(link.source.title, link.field) for link in selectors.links_to(first, me)] == [("Tomás", "siblings")]
    kept = {row.field: row for row in selectors.sources_of(Record.objects.get(pk=first.pk))}
    assert set(kept) == {"/name", "/age", "/is_alive"}
    assert WORDS[kept["/age"].start : kept["/age"].end] == "twenty-eight"
    assert (kept["/is_alive"].method, kept["/name"].run_id) == ("", run.pk)
    sarah.refresh_from_db()
    assert (sarah.status, sarah.record_id, sarah.decided_by_id) == ("accepted", first.pk, me.user_id)


def test_record_that_was_deleted_meanwhile_is_pointed_to_by_nobody(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH, TOMAS, links=[SIBLINGS]))
    sarah, tomas = proposals(run)
    gone = services.accept_proposal(actor=me, proposal_id=sarah.pk)
    services.delete_record(actor=me, record_id=gone.pk)

    made = services.accept_proposal(actor=me, proposal_id=tomas.pk)

    assert made.data == {"name": "Tomás"}


@pytest.mark.parametrize("is_deleted", [True, False])
def test_record_that_meant_this_one_and_cannot_follow_holds_up_nothing(me, project, message, provider, is_deleted):
    """It was deleted, or a later schema refuses it: its own business."""
    collection = people(me, project)
    run = read(me, project, message, provider, answer(SARAH, TOMAS, links=[SIBLINGS]))
    sarah, tomas = proposals(run)
    earlier = services.accept_proposal(actor=me, proposal_id=tomas.pk)
    if is_deleted:
        services.delete_record(actor=me, record_id=earlier.pk)
    else:
        narrow = PEOPLE | {
            "properties": PEOPLE["properties"] | {"name": {"type": "string", "maxLength": 5, "minLength": 1}}
        }
        services.change_record(actor=me, record_id=earlier.pk, changes={"name": "Tomás the Elder"})
        services.change_collection(actor=me, collection_id=collection.pk, changes={"document": narrow})

    made = services.accept_proposal(actor=me, proposal_id=sarah.pk)

    assert made.data["name"] == "Sarah"
    assert "siblings" not in Record.objects.get(pk=earlier.pk).data


def test_link_may_mean_a_record_that_is_there_by_its_name(me, project, message, provider):
    collection = people(me, project)
    there = record(me, collection, name="Sarah")
    run = read(
        me, project, message, provider, answer(TOMAS, links=[{"from": "e2", "field": "siblings", "to": "sarah"}])
    )

    made = services.accept_proposal(actor=me, proposal_id=proposals(run)[0].pk)

    assert made.data["siblings"] == [str(there.pk)]


def test_edited_field_has_no_source_in_the_words(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH))

    made = services.accept_proposal(actor=me, proposal_id=proposals(run)[0].pk, changes={"age": 29, "is_alive": None})

    assert made.data == {"name": "Sarah", "age": 29}
    assert [row.field for row in selectors.sources_of(made)] == ["/name"]
    assert Event.objects.get(type="extraction.proposal_accepted").payload["edited"] == ["age", "is_alive"]


def test_later_change_of_a_record_takes_the_source_of_that_field_away(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH))
    made = services.accept_proposal(actor=me, proposal_id=proposals(run)[0].pk)

    changed = services.change_record(actor=me, record_id=made.pk, changes={"age": 30})

    assert [row.field for row in selectors.sources_of(changed)] == ["/is_alive", "/name"]


def test_what_fits_nowhere_is_shown_and_what_does_not_fit_is_named(me, project, message, provider):
    people(me, project)
    odd = {"collection": "people", "id": "e1", "fields": {"name": "Sarah", "age": -3, "shoe": "blue"}}

    run = read(me, project, message, provider, answer(odd))

    assert ("blue", "no_such_field") in [(each["value"], each["reason"]) for each in run.unplaced]
    wrong = proposals(run)[0].problems
    assert [each["field"] for each in wrong] == ["/age"]
    with pytest.raises(Invalid):
        services.accept_proposal(actor=me, proposal_id=proposals(run)[0].pk)
    assert not Record.objects.exists()
    assert Proposal.objects.get().status == "pending"


@pytest.mark.parametrize(
    "spelled",
    [
        lambda said: f"```json\n{said}\n```",
        lambda said: f"Here it is:\n{said}\nThat is all.",
        lambda said: said[:-1] + ",}",
        lambda said: said[:-1],
        lambda said: said.replace('"', "'"),
    ],
    ids=["fences", "prose", "trailing comma", "missing brace", "single quotes"],
)
def test_malformed_answer_is_read(me, project, message, provider, spelled):
    people(me, project)

    run = read(me, project, message, provider, spelled(answer(SARAH)))

    assert run.steps != []
    assert [each.data["name"] for each in proposals(run)] == ["Sarah"]


def test_trusted_collection_takes_what_fits_and_leaves_the_rest_to_people(me, project, message, provider):
    people(me, project, trust="accept", unique_keys=[["name"]])
    record(me, selectors.collections_by_slug(me, project.pk, ["people"])["people"], name="Tomás")

    run = read(me, project, message, provider, answer(SARAH, TOMAS))

    assert [each.status for each in proposals(run)] == ["accepted", "pending"]
    assert proposals(run)[0].decided_by_id is None
    assert sorted(Record.objects.values_list("title", flat=True)) == ["Sarah", "Tomás"]


@pytest.mark.parametrize(("above", "status"), [(0.5, "accepted"), (0.99, "pending")])
def test_unsure_collection_takes_what_is_sure_enough(me, project, message, provider, above, status):
    people(me, project, trust="review_unsure", trust_above=above)

    run = read(me, project, message, provider, answer(SARAH))

    assert [each.status for each in proposals(run)] == [status]


def test_collection_is_called_otherwise_or_gone_when_the_answer_comes(me, project, message):
    people_, places_ = people(me, project), selectors.collections_by_slug(me, project.pk, ["places"])["places"]
    document = selectors.schema_of(selectors.get_collection(collection_id=people_.pk, viewer=me)).document
    slim = {**document, "properties": {**document["properties"]}}
    del slim["properties"]["lives_in"], slim["properties"]["siblings"]
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)
    lisbon = {"collection": "places", "id": "e2", "fields": {"name": "Lisbon"}}

    def meanwhile():
        services.change_collection(actor=me, collection_id=people_.pk, changes={"document": slim, "slug": "persons"})
        services.delete_collection(actor=me, collection_id=places_.pk)

    run = read_back(run, SARAH, lisbon, meanwhile=meanwhile)

    assert [each.data["name"] for each in proposals(run)] == ["Sarah"]
    assert [(each["value"], each["reason"]) for each in run.unplaced] == [("Lisbon", "no_collection")]


def test_suggestion_can_go_into_a_record_that_is_there(me, project, message, provider):
    collection = people(me, project, unique_keys=[["name"]])
    there = record(me, collection, name="Sarah", born="1998-02-01")
    run = read(me, project, message, provider, answer(SARAH))
    pending = proposals(run)[0]

    with pytest.raises(NotUnique) as refused:
        services.accept_proposal(actor=me, proposal_id=pending.pk)
    merged = services.accept_proposal(actor=me, proposal_id=pending.pk, into=there.pk)

    assert refused.value.extra == {"record": str(there.pk)}
    assert (merged.pk, merged.version) == (there.pk, 2)
    assert merged.data == {"name": "Sarah", "born": "1998-02-01", "age": 28, "is_alive": True}


def test_of_two_who_decide_at_once_one_decides(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH))
    pending, late = proposals(run)[0], []

    def accept():
        try:
            services.accept_proposal(actor=me, proposal_id=pending.pk)
        except ProposalDecided as refusal:
            late.append(refusal.extra)
        finally:
            connections.close_all()

    deciders = [threading.Thread(target=accept) for _each in range(5)]
    for each in deciders:
        each.start()
    for each in deciders:
        each.join(30)

    assert [each["status"] for each in late] == ["accepted"] * 4
    assert Record.objects.count() == 1


def test_rejected_suggestion_leaves_no_record(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH))

    services.reject_proposal(actor=me, proposal_id=proposals(run)[0].pk)
    with pytest.raises(ProposalDecided):
        services.accept_proposal(actor=me, proposal_id=proposals(run)[0].pk)

    assert not Record.objects.exists()
    assert Event.objects.filter(type="extraction.proposal_rejected").count() == 1


def test_provider_that_takes_no_schema_is_asked_in_words(me, project, message, provider):
    people(me, project)
    provider.script({"status": 400}, {"text": answer(SARAH)})
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)

    engine.extract(run.pk)

    assert ExtractionRun.objects.get().status == "completed"
    assert [each.data["name"] for each in proposals(run)] == ["Sarah"]


def test_provider_that_fails_fails_the_run_with_its_code(me, project, message, provider):
    people(me, project)
    provider.script({"status": 401})
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)

    engine.extract(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "auth")
    assert Event.objects.get(type="extraction.extraction_failed").payload["code"] == "auth"


def test_run_happens_once_however_often_it_is_hinted(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH))

    engine.extract(run.pk)

    assert len(proposals(run)) == 1
    assert CallAttempt.objects.count() == 1


def test_run_whose_workers_die_ends_after_three(me, project, message, provider):
    people(me, project)
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)
    ExtractionRun.objects.update(attempts=3)

    engine.extract(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "worker_lost")


def test_who_may_write_no_more_gets_nothing_written(me, project, message, provider):
    people(me, project)
    editor = someone(project)
    provider.script({"text": answer(SARAH)})
    run = services.request_extraction(actor=editor, project_id=project.pk, message_id=message.pk)
    type(project).objects.filter(pk=project.pk).update(access="invited")
    from apps.accounts.models import ProjectMember

    ProjectMember.objects.filter(user_id=editor.user_id).update(role=ProjectRole.VIEWER)

    engine.extract(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "forbidden")
    assert not CallAttempt.objects.exists()


def test_words_one_may_not_read_are_not_read(me, project, message, provider):
    people(me, project)
    stranger, other = actor_of(UserFactory()), someone(project)
    hidden = say(me, start(me, project, visibility="private"), "A secret").message

    with pytest.raises(NotFound):
        services.request_extraction(actor=stranger, project_id=project.pk, message_id=message.pk)
    with pytest.raises(NotFound):
        services.request_extraction(actor=other, project_id=project.pk, message_id=hidden.pk)
    with pytest.raises(Forbidden):
        services.request_extraction(
            actor=someone(project, ProjectRole.VIEWER), project_id=project.pk, message_id=message.pk
        )
    assert not ExtractionRun.objects.exists()


def test_words_of_another_project_are_read_for_their_own_alone(me, owner, project, message, provider):
    elsewhere = ProjectFactory(owner=owner)
    people(me, elsewhere)

    for words in ({"message_id": message.pk}, {"conversation_id": message.conversation_id}):
        with pytest.raises(NotFound):
            services.request_extraction(actor=me, project_id=elsewhere.pk, **words)

    assert not ExtractionRun.objects.exists()


def test_sensitive_message_is_not_read_into_records(me, project, message, provider):
    people(me, project)
    sealed = say(me, start(me, project), "Her account is 12345", sensitive=True).message

    with pytest.raises(WordsAreSensitive):
        services.request_extraction(actor=me, project_id=project.pk, message_id=sealed.pk)

    assert not ExtractionRun.objects.exists()


def test_selection_is_read_alone_and_its_places_are_those_of_the_message(me, project, message, provider):
    people(me, project)
    begin = WORDS.index("and her")

    run = read(me, project, message, provider, answer(TOMAS), selection=(begin, len(WORDS)))

    source = proposals(run)[0].sources[0]
    assert WORDS[source["start"] : source["end"]] == "Tomás"
    assert source["start_utf16"] == source["start"] + 1
    assert "Sarah" not in json.dumps(provider.bodies[-1])


def test_nothing_is_read_where_there_is_nothing(me, project, message, provider):
    people(me, project)

    with pytest.raises(NothingToRead):
        services.request_extraction(
            actor=me, project_id=project.pk, message_id=message.pk, selection=(len(WORDS), len(WORDS) + 5)
        )


def test_project_has_so_many_runs_at_once(me, project, message, provider):
    people(me, project)
    for _each in range(20):
        services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)

    with pytest.raises(TooManyRuns) as refused:
        services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)

    assert refused.value.code == "too_many_extractions"
    assert ExtractionRun.objects.count() == 20


def test_conversation_is_read_as_one_and_places_are_of_its_messages(me, project, provider):
    routing.forget()
    set_defaults(stub_model(provider, organization=project.organization))
    people(me, project)
    talk = start(me, project)
    begun = say(me, talk, "I know Sarah.")
    answered(begun, "Who is that?")
    answered(say(me, talk, "And Tomás is her brother."), "Noted.")
    first = begun.message
    provider.script({"text": answer(SARAH, TOMAS)})

    run = services.request_extraction(actor=me, project_id=project.pk, conversation_id=talk.pk)
    engine.extract(run.pk)

    sarah, tomas = proposals(run)
    assert (sarah.sources[0]["message"], sarah.sources[0]["start"]) == (str(first.pk), 7)
    assert (tomas.sources[0]["message"] != str(first.pk), tomas.sources[0]["start"]) == (True, 4)


def test_api_from_message_to_record(api, me, project, message, provider):
    collection = people(me, project)
    provider.script({"text": answer(SARAH)})
    body = {"project": str(project.pk), "message": str(message.pk), "collections": [str(collection.pk)]}

    asked = api.post("/api/v1/extractions/", body, content_type="application/json")
    engine.extract(asked.json()["id"])
    run = api.get(f"/api/v1/extractions/{asked.json()['id']}/").json()
    waiting = api.get("/api/v1/proposals/", {"run": run["id"], "status": "pending"}).json()["results"]
    accepted = api.post(
        f"/api/v1/proposals/{waiting[0]['id']}/accept/", {"data": {"age": 29}}, content_type="application/json"
    )
    late = api.post(f"/api/v1/proposals/{waiting[0]['id']}/reject/", content_type="application/json")

    assert (asked.status_code, asked.json()["status"], run["status"]) == (202, "queued", "completed")
    assert (accepted.status_code, accepted.json()["data"]["age"]) == (201, 29)
    assert (late.status_code, late.json()["code"]) == (409, "proposal_decided")
    sources = api.get(f"/api/v1/records/{accepted.json()['id']}/sources/").json()["results"]
    assert [(each["field"], each["is_inferred"]) for each in sources] == [("/is_alive", True), ("/name", False)]


@pytest.mark.parametrize(
    "body",
    [{}, {"message": "m", "conversation": "c"}, {"conversation": "c", "selection": {"start": 0, "end": 3}}],
)
def test_api_takes_one_source_of_words(api, project, message, body):
    ids = {"m": str(message.pk), "c": str(message.conversation_id)}
    named = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in body.items()}

    refused = api.post("/api/v1/extractions/", {"project": str(project.pk), **named}, content_type="application/json")

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert not ExtractionRun.objects.exists()


@pytest.mark.parametrize("count", [1, 3, 30])
def test_lists_take_the_same_queries_for_any_number(
    api, me, project, message, provider, count, django_assert_max_num_queries
):
    people(me, project)
    entities = [
        {"collection": "people", "id": f"e{number}", "fields": {"name": f"Name{number}"}} for number in range(count)
    ]
    read(me, project, message, provider, answer(*entities))

    with django_assert_max_num_queries(4):
        runs = api.get("/api/v1/extractions/", {"project": str(project.pk)})
    with django_assert_max_num_queries(4):
        listed = api.get("/api/v1/proposals/", {"project": str(project.pk)})

    assert (len(runs.json()["results"]), len(listed.json()["results"])) == (1, count)


def test_sources_go_with_the_organization(me, project, message, provider):
    people(me, project)
    run = read(me, project, message, provider, answer(SARAH))
    services.accept_proposal(actor=me, proposal_id=proposals(run)[0].pk)
    from apps.extraction.erasers import _erase_organization

    _erase_organization(project.organization_id)

    assert not ExtractionRun.objects.exists()
    assert not FieldSource.objects.exists()
    assert not Record.objects.exists()
