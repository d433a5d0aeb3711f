"""What an operation makes up, decided on before it is kept: suggestions as all others, unlike each other, made once, taken back."""

import json
import re
import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM
from apps.bulk import engine
from apps.bulk import services as operations
from apps.bulk.models import Item, Operation
from apps.bulk.types import Lane, LateWriter
from apps.conversations import services as talks
from apps.core.doors.bulk_kinds import BulkScope, Told, TryLater, Work, bulk_kinds
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.eventlog.consumers import logged
from apps.core.ids import uuid7
from apps.core.models import Event
from apps.extraction import receivers, selectors, services, wishing
from apps.extraction.made_types import MadeByOperation, SuggestionJoined
from apps.extraction.models import Collection, ExtractionRun, FieldSource, Proposal, Record, Wish
from apps.extraction.reading_types import Answer
from apps.extraction.types import NotUnique, RecordChangedSince
from apps.llm import routing
from tests.accounts.factories import UserFactory, actor_of, bearer, key_of, reader_of
from tests.bulk.factories import counts, fresh, planned
from tests.conversations.factories import say, someone, start
from tests.extraction.factories import people, record
from tests.extraction.making import demo, priced_model, run
from tests.extraction.test_making import answer
from tests.provider.fixtures import provider, running_provider

__all__ = ["demo", "priced_model", "provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)
KIND = "records.create"


@pytest.fixture
def me(owner):
    routing.forget()
    return actor_of(owner)


def asked(me, project, collection, **params):
    return planned(
        me,
        project,
        KIND,
        **({"brief": "A noir set in Lisbon", "count": 3, "review": True} | params),
        collection=str(collection.pk),
    )


def said(name, **fields):
    return Answer(answer(name=name, **fields)["text"], model="stub/author")


def works(me, project, collection, number=3, **params):
    """Items of an operation that its worker holds; each is its last attempt."""
    known = {"collection": str(collection.pk), "brief": "Sailors", "count": number, "review": True} | params
    scope = BulkScope(uuid7(), project.organization_id, project.pk, me, known)
    return [Work(scope, uuid7(), n, {}, None, 3, f"k{n}") for n in range(1, number + 1)]


def suggest(work, name, **fields):
    done = bulk_kinds.get(KIND).apply(work, said(name, **fields))
    return Proposal.objects.get(pk=done.result["proposal"])


def take_back(work, suggested):
    result = {"extraction": str(suggested.run_id), "proposal": str(suggested.pk), "title": suggested.entity_id}
    with transaction.atomic():
        bulk_kinds.get(KIND).undo(Work(work.scope, uuid7(), 1, {}, None, 1, "u", result))


def test_all_of_them_wait_and_become_records_that_say_who_made_them(me, owner, project, demo):
    collection = people(me, project)
    operation = asked(me, project, collection, count=12)

    run(operation, "completed")

    made = ExtractionRun.objects.get()
    assert (counts(operation), Record.objects.count()) == ({"succeeded": 12}, 0)
    assert (made.operation_id, made.status, made.collections, made.is_demo) == (
        operation.pk,
        "completed",
        [collection.pk],
        True,
    )
    assert [each.number for each in Proposal.objects.order_by("number")] == list(range(1, 13))
    assert len(set(Proposal.objects.values_list("entity_id", flat=True))) == 12
    assert set(selectors.list_to_review(me, project_id=project.pk).values_list("status", flat=True)) == {"pending"}

    accepted = services.accept_all(actor=me, run_id=made.pk)

    rows = Record.objects.filter(collection=collection)
    assert (len(accepted.records), accepted.left) == (12, ())
    assert set(Proposal.objects.values_list("status", "decided_by")) == {("accepted", owner.pk)}
    sources = FieldSource.objects.filter(operation_id=operation.pk)
    assert set(sources.values_list("method", "is_demo", "run", "answered_by")) == {
        ("generated", True, None, made.answered_by)
    }
    assert {source.field for source in sources.filter(record=rows[0])} == {f"/{name}" for name in rows[0].data}


def results_on(browser, operation):
    page = browser.get(f"/operations/{operation.pk}/").content.decode()
    return re.findall(r"</span></td><td>(.*?)</td>", page)


def test_results_are_told_by_title_with_a_way_to_each(client, me, owner, project, demo, django_assert_max_num_queries):
    collection = people(me, project)
    operation = asked(me, project, collection, count=3)
    run(operation, "completed")
    client.force_login(owner)
    first, second, third = Proposal.objects.order_by("number")

    services.reject_proposal(actor=me, proposal_id=second.pk)
    accepted = services.accept_proposal(actor=me, proposal_id=third.pk)

    assert set(results_on(client, operation)) == {
        f'<a href="/review/?collection={collection.pk}#p-{first.pk}">{first.entity_id}</a> <span class="soft">To be decided</span>',
        f'{second.entity_id} <span class="soft">Rejected</span>',
        f'<a href="/record/{accepted.pk}/">{third.entity_id}</a> <span class="soft">Accepted</span>',
    }
    results = [{"proposal": str(each.pk)} for each in (first, second, third)] + [{"record": str(accepted.pk)}, {}]
    with django_assert_max_num_queries(2):
        told = bulk_kinds.get(KIND).tell(me, results)
    assert told[3:] == [Told(accepted.title, f"/record/{accepted.pk}/"), None]
    stranger = bulk_kinds.get(KIND).tell(actor_of(UserFactory()), results)
    assert {each.text for each in stranger if each} == {
        "Suggested record that is not there any more",
        "Record that is not there any more",
    }
    services.delete_record(actor=me, record_id=accepted.pk)
    assert bulk_kinds.get("records.delete").tell(me, results)[3] == Told(accepted.title, note="Deleted")


def test_rejected_leaves_nothing_and_what_a_person_wrote_is_nobody_s_invention(me, project):
    collection = people(me, project)
    first, second, _third = works(me, project, collection)
    ana, rui = suggest(first, "Ana", age=30), suggest(second, "Rui", age=40)

    services.reject_proposal(actor=me, proposal_id=ana.pk)
    kept = services.accept_proposal(actor=me, proposal_id=rui.pk, changes={"age": 41})

    ana.refresh_from_db()
    assert (ana.status, ana.decided_by_id, ana.record_id) == ("rejected", me.user_id, None)
    assert list(Record.objects.values_list("title", flat=True)) == ["Rui"]
    assert (kept.data, [each.field for each in selectors.sources_of(kept)]) == ({"name": "Rui", "age": 41}, ["/name"])


def test_titles_that_were_suggested_count_whatever_became_of_them(me, project, provider, priced_model):
    collection = people(me, project)
    provider.script(answer(name="Ana"), answer(name="ANA"), answer(name="Rui"))
    operation = asked(me, project, collection, count=2, concurrency=1)

    run(operation, "completed")

    assert list(Proposal.objects.order_by("number").values_list("entity_id", flat=True)) == ["Ana", "Rui"]
    assert "- Ana" in json.dumps(provider.bodies[-1]["messages"], ensure_ascii=False)
    for row in Proposal.objects.all():
        services.reject_proposal(actor=me, proposal_id=row.pk)
    scope = BulkScope(operation.pk, project.organization_id, project.pk, me, operation.params)
    with pytest.raises(TryLater) as again:
        bulk_kinds.get(KIND).apply(Work(scope, uuid7(), 3, {}, None, 1, "k"), said("ana"))
    assert (again.value.code, Proposal.objects.count()) == ("made_before", 2)


def test_values_of_a_unique_key_are_refused_before_somebody_accepts_them(me, project):
    collection = people(me, project, unique_keys=[["age"]])
    record(me, collection, name="Old", age=70)
    first, second, third = works(me, project, collection)

    with pytest.raises(NotUnique):
        suggest(first, "Ana", age=70)
    ana = suggest(first, "Ana", age=30)
    with pytest.raises(NotUnique):
        suggest(second, "Rui", age=30)
    services.reject_proposal(actor=me, proposal_id=ana.pk)
    suggest(third, "Eva", age=30)

    assert list(Proposal.objects.filter(status="pending").values_list("entity_id", flat=True)) == ["Eva"]


def test_items_side_by_side_make_one_run_and_no_title_twice(me, project):
    """Both hold their transaction until the other one has begun: who comes second waits, and hears of the first."""
    collection = people(me, project)
    found, together = [], threading.Barrier(2)
    side_by_side = works(me, project, collection, number=2)

    def make(work):
        try:
            with transaction.atomic():
                together.wait(10)
                found.append(suggest(work, "Ana").entity_id)
        except Exception as error:  # noqa: BLE001  (what it is, the test says)
            found.append(getattr(error, "code", repr(error)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make, args=[work]) for work in side_by_side]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert sorted(found) == ["Ana", "made_before"]
    assert (ExtractionRun.objects.count(), Proposal.objects.count()) == (1, 1)


def test_killed_before_the_commit_nothing_is_true_and_afterwards_it_is_once(me, project, demo):
    collection = people(me, project)
    operation = asked(me, project, collection, count=1)
    batch = operations.claim_batch(actor=SYSTEM, lane=Lane.OUTSIDE)

    def apply(held):
        given = {held.items[0].item_id: said("Ana")}
        return operations.apply_items(actor=SYSTEM, batch=held, items=held.items, seconds=1, found=given)

    with transaction.atomic():
        apply(batch)
        assert Proposal.objects.count() == 1
        transaction.set_rollback(True)
    assert (Proposal.objects.count(), ExtractionRun.objects.count()) == (0, 0)
    Item.objects.update(lease_until="2020-01-01T00:00Z")
    operations.reap_lapsed(actor=SYSTEM)
    again = operations.claim_batch(actor=SYSTEM, lane=Lane.OUTSIDE)
    apply(again)
    for late in (batch, again):
        with pytest.raises(LateWriter):
            apply(late)

    assert (counts(operation), Proposal.objects.get().entity_id) == ({"succeeded": 1}, "Ana")


def test_undo_rejects_what_waits_and_deletes_what_was_accepted(me, project, demo):
    collection = people(me, project)
    operation = asked(me, project, collection, count=4)
    run(operation, "completed")
    waits, rejected, accepted, changed = Proposal.objects.order_by("number")
    services.reject_proposal(actor=me, proposal_id=rejected.pk)
    services.accept_proposal(actor=me, proposal_id=accepted.pk)
    touched = services.accept_proposal(actor=me, proposal_id=changed.pk)
    services.change_record(actor=me, record_id=touched.pk, changes={"age": 99})

    undoing = operations.undo_operation(actor=me, operation_id=operation.pk)
    engine.run_all()

    waits.refresh_from_db()
    assert (waits.status, waits.decided_by_id) == ("rejected", me.user_id)
    assert counts(undoing) == {"succeeded": 3, "failed": 1}
    assert fresh(undoing).causes == {"record_changed_since": 1}
    assert list(Record.objects.filter(deleted_at=None).values_list("pk", flat=True)) == [touched.pk]


def test_undo_leaves_what_went_into_another_record(me, project):
    collection = people(me, project)
    there = record(me, collection, name="Anna", age=30)
    first, second, third = works(me, project, collection)
    joined, merged, gone = suggest(first, "Ana", age=30), suggest(second, "Rui"), suggest(third, "Eva")
    services.accept_proposal(actor=me, proposal_id=joined.pk, into=there.pk)
    own = services.accept_proposal(actor=me, proposal_id=merged.pk)
    services.merge_records(actor=me, winner_id=there.pk, loser_id=own.pk)
    services.delete_record(actor=me, record_id=services.accept_proposal(actor=me, proposal_id=gone.pk).pk)

    with pytest.raises(SuggestionJoined) as refused:
        take_back(first, joined)
    with pytest.raises(RecordChangedSince):
        take_back(second, merged)
    take_back(third, gone)

    assert (refused.value.code, refused.value.extra) == ("suggestion_joined", {"record": str(there.pk)})
    assert list(Record.objects.filter(deleted_at=None).values_list("pk", flat=True)) == [there.pk]


def test_what_failed_is_tried_again_into_the_same_run(me, project, provider, priced_model):
    collection = people(me, project)
    provider.script(answer(name="Ana"), *[answer(age=3)] * 3, answer(name="Rui"))
    operation = asked(me, project, collection, count=2, concurrency=1)
    run(operation, "completed_with_failures")

    operations.retry_failed(actor=me, operation_id=operation.pk)
    run(operation, "completed")

    assert ExtractionRun.objects.count() == 1
    assert list(Proposal.objects.order_by("number").values_list("number", "entity_id")) == [(1, "Ana"), (2, "Rui")]


def test_nothing_reads_such_a_run_and_its_operation_is_asked_to_go_on(me, api, project):
    collection = people(me, project)
    suggested = suggest(works(me, project, collection)[0], "Ana")
    made = ExtractionRun.objects.get()

    for act in (services.retry_extraction, services.stop_extraction, services.resume_extraction):
        with pytest.raises(MadeByOperation) as refused:
            act(actor=me, run_id=made.pk)
        assert refused.value.extra == {"operation": str(made.operation_id)}
    over_http = api.post(f"/api/v1/extractions/{made.pk}/retry/")
    read = api.get(f"/api/v1/extractions/{made.pk}/").json()

    assert (over_http.status_code, over_http.json()["code"]) == (409, "extraction_of_operation")
    assert (read["operation"], read["status"], read["message"]) == (str(made.operation_id), "completed", None)
    assert services.claim_run(actor=SYSTEM, run_id=made.pk) is None
    assert selectors.list_due_runs(older_than=timedelta(0)) == []
    assert services.fail_left_lying(actor=SYSTEM) == 0
    proposal = api.get(f"/api/v1/proposals/?run={made.pk}").json()["results"][0]
    assert (proposal["id"], proposal["sources"][0]["method"]) == (str(suggested.pk), "generated")
    assert proposal["sources"][0]["answered_by"] == "stub/author"


def test_it_is_asked_for_with_a_yes_or_a_no(me, api, project, demo):
    collection = people(me, project)
    params = {"collection": str(collection.pk), "brief": "Sailors", "count": 3}
    check = bulk_kinds.get(KIND).check

    for wrong in ("yes", 1, None):
        with pytest.raises(Invalid) as refused:
            check(BulkScope(uuid7(), project.organization_id, project.pk, me, params | {"review": wrong}))
        assert refused.value.fields[0].field == "params.review"
    body = {"project": str(project.pk), "kind": KIND, "params": params | {"review": True}}
    begun = api.post("/api/v1/bulk-operations/", json.dumps(body), content_type="application/json")
    plain = check(BulkScope(uuid7(), project.organization_id, project.pk, me, params))

    assert (begun.status_code, begun.json()["params"]["review"], plain["review"]) == (202, True, False)


def test_to_whom_the_collection_is_closed_there_is_no_suggestion(me, project):
    collection, editor, reader = people(me, project), someone(project), actor_of(reader_of(project))
    suggested = suggest(works(me, project, collection)[0], "Ana")
    with pytest.raises(Forbidden):
        services.accept_proposal(actor=reader, proposal_id=suggested.pk)

    Collection.objects.filter(pk=collection.pk).update(visibility="named")

    assert not selectors.visible_runs(editor).exists()
    assert not selectors.list_to_review(editor, project_id=project.pk).exists()
    for act in (services.accept_proposal, services.reject_proposal):
        with pytest.raises(NotFound):
            act(actor=editor, proposal_id=suggested.pk)
    with pytest.raises(Invalid):
        suggest(works(editor, project, collection)[0], "Rui")
    assert services.accept_proposal(actor=me, proposal_id=suggested.pk).title == "Ana"


@pytest.fixture
def talk(me, project):
    return start(me, project)


def wished(me, talk, words="create 3 people for a noir set in Lisbon"):
    posted = say(me, talk, words).message
    found = services.hear_wish(actor=SYSTEM, message_id=posted.pk)
    wishing.read_wish(found.pk)
    return Wish.objects.get(pk=found.pk)


def confirmed(me, wish):
    services.confirm_wish(actor=me, wish_id=wish.pk)
    wish.refresh_from_db()
    engine.plan_operation(operation_id=wish.operation_id)
    return Operation.objects.get(pk=wish.operation_id)


def test_card_of_a_wish_asks_as_the_collection_trusts(me, owner, project, talk, demo):
    there = people(me, project)
    trusted = services.create_collection(
        actor=me, project_id=project.pk, name="Ships", document={"type": "object"}, trust="accept"
    )
    wish = wished(me, talk)
    api, browser = Client(headers=bearer(key_of(owner, project.organization))), Client()
    browser.force_login(owner)
    address = f"/api/v1/wishes/{wish.pk}/"

    def change(**body):
        return api.patch(address, json.dumps(body), content_type="application/json").json()

    assert (wish.collection_id, wish.is_reviewed) == (there.pk, True)
    assert 'data-action="wish#decide" checked' in browser.get(f"/review/wishes/{wish.pk}/").content.decode()
    assert change(collection=str(trusted.pk))["review"] is False
    assert change(collection=str(trusted.pk), review=True)["review"] is True
    assert change(collection=str(trusted.pk), count=4)["review"] is True
    assert change(collection=str(there.pk), review=False)["review"] is False
    assert 'data-action="wish#decide" checked' not in browser.get(f"/review/wishes/{wish.pk}/").content.decode()
    assert change(collection=None, name="New")["review"] is True


def test_suggestions_stand_below_the_wish_and_everybody_there_hears_of_each(me, owner, project, talk, demo):
    people(me, project)
    wish = wished(me, talk)
    operation = confirmed(me, wish)
    run(operation, "completed")

    made = ExtractionRun.objects.get()
    told = Event.objects.filter(topic=f"extraction:{made.pk}").values_list("type", flat=True)
    assert (made.shown_in, made.shown_under) == (talk.pk, wish.shown_under)
    assert list(told) == ["extraction.proposal_made"] * 3
    editor, browser = someone(project), Client()
    browser.force_login(owner)
    page = browser.get(f"/c/{talk.pk}/").content.decode()
    assert page.index('data-controller="wish"') < page.index('data-controller="extraction"')
    assert ("3 suggested records" in page, "Accept all 3" in page, "Made by a model" in page) == (True, True, True)
    first = Proposal.objects.order_by("number").first()
    services.reject_proposal(actor=editor, proposal_id=first.pk)
    assert len(services.accept_all(actor=editor, run_id=made.pk).records) == 2
    assert Record.objects.count() == 2


def test_card_says_that_more_are_being_made_also_to_who_does_not_see_the_operation(me, project, talk, demo):
    people(me, project)
    wish = wished(me, talk)
    operation = confirmed(me, wish)
    scope = BulkScope(operation.pk, project.organization_id, project.pk, me, operation.params)
    suggest(Work(scope, uuid7(), 1, {}, None, 1, "k"), "Ana")
    editor, browser = someone(project), Client()
    browser.force_login(User.objects.get(pk=editor.user_id))
    made = ExtractionRun.objects.get()

    card = browser.get(f"/review/runs/{made.pk}/").content.decode()

    assert browser.get(f"/operations/{operation.pk}/").status_code == 404
    assert ("more are being made" in card, "data-moving" in card, "<progress" in card) == (True, True, False)
    run(operation, "completed")
    later = browser.get(f"/review/runs/{made.pk}/").content.decode()
    assert ("more are being made" in later, "data-moving" in later) == (False, False)


def test_conversation_is_rung_when_nothing_of_it_waits(me, project, talk, demo):
    """Who has the page open follows a card only while something moves or waits on it."""
    people(me, project)
    wish = wished(me, talk)
    operation = confirmed(me, wish)
    scope = BulkScope(operation.pk, project.organization_id, project.pk, me, operation.params)
    shown = Event.objects.filter(type="conversations.message_annotated")
    before = shown.count()

    for number, name in enumerate(("Ana", "Rui")):
        suggest(Work(scope, uuid7(), number, {}, None, 1, "k"), name)
    assert shown.count() == before + 1
    services.accept_all(actor=me, run_id=ExtractionRun.objects.get().pk)
    suggest(Work(scope, uuid7(), 3, {}, None, 1, "k"), "Eva")

    assert shown.count() == before + 2


def test_what_waits_goes_with_the_words_that_asked_for_it(me, project, talk, demo):
    people(me, project)
    wish = wished(me, talk)
    operation = confirmed(me, wish)
    run(operation, "completed")
    kept = services.accept_proposal(actor=me, proposal_id=Proposal.objects.order_by("number").first().pk)

    talks.mark_message(actor=me, message_id=wish.shown_under)
    for event in Event.objects.filter(type__in=receivers.FORGOTTEN).order_by("insertion"):
        event.position = 1
        receivers.forget_words(logged(event))

    assert set(Proposal.objects.values_list("status", flat=True)) == {"accepted", "rejected"}
    assert not Proposal.objects.exclude(data={}).exists()
    assert list(Record.objects.filter(deleted_at=None).values_list("pk", flat=True)) == [kept.pk]


def test_page_asks_as_the_collection_trusts(me, owner, project, demo):
    collection, browser = people(me, project), Client()
    browser.force_login(owner)
    address = f"/records/{collection.pk}/make/"

    def is_ticked(page):
        return '<input type="checkbox" name="review" value="yes" aria-describedby="review-note" checked>' in page

    assert is_ticked(browser.get(address).content.decode())
    refused = browser.post(address, {"brief": "Sailors", "count": "0", "model": ""})
    assert not is_ticked(refused.content.decode())
    browser.post(address, {"brief": "Sailors", "count": "3", "model": "", "review": "yes"})
    operation = Operation.objects.get()
    engine.plan_operation(operation_id=operation.pk)
    page = browser.get(f"/operations/{operation.pk}/").content.decode()
    assert operation.params["review"] is True
    assert "Each one waits until somebody accepts or rejects it." in page
    assert f"/review/?collection={collection.pk}" in page
    Collection.objects.filter(pk=collection.pk).update(trust="accept")
    assert not is_ticked(browser.get(address).content.decode())
