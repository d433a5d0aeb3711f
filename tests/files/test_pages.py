"""The page and the list of a project's files: what one may read, where it is used, and who deletes."""

import re

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client

from apps.accounts.types import SYSTEM
from apps.conversations import services
from apps.conversations.models import Conversation, Message
from apps.core.errors import NotFound
from apps.core.ids import uuid7
from apps.files import selectors
from apps.files.models import File
from apps.files.pages import views
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, join, key_of, member_of
from tests.conversations.factories import say, start
from tests.files import samples
from tests.files.factories import upload

pytestmark = pytest.mark.django_db
LIST = "/api/v1/attachments/"


@pytest.fixture
def other(project):
    return member_of(project)


def page_of(user, query=""):
    client = Client()
    client.force_login(user)
    return client.get(f"/files/{query}").content.decode()


def names(page):
    """In the order of the rows; what is no link opens nothing."""
    return re.findall(r'<td class="name">.*?title="([^"]*)"', page)


def test_list_shows_what_one_may_read_and_where_it_is_used(owner, other, project):
    talk = start(actor_of(other), project, title="Budget of the film")
    shown, private = upload(other, project, name="plan.txt"), upload(other, project, name="diary.txt")
    for _twice in range(2):
        posted = say(actor_of(other), talk, attachments=[shown.pk])
    mine = upload(owner, project, samples.image(), name="port.png")
    upload(owner, project, name="gone.txt")
    File.objects.filter(name="gone.txt").update(deleted_at=File.objects.get(pk=mine.pk).created_at)

    page = page_of(owner)

    assert names(page) == ["port.png", "plan.txt"]
    where = f"/c/{talk.pk}/?message={posted.message.pk}#m-{posted.message.pk}"
    assert page.count(f'href="{where}" title="Budget of the film"') == 1
    assert page.count('<span class="soft">nowhere</span>') == 1
    assert (f'href="/files/{mine.pk}/?download"' in page, f"delete-{mine.pk.hex}" in page) == (True, True)
    assert f"delete-{shown.pk.hex}" not in page
    assert names(page_of(other)) == ["diary.txt", "plan.txt"]
    for user in (owner, other, UserFactory()):
        viewer, found = actor_of(user), set()
        for file in (shown, private, mine):
            try:
                found.add(selectors.get_file(file.pk, viewer))
            except NotFound:
                continue
        assert set(selectors.list_files(viewer)) == found


@pytest.fixture
def hidden(other, project):
    """A reader, and a file for each way to read it or not, all but the last two brought by somebody else of the project."""
    sender, reader = actor_of(other), member_of(project)
    ids = {}

    def bring(title, *, mark=False, private=True, user=other, where=project):
        talk = start(actor_of(user), where, title=title, visibility="private" if private else "project")
        file = upload(user, where, title.encode(), name=f"{title}.txt")
        ids[file.name] = file.pk
        return talk, say(actor_of(user), talk, attachments=[file.pk], sensitive=mark).message, file

    def let_in(talk):
        services.invite_participant(actor=sender, conversation_id=talk.pk, user_id=reader.pk)

    shown = bring("open", private=False)[2]
    say(sender, bring("private")[0], attachments=[shown.pk])
    bring("sealed", private=False, mark=True)
    bring("sealed and private", mark=True)
    let_in(bring("granted")[0])
    ended = bring("ended")[0]
    let_in(ended)
    services.remove_participant(actor=sender, conversation_id=ended.pk, user_id=reader.pk)
    denied = bring("denied")[0]
    let_in(denied)
    services.deny_participant(actor=sender, conversation_id=denied.pk, user_id=reader.pk)
    Message.objects.filter(pk=bring("deleted message", private=False)[1].pk).update(deleted_at=Now())
    Conversation.objects.filter(pk=bring("deleted talk", private=False)[0].pk).update(deleted_at=Now())
    stranger = UserFactory()
    elsewhere = ProjectFactory(owner=stranger)
    membership = join(reader, elsewhere.organization)
    bring("elsewhere", private=False, user=stranger, where=elsewhere)
    left = bring("left", user=stranger, where=elsewhere)[0]
    services.invite_participant(actor=actor_of(stranger), conversation_id=left.pk, user_id=reader.pk)
    bring("own elsewhere", private=False, user=reader, where=elsewhere)
    membership.delete()
    return reader, elsewhere, ids


READ = {"open.txt": ["open"], "sealed.txt": ["sealed"], "granted.txt": ["granted"]}


def test_nothing_is_listed_that_one_may_not_read(hidden, project):
    reader, elsewhere, ids = hidden
    api = Client()
    api.force_login(reader)
    page = page_of(reader)
    uses = selectors.uses_of(actor_of(reader), ids.values(), most=5)

    assert sorted(names(page)) == sorted(READ)
    for query, read in (({}, READ), ({"project": project.pk}, READ), ({"project": elsewhere.pk}, {})):
        assert sorted(each["name"] for each in api.get(LIST, query).json()["results"]) == sorted(read)
    assert {name: [use.label for use in uses[pk].named] for name, pk in ids.items()} == {
        name: READ.get(name, []) for name in ids
    }
    assert {name: uses[pk].count for name, pk in ids.items()} == {name: int(name in READ) for name in ids}
    assert re.findall(r'title="([^"]*)">\1</a></td><td class="low">', page) == ["granted", "sealed", "open"]


def test_whoever_brought_them_is_told_of_all_and_of_what_is_read_no_more_only_that(other, hidden):
    _reader, _elsewhere, ids = hidden
    theirs = {name: pk for name, pk in ids.items() if "elsewhere" not in name and name != "left.txt"}
    uses = selectors.uses_of(actor_of(other), theirs.values(), most=5)

    assert sorted(names(page_of(other))) == sorted(theirs)
    assert {name: [use.label for use in uses[pk].named] for name, pk in theirs.items()} == {
        "open.txt": ["private", "open"],
        "private.txt": ["private"],
        "sealed.txt": ["sealed"],
        "sealed and private.txt": ["sealed and private"],
        "granted.txt": ["granted"],
        "ended.txt": ["ended"],
        "denied.txt": ["denied"],
        "deleted message.txt": [],
        "deleted talk.txt": [],
    }


def test_platform_lists_every_file(hidden):
    _reader, _elsewhere, ids = hidden

    assert set(selectors.list_files(SYSTEM).values_list("pk", flat=True)) == set(ids.values())


def test_many_uses_of_one_file_leave_room_for_the_others(owner, other, project):
    much, hidden_use, none = (upload(owner, project, name=name) for name in ("much.txt", "hidden.txt", "none.txt"))
    for number in range(4):
        talk = start(actor_of(owner), project, title=f"Talk {number}")
        say(actor_of(owner), talk, attachments=[much.pk] if number else [much.pk, hidden_use.pk])
        if not number:
            Conversation.objects.filter(pk=talk.pk).update(deleted_at=Now())

    uses = selectors.uses_of(actor_of(owner), [much.pk, hidden_use.pk, none.pk], most=1)
    page = page_of(owner)

    assert ([use.label for use in uses[much.pk].named], uses[much.pk].count) == (["Talk 3"], 3)
    assert (uses[hidden_use.pk].count, none.pk in uses) == (0, False)
    assert re.findall(r'<span class="soft">([^<]*)</span>', page) == ["nowhere", "nowhere that you read"]
    assert "and 1 more" in page


def test_views_names_and_sizes(owner, other, project):
    upload(owner, project, b"x" * 3000, name="Long report.txt")
    upload(owner, project, samples.image(), name="port.png")
    upload(owner, project, b"short", name="report.txt")

    assert names(page_of(owner)) == ["report.txt", "port.png", "Long report.txt"]
    assert names(page_of(owner, "?sort=largest"))[::2] == ["Long report.txt", "report.txt"]
    assert names(page_of(owner, "?view=pictures")) == ["port.png"]
    assert names(page_of(owner, "?view=documents&q=report+LONG")) == ["Long report.txt"]
    assert names(page_of(owner, "?view=mine&sort=none")) == ["report.txt", "port.png", "Long report.txt"]
    assert "Nothing matches “&lt;b&gt;”" in page_of(owner, "?q=<b>")
    assert "No such files yet" in page_of(owner, "?view=media")
    assert "No files yet" in page_of(other)


def test_long_list_has_pages_in_its_order(owner, project, monkeypatch):
    monkeypatch.setattr(views, "WINDOW", 2)
    for number in (1, 2, 3):
        upload(owner, project, b"x" * 100 * number, name=f"{number}.txt")

    first = page_of(owner, "?sort=largest")
    query = re.search(r'href="(\?[^"]*)" rel="next">Smaller', first)[1].replace("&amp;", "&")

    assert names(first) == ["3.txt", "2.txt"]
    assert names(page_of(owner, query)) == ["1.txt"]
    assert ">Larger</a>" in page_of(owner, query)


def test_page_that_has_no_file_any_more_gives_way_to_the_one_beside_it(client, owner, project, monkeypatch):
    monkeypatch.setattr(views, "WINDOW", 2)
    ids = {number: str(upload(owner, project, name=f"{number}.txt").pk) for number in range(1, 6)}
    client.force_login(owner)

    def beside(page, rel):
        return re.search(f'href="([^"]*)" rel="{rel}"', page)[1].replace("&amp;", "&")

    second = beside(page_of(owner), "next")
    last = beside(page_of(owner, second), "next")
    before = beside(page_of(owner, second), "prev")
    page = client.post(f"/files/{last}", {"file": ids[1]}, follow=True).content.decode()

    assert names(page) == ["3.txt", "2.txt"]
    assert ('rel="prev"' in page, 'rel="next"' in page) == (True, False)
    assert names(page_of(owner, beside(page, "prev"))) == ["5.txt", "4.txt"]
    for number in (4, 5):
        client.post("/files/", {"file": ids[number]})
    assert names(page_of(owner, before)) == ["3.txt", "2.txt"]
    assert 'rel="' not in page_of(owner, before).partition("</table>")[2]
    api = Client(headers=bearer(key_of(owner, project.organization)))
    on = api.get(LIST, {"limit": 1}).json()["next"]
    File.objects.filter(name="2.txt").update(deleted_at=Now())
    assert api.get(LIST, {"limit": 1, "cursor": on}).json()["results"] == []  # a program goes on until there is nothing


def test_list_goes_along_an_index_with_a_project_and_without(owner, project):
    mine = upload(owner, project)
    of = {field.attname: getattr(mine, field.attname) for field in File._meta.concrete_fields}
    File.objects.bulk_create(File(**of | {"id": uuid7(), "name": str(number)}) for number in range(1000))

    def plan(**only):
        rows = selectors.list_files(actor_of(owner), **only).order_by("-created_at", "-pk")
        return rows[:51].explain()

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE files_file")

    assert "Scan using files_file_list on" in plan(project_id=project.pk)
    assert "Scan using files_file_list_all on" in plan()


def test_owner_deletes_after_a_question_and_nobody_else(owner, other, project, client):
    talk = start(actor_of(owner), project)
    file = upload(owner, project, name="plan.txt")
    say(actor_of(owner), talk, attachments=[file.pk])
    answers = {}
    for user in (other, UserFactory()):
        client.force_login(user)
        answers[user.pk] = client.post("/files/", {"file": str(file.pk)}).status_code

    assert list(answers.values()) == [403, 404]
    assert File.objects.get().deleted_at is None
    client.force_login(owner)
    assert client.post("/files/", {"file": "x"}).status_code == 404
    assert "Delete “plan.txt”?" in client.get("/files/").content.decode()
    answer = client.post("/files/?view=mine", {"file": str(file.pk)})

    assert (answer.status_code, answer.url) == (302, "/files/?view=mine")
    assert File.objects.get().deleted_at is not None
    assert names(page_of(owner)) == []


def test_list_over_the_api(owner, other, project):
    talk = start(actor_of(other), project)
    shown = upload(other, project, name="plan.txt")
    say(actor_of(other), talk, attachments=[shown.pk])
    upload(other, project, name="diary.txt")
    picture = upload(owner, project, samples.image(), name="port.png")
    api = Client(headers=bearer(key_of(owner, project.organization)))

    def listed(**query):
        return [each["id"] for each in api.get(LIST, query).json()["results"]]

    assert listed() == listed(project=str(project.pk)) == [str(picture.pk), str(shown.pk)]
    assert listed(mine=True) == listed(kind="image") == [str(picture.pk)]
    assert listed(q="PLAN") == [str(shown.pk)]
    stranger = UserFactory()
    refused = Client(headers=bearer(key_of(owner, project.organization, scopes=("records:read",)))).get(LIST)
    client = Client()
    client.force_login(stranger)
    assert client.get(LIST).json()["results"] == []
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("count", [1, 3, 30])
def test_lists_take_the_same_queries_for_any_number(owner, other, project, count, django_assert_max_num_queries):
    talk = start(actor_of(other), project)
    ids = [upload(other, project, f"{number}".encode(), name=f"{number}.txt").pk for number in range(count)]
    for begin in range(0, count, 10):
        say(actor_of(other), talk, attachments=ids[begin : begin + 10])
    client, api = Client(), Client(headers=bearer(key_of(owner, project.organization)))
    client.force_login(owner)
    client.get("/files/")

    with django_assert_max_num_queries(4):
        found = api.get(LIST).json()["results"]
    with django_assert_max_num_queries(PAGE_QUERIES):
        page = client.get("/files/").content.decode()

    assert (len(found), len(names(page))) == (count, count)


PAGE_QUERIES = 11
