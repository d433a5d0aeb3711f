"""Pages of records: what is shown is what is in the rows, what is typed becomes what the field holds, and strangers see nothing."""

import json
import re
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.test import Client

from apps.conversations.models import Conversation
from apps.extraction import selectors, services, use_selectors
from apps.extraction.models import Collection, CollectionSchema, ExtractionRun, FieldSource, Record, RecordView
from apps.extraction.pages.asking import asked_in
from apps.extraction.pages.graphs import places as spots
from apps.extraction.shape import value_digest
from tests.accounts.factories import ProjectFactory, UserFactory, reader_of
from tests.conversations.factories import say, start
from tests.extraction.factories import people, places, record

pytestmark = pytest.mark.django_db


def page_of(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def table(collection):
    return f"/records/{collection.pk}/"


def change(client, made, field, *values, version=None, **more):
    body = {"field": field, "values": list(values), "version": version or made.version, "columns": ["age"], **more}
    return client.post(f"/record/{made.pk}/cell/", json.dumps(body), content_type="application/json")


def fields_form(*lines, **more):
    form = {"name": "Actors", "row": [str(place) for place in range(len(lines))], "trust": "review"}
    for place, line in enumerate(lines):
        form |= {f"f-{place}-{name}": value for name, value in line.items()}
    return form | more


# Collections


def test_list_shows_collections_of_the_project_with_their_counts(browser, me, project):
    collection = people(me, project)
    record(me, collection, name="Sarah")

    page = page_of(browser, "/records/")

    assert "People" in page
    assert "1 record" in page
    assert 'href="/records/" title="Records" aria-current="page"' in page


def test_list_says_when_a_collection_or_its_records_changed_last(browser, me, project):
    collection = people(me, project)
    sarah, gone = record(me, collection, name="Sarah"), record(me, collection, name="Gone")
    services.delete_record(actor=me, record_id=gone.pk)
    Collection.objects.update(updated_at=datetime(2020, 5, 4, 12, tzinfo=UTC))
    Record.objects.filter(pk=sarah.pk).update(updated_at=datetime(2021, 7, 6, 12, tzinfo=UTC))

    rows = use_selectors.with_last_change(selectors.list_collections(me, project_id=project.pk))

    assert {row.slug: row.changed_at.year for row in rows} == {"people": 2021, "places": 2020}
    said = re.findall(r"Changed (?:<[^>]+>)?([^<]+)", page_of(browser, "/records/"))
    assert len(said) == 2
    assert [[year for year in ("2020", "2021") if year in each] for each in said] == [["2021"], ["2020"]]


def test_form_builder_makes_a_collection_with_its_rules(browser, project):
    form = fields_form(
        {"title": "Full name", "kind": "text", "required": "on", "unique": "on"},
        {"title": "Größe (cm)", "kind": "integer", "needed": "on", "default": "170", "aliases": "height, tall"},
        {"title": "Role", "kind": "choice", "choices": "lead\r\nextra"},
        {"title": "Friends", "kind": "relation", "relation": ".", "is_list": "on"},
        {"title": "", "kind": "text"},
        title_template="{full_name}",
    )

    answer = browser.post("/records/new/", form)

    made = Collection.objects.get()
    assert answer["Location"] == table(made)
    assert (made.slug, made.title_template, made.unique_keys) == ("actors", "{full_name}", [["full_name"]])
    assert (made.needed, made.aliases) == (["groesse_cm"], {"groesse_cm": ["height", "tall"]})
    document = _document(made)
    assert document["required"] == ["full_name"]
    assert document["properties"]["groesse_cm"] == {"type": "integer", "title": "Größe (cm)", "default": 170}
    assert document["properties"]["role"]["enum"] == ["lead", "extra"]
    assert document["properties"]["friends"]["x-relation"] == "actors"


def _document(collection):
    return CollectionSchema.objects.get(collection=collection, number=collection.schema_number).document


def test_form_builder_says_what_is_wrong_beside_the_line_and_keeps_the_rest(browser, project):
    form = fields_form(
        {"title": "Role", "kind": "choice"}, {"title": "Name", "kind": "text", "help": "As on the poster"}
    )

    answer = browser.post("/records/new/", form)

    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="f-0-wrong"' in page
    assert "As on the poster" in page
    assert not Collection.objects.exists()


def test_csv_header_and_schema_become_lines_of_the_form(browser, project):
    table_page = browser.post("/records/new/", {"read": "csv", "text": "Name;Age;Born\nSarah;28;1998-04-02\n"})
    schema = {
        "type": "object",
        "title": "Props",
        "properties": {"of": {"anyOf": [{"type": "string"}, {"type": "array"}]}},
    }
    schema_page = browser.post("/records/new/", {"read": "schema", "text": json.dumps(schema)})
    broken = browser.post("/records/new/", {"read": "schema", "text": '{"type": 3'})

    page = table_page.content.decode()
    assert 'value="Born"' in page
    assert '<option value="date" selected>' in page
    assert '<option value="integer" selected>' in page
    page = schema_page.content.decode()
    assert 'value="Props"' in page
    assert '<option value="other" selected>' in page
    assert broken.status_code == 400
    assert "This is not a JSON object." in broken.content.decode()


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_uploaded_table_has_a_megabyte_at_most(browser, project, more, status):
    rows = (b"Name;Age\n" + b"Sarah;28\n" * 120_000)[: 1024 * 1024 + more]

    answer = browser.post("/records/new/", {"read": "csv", "file": SimpleUploadedFile("cast.csv", rows)})

    assert answer.status_code == status


def test_pasted_text_that_is_no_table_is_refused(browser, project):
    answer = browser.post("/records/new/", {"read": "csv", "text": 'Name\n"' + "x" * 1_000_001})
    old = SimpleUploadedFile("cast.csv", b"Name;Age\rSarah;28\r")  # lines as they once ended

    assert (answer.status_code, "This is not a table." in answer.content.decode()) == (400, True)
    assert 'value="Age"' in browser.post("/records/new/", {"read": "csv", "file": old}).content.decode()


def test_what_the_form_has_no_place_for_survives_it(browser, project):
    odd = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    base = {"type": "object", "properties": {"of": odd, "name": {"type": "string", "maxLength": 20}}}
    form = fields_form(
        {"origin": "of", "name": "of", "title": "Of", "kind": "other"},
        {"origin": "name", "name": "name", "title": "Name", "kind": "text"},
        base=json.dumps(base),
    )

    browser.post("/records/new/", form)

    assert _document(Collection.objects.get())["properties"] == {"of": odd, "name": {"type": "string", "maxLength": 20}}


def test_change_that_breaks_is_shown_before_it_is_saved(browser, me, project):
    collection = places(me, project)
    record(me, collection, name="Alfama")
    form = fields_form(
        {"origin": "name", "name": "name", "title": "Name", "kind": "integer", "required": "on"}, name="Places"
    )

    shown = browser.post(f"{table(collection)}fields/", form)
    page = shown.content.decode()
    digest = page.partition('name="seen" value="')[2].partition('"')[0]

    assert "This change breaks something" in page
    assert "Of 1 records looked at, 1 does not fit any more:" in page
    assert Collection.objects.get().schema_number == 1
    browser.post(f"{table(collection)}fields/", form | {"seen": digest})
    assert _document(Collection.objects.get())["properties"]["name"]["type"] == "integer"


def test_renamed_field_says_what_it_was(browser, me, project):
    collection = places(me, project)
    form = fields_form(
        {"origin": "name", "name": "title", "title": "Title", "kind": "text", "required": "on"}, name="Places"
    )

    browser.post(f"{table(collection)}fields/", form)

    assert _document(Collection.objects.get())["properties"]["title"]["x-was"] == "name"


def test_collection_is_deleted_and_brought_back_from_its_pages(browser, me, project):
    collection = places(me, project)

    browser.post(f"{table(collection)}act/delete/")
    assert page_of(browser, table(collection), 404)
    assert "Places" in page_of(browser, "/records/?view=deleted")
    browser.post(f"{table(collection)}act/restore/")

    assert "Places" in page_of(browser, "/records/")


# Table


def test_table_shows_values_as_people_read_them(browser, me, project):
    collection = people(me, project, needed=["age"])
    home = record(me, Collection.objects.get(slug="places"), name="Alfama")
    record(me, collection, name="<b>Sarah</b>", age=28, born="1998-04-02", is_alive=True, lives_in=str(home.pk))

    page = page_of(browser, table(collection))

    assert "&lt;b&gt;Sarah&lt;/b&gt;" in page
    assert "<b>Sarah" not in page
    assert "2 April 1998" in page
    assert ">Yes<" in page.replace("\n", "")
    assert f'<a class="record-chip" href="/record/{home.pk}/">#Alfama</a>' in page
    assert "Complete" in page


def test_conditions_stand_as_chips_that_can_be_taken_away(browser, me, project):
    collection = people(me, project)
    record(me, collection, name="Sarah", age=28)
    record(me, collection, name="Odete", age=73)

    built = browser.get(table(collection), {"f": "age", "o": "over", "v": "30", "sort": "title"})
    page = page_of(browser, built["Location"])

    assert built["Location"] == f"{table(collection)}?where=age%3Aover%3A30&sort=title"
    assert "Odete" in page
    assert "Sarah" not in page
    assert "<b>over 30</b>" in page
    assert 'href="?sort=title" aria-current="true"' in page
    assert "Nothing fits" in page_of(browser, f"{table(collection)}?where=age:over:99")
    assert "There is no field “shoe”." in page_of(browser, f"{table(collection)}?where=shoe:is:43")


def test_words_find_and_the_order_is_the_api_s(browser, me, project):
    collection = people(me, project)
    for name in ("Beatriz", "Ana", "Carla"):
        record(me, collection, name=name, tags=["press"] if name != "Carla" else [])

    page = page_of(browser, f"{table(collection)}?q=press&sort=-title")

    assert page.index("Beatriz") < page.index("Ana<")
    assert "Carla" not in page


@pytest.mark.parametrize("count", [1, 3, 30])
def test_table_asks_the_same_number_of_questions(browser, me, project, count, django_assert_max_num_queries):
    collection = people(me, project)
    home = record(me, Collection.objects.get(slug="places"), name="Alfama")
    for number in range(count):
        record(me, collection, name=f"Somebody {number}", lives_in=str(home.pk))
    browser.get(table(collection))

    with django_assert_max_num_queries(TABLE_QUERIES):
        browser.get(table(collection))


TABLE_QUERIES = 17


def test_chosen_rows_are_deleted_and_brought_back(browser, me, project):
    collection = people(me, project)
    rows = [record(me, collection, name=name) for name in ("Ana", "Beatriz", "Carla")]
    chosen = [str(row.pk) for row in rows[:2]]

    browser.post(f"{table(collection)}rows/", {"record": chosen, "act": "delete", "back": "?sort=title"})
    page = page_of(browser, table(collection))

    assert "2 records deleted." in page
    assert "Ana" in page_of(browser, f"{table(collection)}deleted/")
    browser.post(f"{table(collection)}rows/", {"record": chosen, "act": "restore"})
    assert Record.objects.filter(deleted_at=None).count() == 3


def test_reader_sees_the_table_without_what_writes(me, project):
    collection = people(me, project)
    made = record(me, collection, name="Sarah")
    client = Client()
    client.force_login(reader_of(project))

    page = page_of(client, table(collection))

    assert "Sarah" in page
    assert "data-field=" not in page
    assert f"{table(collection)}add/" not in page
    assert change(client, made, "name", "Eve").status_code == 403
    assert client.post(f"{table(collection)}rows/", {"record": [made.pk], "act": "delete"}).status_code == 403
    assert client.get(f"{table(collection)}fields/").status_code == 403
    assert Record.objects.get().data == {"name": "Sarah"}


PAGES = ["", "add/", "choices/", "deleted/", "fields/"]


def test_strangers_find_nothing(me, project):
    collection = people(me, project)
    made = record(me, collection, name="Sarah")
    stranger = UserFactory()
    ProjectFactory(owner=stranger)
    client = Client()
    client.force_login(stranger)

    for path in [table(collection) + each for each in PAGES] + [
        f"/record/{made.pk}/{each}" for each in ("", "edit/", "history/", "cell/")
    ]:
        assert client.get(path).status_code == 404, path
    for path in (f"{table(collection)}rows/", f"{table(collection)}views/", f"/record/{made.pk}/act/delete/"):
        assert client.post(path, {"record": [made.pk], "act": "delete"}).status_code == 404, path
    assert change(client, made, "name", "Eve").status_code == 404
    assert Record.objects.get().deleted_at is None


# Cells


@pytest.mark.parametrize(
    ("field", "values", "kept"),
    [
        ("age", ["29"], 29),
        ("age", [""], None),
        ("name", ["  Tomás "], "Tomás"),
        ("is_alive", ["false"], False),
        ("born", ["1998-04-02"], "1998-04-02"),
        ("tags", ["press\nnight shift\n"], ["press", "night shift"]),
    ],
)
def test_cell_keeps_what_was_typed_as_the_field_s_kind(browser, me, project, field, values, kept):
    made = record(me, people(me, project), name="Sarah", age=28, tags=["a"])

    answer = change(browser, made, field, *values)

    assert answer.status_code == 200
    assert Record.objects.get().data.get(field) == kept
    assert answer.json()["version"] == 2
    assert f'id="row-{made.pk}"' in answer.json()["html"]


def test_cell_that_does_not_fit_is_refused_in_the_schema_s_words(browser, me, project):
    made = record(me, people(me, project), name="Sarah", age=28)

    answers = [
        change(browser, made, "age", "old"),
        change(browser, made, "age", "-1"),
        change(browser, made, "shoe", "1"),
    ]

    assert [each.status_code for each in answers] == [400, 400, 404]
    assert answers[0].json()["errors"][0]["field"] == "data.age"
    assert Record.objects.get().data["age"] == 28
    assert browser.post(f"/record/{made.pk}/cell/", "[", content_type="application/json").status_code == 400


def test_cell_changed_by_somebody_else_is_a_conflict_and_shows_what_is_there(browser, me, project):
    made = record(me, people(me, project), name="Sarah", age=28)
    services.change_record(actor=me, record_id=made.pk, changes={"age": 30})

    answer = change(browser, made, "age", "29", version=1)
    now = browser.get(f"/record/{made.pk}/cell/?column=age").json()

    assert (answer.status_code, answer.json()["code"], answer.json()["current"]) == (412, "version_mismatch", 2)
    assert now["version"] == 2
    assert 'data-raw="30"' in now["html"]
    assert change(browser, made, "age", "29", version=2).status_code == 200


def test_choices_are_found_by_the_beginnings_of_words(browser, me, project):
    collection = people(me, project)
    for name in ("Sarah Almeida", "Tomás Almeida", "Odete"):
        record(me, collection, name=name)

    found = page_of(browser, f"{table(collection)}choices/?q=alm")

    assert found.count('role="option"') == 2
    for text in ("tomás", "tomas"):
        assert "Tomás Almeida" in page_of(browser, f"{table(collection)}choices/?q={text}")
    assert "Nothing found" in page_of(browser, f"{table(collection)}choices/?q=x%27%3A*%20%26")


# Forms


def test_form_makes_a_record_or_says_what_is_wrong_beside_the_field(browser, me, project):
    collection = people(me, project, unique_keys=[["name"]])

    wrong = browser.post(f"{table(collection)}add/", {"v-name": "", "v-age": "x"})
    made = browser.post(f"{table(collection)}add/", {"v-name": "Sarah", "v-age": "28", "v-tags": "press\r\nnight"})
    again = browser.post(f"{table(collection)}add/", {"v-name": "sarah"})

    page = wrong.content.decode()
    assert wrong.status_code == 400
    assert 'id="n-age"' in page
    assert 'value="x"' in page
    kept = Record.objects.get()
    assert made["Location"] == f"/record/{kept.pk}/"
    assert kept.data == {"name": "Sarah", "age": 28, "tags": ["press", "night"]}
    assert again.status_code == 409
    assert f'href="/record/{kept.pk}/"' in again.content.decode()


def test_edit_form_changes_only_what_was_changed_and_tells_of_others(browser, me, project):
    made = record(me, people(me, project), name="Sarah", age=28, tags=["a", "b"])
    services.change_record(actor=me, record_id=made.pk, changes={"age": 30})
    form = {"v-name": "Sara", "v-age": "28", "v-tags": "a\r\nb", "version": "1"}

    stale = browser.post(f"/record/{made.pk}/edit/", form)
    browser.post(f"/record/{made.pk}/edit/", form | {"version": "2"})

    assert stale.status_code == 412
    assert 'value="Sara"' in stale.content.decode()
    assert Record.objects.get().data == {"name": "Sara", "age": 28, "tags": ["a", "b"]}


# One record


@pytest.fixture
def sourced(owner, me, project):
    collection = people(me, project)
    made = record(me, collection, name="Sarah", age=28, is_alive=True)
    conversation = start(me, project, title="The ledger")
    message = say(me, conversation, "Our lead is Sarah, a 28-year-old journalist.").message
    run = ExtractionRun.objects.create(
        organization=project.organization, project=project, requested_by=owner, collections=[collection.pk]
    )
    for field, start_at, end in (("name", 12, 17), ("age", 21, 32), ("is_alive", 0, 0)):
        FieldSource.objects.create(
            organization=project.organization,
            record=made,
            run=run,
            field=f"/{field}",
            value_digest=value_digest(made.data[field]),
            message_id=message.pk if end else None,
            method="exact" if end else "",
            start=start_at,
            end=end,
        )
    return made


def test_record_shows_the_words_behind_each_value(browser, sourced):
    page = page_of(browser, f"/record/{sourced.pk}/")

    assert '<mark class="prov">28-year-old<sup>2</sup></mark>' in page
    assert "“Sarah”" in page
    assert "Inferred" in page
    assert "The ledger" in page


def test_words_of_a_private_conversation_stay_closed(owner, me, project, sourced):
    Conversation.objects.update(visibility="private")
    client = Client()
    client.force_login(reader_of(project))

    page = page_of(client, f"/record/{sourced.pk}/")

    assert "from words that are closed to you" in page
    assert "journalist" not in page
    assert "The ledger" not in page


def test_record_shows_links_both_ways_and_a_picture_of_them(browser, me, project):
    collection = people(me, project)
    tomas = record(me, collection, name="Tomás")
    sarah = record(me, collection, name="Sarah", siblings=[str(tomas.pk)])

    page = page_of(browser, f"/record/{tomas.pk}/")
    whole = page_of(browser, f"{table(collection)}?look=graph")

    assert f'href="/record/{sarah.pk}/"' in page
    assert "points here with “Siblings”, in People" in page
    assert page.count("<circle") == 2
    assert whole.count("<line ") == 1


def test_history_shows_what_changed_and_sets_back(browser, me, project):
    made = record(me, people(me, project), name="Sarah", age=28)
    services.change_record(actor=me, record_id=made.pk, changes={"age": 30})

    page = page_of(browser, f"/record/{made.pk}/history/")
    browser.post(f"/record/{made.pk}/act/set-back/", {"number": "1"})

    assert "</span> 28</del>" in page
    assert "</span> 30</ins>" in page
    assert Record.objects.get().data["age"] == 28
    assert "Not set back" not in page_of(browser, f"/record/{made.pk}/")


def test_deleted_record_is_brought_back_from_its_history(browser, me, project):
    made = record(me, people(me, project), name="Sarah")

    browser.post(f"/record/{made.pk}/act/delete/")
    assert "This record is deleted." in page_of(browser, f"/record/{made.pk}/history/")
    browser.post(f"/record/{made.pk}/act/restore/")

    assert Record.objects.get().deleted_at is None


# Views


def test_view_keeps_what_the_table_shows(browser, me, project):
    collection = people(me, project)
    record(me, collection, name="Sarah", age=28)
    record(me, collection, name="Odete", age=73)

    kept = browser.post(
        f"{table(collection)}views/", {"name": "Elders", "state": "?where=age%3Aover%3A60&sort=title&columns=age"}
    )
    page = page_of(browser, kept["Location"])

    view = RecordView.objects.get()
    assert view.state["where"] == ["age:over:60"]
    assert "Odete" in page
    assert "Sarah" not in page
    assert "Save in the view" not in page
    assert "Save in the view" in page_of(browser, f"{table(collection)}?view={view.pk}&sort=-title")
    asking = re.search(r'<dialog[^>]* id="delete-view".*?</dialog>', page, re.DOTALL)[0]
    assert f'action="{table(collection)}views/{view.pk}/"' in asking
    assert 'name="act" value="delete"' in asking
    assert re.search(r'type="button"[^>]* commandfor="delete-view"', page)
    browser.post(f"{table(collection)}views/{view.pk}/", {"act": "delete"})
    assert not RecordView.objects.exists()


def test_address_of_a_table_says_all_of_it():
    asked = asked_in(
        QueryDict("where=age:over:3&where=name:has:a%26b&q=x&complete=no&columns=age,born&look=cards&sort=title")
    )

    assert asked_in(QueryDict(asked.url().removeprefix("?"))) == asked


def test_picture_draws_the_same_graph_the_same_and_inside():
    pairs = [(0, 1), (1, 2), (2, 0), (3, 4)]

    assert spots(5, pairs, 0) == spots(5, pairs, 0)
    assert all(0 < x < 880 and 0 < y < 560 for x, y in spots(60, pairs))
    assert len(set(spots(5, pairs))) == 5
