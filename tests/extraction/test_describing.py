"""A collection described in a conversation: proposed with its fields, made, edited in the form builder, or dismissed."""

import json

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.core.doors.commands import CommandCall, commands
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.models import Event
from apps.extraction import selectors, services, wishing
from apps.extraction.models import Collection, Record, Wish
from apps.extraction.types import SlugTaken
from apps.extraction.wish_types import WishDecided
from apps.extraction.wish_words import kind_of
from apps.llm.adapters.demo_collections import read
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, key_of
from tests.conversations.factories import say, someone, start
from tests.extraction.factories import people, places
from tests.extraction.wish_factories import demo, heard, me, priced_model, provider, running_provider, talk, wished

__all__ = ["demo", "me", "priced_model", "provider", "running_provider", "talk"]
pytestmark = pytest.mark.django_db(transaction=True)
SHIPS = "Ships with name, year built, status (afloat|sunk) and home port (places)"


def described(me, talk, words=SHIPS):
    return wished(me, talk, "collection", words)


def field(name, kind="text", **more):
    return {"name": name, "kind": kind, "choices": [], "required": False, "is_list": False, "relation": ""} | more


def test_description_is_proposed_and_made_when_somebody_accepts(me, owner, project, talk, demo):
    places(me, project)

    wish = described(me, talk)

    assert (wish.kind, wish.status, wish.name, wish.is_demo) == ("collection", "proposed", "Ships", True)
    assert [(each["name"], each["kind"], each["relation"]) for each in wish.fields] == [
        ("name", "text", ""),
        ("year_built", "integer", ""),
        ("status", "choice", ""),
        ("home_port", "relation", "places"),
    ]
    assert Collection.objects.count() == 1
    browser = Client()
    browser.force_login(owner)
    page = " ".join(browser.get(f"/c/{talk.pk}/").content.decode().split())
    assert "A new collection “Ships”" in page
    assert "Another record: Places" in page
    assert "afloat, sunk" in page

    confirmed = services.confirm_wish(actor=me, wish_id=wish.pk)

    made = selectors.get_collection(collection_id=confirmed.collection_id, viewer=me)
    document = selectors.schema_of(made).document
    assert (made.name, made.slug, document["required"]) == ("Ships", "ships", ["name"])
    assert document["properties"]["status"] == {"type": "string", "enum": ["afloat", "sunk"]}
    assert document["properties"]["home_port"]["x-relation"] == "places"
    fact = Event.objects.get(type="extraction.collection_described")
    assert (fact.payload["wish_id"], fact.payload["collection_id"], fact.payload["is_edited"]) == (
        str(wish.pk),
        str(made.pk),
        False,
    )
    assert (confirmed.operation_id, Record.objects.count()) == (None, 0)
    assert f"/records/{made.pk}/" in browser.get(f"/review/wishes/{wish.pk}/").content.decode()
    with pytest.raises(WishDecided):
        services.confirm_wish(actor=me, wish_id=wish.pk)


def test_model_is_asked_for_fields_and_its_answer_is_taken_as_far_as_it_goes(me, project, talk, priced_model, provider):
    places(me, project)
    fields = [
        field("Name", required=True),
        field("Rig", "choice", choices=["sloop", "brig", "sloop"]),
        field("Sister ships", "relation", relation="ships", is_list=True),
        field("Port", "relation", relation="nowhere"),
        field("名前"),
        field("!!"),
        field("Colour", "paint"),
        3,
    ]
    provider.script({"text": json.dumps({"name": "Ships", "purpose": "What sails.", "fields": fields})})

    wish = described(me, talk, "Our ships")

    asked = provider.bodies[0]
    assert "Words: Our ships" in asked["messages"][-1]["content"]
    assert "- places: Places (Name)" in asked["messages"][-1]["content"]
    assert asked["response_format"]["json_schema"]["schema"] == wishing.DESCRIPTION
    assert (wish.name, wish.brief, wish.is_demo) == ("Ships", "What sails.", False)
    assert [(each["name"], each["kind"]) for each in wish.fields] == [
        ("name", "text"), ("rig", "choice"), ("sister_ships", "relation"), ("port", "text"), ("field_5", "text"), ("colour", "text"),
    ]  # fmt: skip
    made = services.confirm_wish(actor=me, wish_id=wish.pk).collection
    document = selectors.schema_of(selectors.get_collection(collection_id=made.pk, viewer=me)).document
    assert document["properties"]["rig"]["enum"] == ["sloop", "brig"]
    assert (document["properties"]["sister_ships"]["type"], document["required"]) == ("array", ["name"])
    provider.script({"text": json.dumps({"name": "Nothing", "purpose": "", "fields": []})})
    nothing = described(me, talk, "Hm")
    assert (nothing.status, nothing.error_code) == ("failed", "nothing_described")


def test_plain_words_are_heard_and_the_collection_is_proposed(me, owner, project, talk, demo):
    wish = heard(me, talk, "Make a collection of suppliers with name, mail (e-mail) and rating")

    assert (wish.kind, wish.status, wish.name, wish.is_asked) == ("collection", "proposed", "Suppliers", False)
    assert [(each["name"], each["kind"]) for each in wish.fields] == [
        ("name", "text"), ("mail", "email"), ("rating", "number"),
    ]  # fmt: skip
    browser = Client()
    browser.force_login(owner)
    assert "A new collection “Suppliers”" in " ".join(browser.get(f"/c/{talk.pk}/").content.decode().split())
    assert services.hear_wish(actor=SYSTEM, message_id=wish.shown_under) is None
    assert services.confirm_wish(actor=me, wish_id=wish.pk).collection.name == "Suppliers"


def test_words_that_are_no_wish_for_a_collection_show_nothing(me, project, talk, priced_model, provider):
    provider.script(
        {"text": json.dumps({"is_wish": False, "name": "Suppliers", "purpose": "", "fields": [field("Name")]})}
    )

    wish = heard(me, talk, "How do I make a collection of suppliers?")

    assert (wish.status, wish.words, wish.fields) == ("nothing", "", [])
    assert heard(someone(project, ProjectRole.EDITOR), talk, "Make a collection of suppliers with name") is None
    assert not Collection.objects.exists()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Make a collection of suppliers with name, mail and rating", "collection"),
        ("Could you set up a new collection for our ships?", "collection"),
        ("Leg bitte eine Sammlung von Lieferanten mit Name und Bewertung an", "collection"),
        ("Set up a database of our suppliers", "collection"),
        ("Lege eine Datenbank von Lieferanten an", "collection"),
        ("Erstelle eine Datenbank aller Schiffe", "collection"),
        ("Richte eine Sammlung für Schiffe ein", "collection"),
        ("create 10 characters for a collection of stories", "records"),
        ("Macht mir 10 Figuren", "records"),
        ("Build a database with two replicas", None),
        ("I need to start the database with docker", None),
        ("Set up the database for the tests, of course", None),
        ("Richte die Datenbank mit Docker ein", None),
        ("Is it legal to show a collection of stamps?", None),
        ("Ist das richtig, eine Sammlung von Briefen?", None),
        ("The machine has 16 cores", None),
        ("Make a table of suppliers", None),
        ("The museum has a collection of ships", None),
        ("Which collections are there?", None),
        ("make a collection of " + "x" * 1000, None),
    ],
)
def test_which_words_a_model_is_asked_about(words, kind):
    assert kind_of(words) == kind


def test_form_builder_begins_with_what_was_proposed(me, owner, project, talk, demo):
    wish = described(me, talk, "Ships: name*, tonnage (number)")
    browser = Client()
    browser.force_login(owner)
    address = f"/records/new/?wish={wish.pk}"

    page = browser.get(address).content.decode()

    assert 'value="Ships"' in page
    assert 'value="tonnage"' in page
    lines = {"f-0-title": "Name", "f-0-name": "name", "f-0-kind": "text", "f-0-required": "on"}
    lines |= {"f-1-title": "Draught", "f-1-name": "", "f-1-kind": "number"}
    made = browser.post(address, {"name": "Vessels", "row": ["0", "1"], "trust": "review", "trust_above": "90"} | lines)
    wish.refresh_from_db()
    collection = Collection.objects.get()
    assert (made.status_code, made["Location"]) == (302, f"/records/{collection.pk}/")
    assert (wish.status, wish.collection_id, collection.name) == ("confirmed", collection.pk, "Vessels")
    assert [each.name for each in selectors.schema_of(selectors.get_collection(collection_id=collection.pk, viewer=me)).top] == ["name", "draught"]  # fmt: skip
    assert Event.objects.get(type="extraction.collection_described").payload["is_edited"] is True
    assert browser.get(address).status_code == 409
    again = browser.post(address, {"name": "More", "row": ["0"], "trust": "review", "trust_above": "90"} | lines)
    assert (again.status_code, Collection.objects.count()) == (409, 1)
    for nobody in ("x", str(collection.pk)):
        assert browser.get(f"/records/new/?wish={nobody}").status_code == 404


def test_form_builder_goes_to_the_project_of_the_conversation(me, owner, project, demo):
    other = ProjectFactory(organization=project.organization)
    talk = start(me, other)
    say(me, talk, "Hello")
    wish = described(me, talk)
    browser = Client()
    browser.force_login(owner)

    browser.post(
        f"/records/new/?wish={wish.pk}",
        {
            "name": "Ships",
            "row": ["0"],
            "f-0-title": "Name",
            "f-0-kind": "text",
            "trust": "review",
            "trust_above": "90",
        },
    )

    assert Collection.objects.get().project_id == other.pk


def test_only_who_may_define_collections_describes_and_decides(me, project, talk, demo):
    editor, viewer = someone(project, ProjectRole.EDITOR), someone(project, ProjectRole.VIEWER)
    for actor, detail in ((editor, "Only whoever manages the project"), (viewer, "Your role does not allow")):
        with pytest.raises(Forbidden) as refused:
            commands.get("collection").run(CommandCall(actor, talk.pk, SHIPS))
        assert refused.value.detail.startswith(detail)
    assert not Wish.objects.exists()
    wish = described(me, talk)

    for act in (services.confirm_wish, services.dismiss_wish):
        with pytest.raises(Forbidden):
            act(actor=editor, wish_id=wish.pk)
        with pytest.raises(NotFound):
            act(actor=actor_of(UserFactory()), wish_id=wish.pk)
    with pytest.raises(Forbidden):
        services.change_wish(actor=editor, wish_id=wish.pk, changes={"name": "Boats"})

    assert services.dismiss_wish(actor=me, wish_id=wish.pk).status == "dismissed"
    assert not Collection.objects.exists()


def test_described_changed_and_made_over_the_api(me, owner, project, talk, demo):
    api = Client(headers=bearer(key_of(owner, project.organization)))
    message = say(me, talk, "More").message

    def send(method, path, body=None):
        return getattr(api, method)(f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json")

    posted = send(
        "post",
        "wishes/",
        {"conversation": str(talk.pk), "message": str(message.pk), "words": SHIPS, "kind": "collection"},
    )
    assert (posted.status_code, posted.json()["kind"], posted.json()["status"]) == (202, "collection", "reading")
    wishing.read_wish(Wish.objects.get().pk)
    address = f"wishes/{posted.json()['id']}/"

    assert send("patch", address, {"count": 3}).json()["errors"][0]["field"] == "count"
    assert send("patch", address, {"new_fields": []}).status_code == 400
    fields = [
        {"name": "Name", "kind": "text", "required": True},
        {"name": "Next", "kind": "relation", "relation": "boats"},
    ]
    changed = send("patch", address, {"name": "Boats", "new_fields": fields}).json()
    assert [(each["name"], each["kind"]) for each in changed["new_fields"]] == [("name", "text"), ("next", "relation")]
    made = send("post", f"{address}confirm/").json()

    assert (made["status"], made["operation"]) == ("confirmed", None)
    collection = Collection.objects.get(pk=made["collection"])
    assert (collection.slug, collection.name) == ("boats", "Boats")


def test_name_that_is_missing_is_in_the_language_of_who_asked(owner, project, talk, priced_model, provider):
    User.objects.filter(pk=owner.pk).update(language="de")
    owner.refresh_from_db()
    provider.script({"text": json.dumps({"name": " ", "purpose": "", "fields": [field("Name")]})})

    assert described(actor_of(owner), talk, "Was wir brauchen").name == "Datensätze"


def test_field_that_points_to_its_own_collection_does_so_under_another_name(me, project, talk, priced_model, provider):
    fields = [field("Name"), field("Sister ships", "relation", relation="ships", is_list=True)]
    provider.script({"text": json.dumps({"name": "Ships", "purpose": "", "fields": fields})})
    wish = described(me, talk)

    people(me, project)
    with pytest.raises(SlugTaken):
        services.change_wish(actor=me, wish_id=wish.pk, changes={"name": "People"})
    changed = services.change_wish(actor=me, wish_id=wish.pk, changes={"name": "Boats and barges"})
    assert changed.fields[1]["relation"] == "boats-and-barges"
    made = services.confirm_wish(actor=me, wish_id=wish.pk).collection

    document = selectors.schema_of(selectors.get_collection(collection_id=made.pk, viewer=me)).document
    assert (made.slug, document["properties"]["sister_ships"]["x-relation"]) == ("boats-and-barges", "boats-and-barges")


def test_field_that_points_to_nothing_is_text_and_says_so(me, owner, project, talk, priced_model, provider):
    fields = [field("Name"), field("Port", "relation", relation="nowhere")]
    provider.script({"text": json.dumps({"name": "Ships", "purpose": "", "fields": fields})})
    wish = described(me, talk)
    browser = Client()
    browser.force_login(owner)

    page = " ".join(browser.get(f"/c/{talk.pk}/").content.decode().split())
    assert "It was to point to “nowhere”; there is no such collection" in page
    with pytest.raises(Invalid) as refused:
        services.change_wish(actor=me, wish_id=wish.pk, changes={"fields": fields, "name": "Boats"})
    assert [(each.field, each.code, each.detail) for each in refused.value.fields] == [
        ("new_fields", "unknown_collection", "There is no collection “nowhere”.")
    ]
    wish.refresh_from_db()
    assert (wish.name, wish.fields[1]["kind"]) == ("Ships", "text")
    made = services.confirm_wish(actor=me, wish_id=wish.pk).collection
    document = selectors.schema_of(selectors.get_collection(collection_id=made.pk, viewer=me)).document
    assert document["properties"]["port"] == {"type": "string"}


def test_command_says_what_it_needs(me, project, talk, demo):
    command = commands.get("collection")

    assert command.run(CommandCall(me, talk.pk, " ")).notice.startswith("Say what it holds")
    assert command.run(CommandCall(me, start(me, project).pk, SHIPS)).notice.startswith("Write a message first")
    with pytest.raises(Invalid):
        services.change_wish(actor=me, wish_id=described(me, talk).pk, changes={"review": True})


@pytest.mark.parametrize(
    ("words", "name", "fields"),
    [
        (
            "eine Sammlung von Figuren mit Name, Alter, Geburtsdatum und Hintergrund",
            "Figuren",
            [("Name", "text"), ("Alter", "integer"), ("Geburtsdatum", "date"), ("Hintergrund", "long_text")],
        ),
        ("Rooms\n- name\n- seats (whole number)\n- is free", "Rooms", [("Name", "text"), ("Seats", "integer"), ("Is free", "boolean")]),
        (
            "a collection for our suppliers with e-mail, website and price",
            "Suppliers",
            [("E-mail", "email"), ("Website", "url"), ("Price", "number")],
        ),
        ("Characters", "Characters", [("Name", "text"), ("Age", "integer"), ("Occupation", "text"), ("Background", "long_text")]),
        ("!!", "", []),
    ],
)  # fmt: skip
def test_demo_reads_fields_and_guesses_their_kinds(words, name, fields):
    found = read(f"Collections:\nnone\n\nWords: {words}")

    assert found["name"] == name
    assert [(each["name"], each["kind"]) for each in found["fields"]] == fields
    assert [each["required"] for each in found["fields"]][:1] == [True][: len(fields)]
