"""The page and the list of a project's files: what one may read, where it is used, and who deletes."""

import re

import pytest
from django.test import Client

from apps.core.errors import NotFound
from apps.files import selectors
from apps.files.models import File
from apps.files.pages import views
from tests.accounts.factories import UserFactory, actor_of, bearer, key_of, member_of
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
