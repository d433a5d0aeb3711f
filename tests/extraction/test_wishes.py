"""Records asked for in a conversation: understood, proposed, edited, and made only when somebody confirms it."""

import json

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.bulk import engine as operations
from apps.bulk.models import Operation
from apps.core.errors import Forbidden, Invalid, NotFound, VersionMismatch
from apps.extraction import receivers, services, wish_selectors, wishing
from apps.extraction.models import Collection, Record, Wish
from apps.extraction.services import wishes
from apps.extraction.wish_types import TooManyWishes, WishDecided
from apps.extraction.wish_words import kind_of
from tests.accounts.factories import UserFactory, actor_of, bearer, key_of, reader_of
from tests.conversations.factories import say, someone, start
from tests.extraction.factories import people
from tests.extraction.making import run
from tests.extraction.wish_factories import demo, heard, me, priced_model, provider, running_provider, talk, wished

__all__ = ["demo", "me", "priced_model", "provider", "running_provider", "talk"]
pytestmark = pytest.mark.django_db(transaction=True)
LISBON = "create 10 characters for a noir set in Lisbon"


def commanded(me, talk, words):
    return wished(me, talk, "create", words)


def test_command_proposes_a_new_collection_and_makes_it_when_confirmed(me, project, talk, demo):
    wish = commanded(me, talk, "10 characters for a noir set in Lisbon")
    assert (wish.status, wish.count, wish.brief, wish.name, wish.is_demo) == (
        "proposed",
        10,
        "for a noir set in Lisbon",
        "Characters",
        True,
    )
    assert [each["name"] for each in wish.fields] == ["name", "age", "occupation", "background"]
    assert wish.estimate["cost"] == "0"
    assert not Collection.objects.exists()
    assert not Operation.objects.exists()

    services.change_wish(actor=me, wish_id=wish.pk, changes={"review": False})
    services.confirm_wish(actor=me, wish_id=wish.pk)
    operation = Operation.objects.get()
    operations.plan_operation(operation_id=operation.pk)
    run(operation, "completed")

    collection = Collection.objects.get()
    assert (collection.name, Record.objects.filter(collection=collection).count()) == ("Characters", 10)
    assert (operation.kind, operation.requested_by_id) == ("records.create", me.user_id)
    with pytest.raises(WishDecided) as late:
        services.confirm_wish(actor=me, wish_id=wish.pk)
    assert late.value.code == "wish_decided"


def test_estimate_is_in_the_language_of_who_asked(owner, project, talk, demo):
    User.objects.filter(pk=owner.pk).update(language="de")
    owner.refresh_from_db()
    me = actor_of(owner)

    wish = commanded(me, talk, "10 Figuren für einen Film noir in Lissabon")

    assert wish.estimate["basis"] == "Die Demo antwortet nach Regeln und kostet nichts."


def test_plain_words_are_heard_once_and_use_the_collection_that_is_there(me, project, talk, demo):
    there = people(me, project, name="Characters", slug="people")

    wish = heard(me, talk, LISBON)

    assert (wish.collection_id, wish.status, wish.is_asked, wish.fields) == (there.pk, "proposed", False, [])
    assert services.hear_wish(actor=SYSTEM, message_id=wish.shown_under) is None
    for words in ("I saw 10 ships", "Thanks for the 10 characters", "What is a noir?"):
        assert heard(me, talk, words) is None
    assert heard(me, talk, "It took 3 tries to make 10 ships").status == "nothing"
    assert kind_of("create 10 " + "x" * 1000) is None
    assert [row.pk for row in wish_selectors.list_wishes(me, conversation_id=talk.pk)] == [wish.pk]


def test_model_s_answer_is_taken_as_far_as_it_goes(me, project, talk, priced_model, provider):
    said = {
        "is_wish": True, "count": 5000, "brief": "Ships", "collection": "nowhere", "name": "Ships",
        "fields": [{"name": "Name", "kind": "text"}, {"name": "Rig", "kind": "choice", "choices": ["sloop", "brig"]}, {"name": "!!"}, 3],
    }  # fmt: skip
    provider.script({"text": json.dumps(said)})

    wish = heard(me, talk, "Invent 5000 ships")

    assert (wish.count, wish.asked_count, [each["kind"] for each in wish.fields]) == (1000, 5000, ["text", "choice"])
    assert "calls of" in wish.estimate["basis"]
    assert "Words: Invent 5000 ships" in provider.bodies[0]["messages"][-1]["content"]
    provider.script({"status": 401})
    assert heard(me, talk, "Invent 20 ships").status == "failed"


def test_card_says_that_fewer_are_made_than_were_asked_for(me, owner, project, talk, demo):
    browser, api = Client(), Client(headers=bearer(key_of(owner, project.organization)))
    browser.force_login(owner)
    wish = commanded(me, talk, "10,000 characters for a noir set in Lisbon")

    def card():
        return browser.get(f"/review/wishes/{wish.pk}/").content.decode()

    said = "10,000 were asked for, and at most 1,000 are made at once."
    assert (wish.count, wish.asked_count, said in card()) == (1000, 10_000, True)
    assert api.get(f"/api/v1/wishes/{wish.pk}/").json()["asked_count"] == 10_000
    services.change_wish(actor=me, wish_id=wish.pk, changes={"count": 900})
    assert "were asked for" not in card()
    assert heard(me, talk, "Invent 20000 ships").asked_count == 20_000
    assert [commanded(me, talk, f"{n} ships").asked_count for n in ("1000", "1.001", "999999999", "ten")] == [
        0,
        1001,
        999_999_999,
        0,
    ]


def test_edited_over_the_api_and_shown_as_a_card(me, owner, project, talk, demo):
    there = people(me, project)
    wish = heard(me, talk, LISBON)
    api, browser = Client(headers=bearer(key_of(owner, project.organization))), Client()
    browser.force_login(owner)
    address = f"/api/v1/wishes/{wish.pk}/"

    def change(body, **headers):
        return api.patch(address, json.dumps(body), content_type="application/json", headers=headers)

    page = browser.get(f"/c/{talk.pk}/").content.decode()
    assert "10 records in a new collection “Characters”" in page
    assert change({"count": 0}).status_code == 400
    assert change({"collection": str(wish.pk)}).json()["errors"][0]["code"] == "unknown_collection"
    fields = [{"name": "title", "kind": "text"}, {"name": "Year", "kind": "integer"}]
    changed = change({"count": 3, "name": "Films", "new_fields": fields}).json()
    assert (changed["count"], changed["name"], [each["name"] for each in changed["new_fields"]]) == (
        3,
        "Films",
        ["title", "year"],
    )
    assert change({"count": 4}, **{"if-match": '"1"'}).status_code == 412
    assert change({"collection": str(there.pk)}).json()["collection"] == str(there.pk)
    confirmed = api.post(f"{address}confirm/")
    assert (confirmed.status_code, confirmed.json()["status"]) == (202, "confirmed")
    card = browser.get(f"/review/wishes/{wish.pk}/").content.decode()
    assert f"/operations/{Operation.objects.get().pk}/" in card
    assert f"/records/{there.pk}/" in card


def test_only_who_writes_decides_and_only_who_reads_the_conversation_sees_it(me, project, demo):
    secret = start(me, project, visibility="private")
    assert heard(me, secret, LISBON) is None  # what is said in private is not read unasked
    said = say(me, secret, "Hello").message
    wish = services.request_wish(actor=me, conversation_id=secret.pk, message_id=said.pk, words=LISBON)
    wishing.read_wish(wish.pk)
    reader, editor = actor_of(reader_of(project)), someone(project, ProjectRole.EDITOR)

    for viewer in (reader, editor, actor_of(UserFactory())):
        with pytest.raises(NotFound):
            services.confirm_wish(actor=viewer, wish_id=wish.pk)
    open_one = heard(me, start(me, project), LISBON)
    with pytest.raises(Forbidden):
        services.dismiss_wish(actor=reader, wish_id=open_one.pk)
    with pytest.raises(Forbidden):  # a new collection is for managers to make
        services.confirm_wish(actor=editor, wish_id=open_one.pk)
    with pytest.raises(VersionMismatch):
        services.change_wish(actor=editor, wish_id=open_one.pk, changes={"count": 2}, expected_version=9)

    assert services.dismiss_wish(actor=editor, wish_id=open_one.pk).status == "dismissed"
    assert not Collection.objects.exists()
    assert not Operation.objects.exists()


def test_words_go_with_the_conversation(me, project, talk, demo, monkeypatch):
    heard(me, talk, LISBON)
    monkeypatch.setattr(wishes, "MAX_OPEN_WISHES", 0)
    with pytest.raises(TooManyWishes) as many:
        services.request_wish(actor=me, conversation_id=talk.pk, message_id=say(me, talk).message.pk, words=LISBON)
    assert many.value.code == "too_many_wishes"
    told = {"type": "conversations.conversation_erased", "topic": f"conversation:{talk.pk}", "payload": {}}

    receivers.forget_words(type("Event", (), told))

    assert not Wish.objects.exists()
    with pytest.raises(Invalid):
        services.request_wish(actor=me, conversation_id=talk.pk, message_id=say(me, talk).message.pk, words="  ")
