"""Views of collections and comments on records: who has them, who may change them, and what is left of a person."""

import re

import pytest
from django.test import Client

from apps.accounts.types import ProjectRole
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.models import Event
from apps.extraction import services, use_selectors
from apps.extraction.erasers import _erase_person, _rows_of
from apps.extraction.models import RecordComment, RecordView
from apps.extraction.types import TooManyViews, ViewNameTaken
from tests.accounts.factories import actor_of, add_to_project, bearer, key_of, member_of, reader_of
from tests.extraction.factories import people, record

pytestmark = pytest.mark.django_db
JSON = {"content_type": "application/json"}


@pytest.fixture
def editor(project):
    user = member_of(project)
    add_to_project(user, project, role=ProjectRole.EDITOR)
    return actor_of(user)


def test_view_is_its_owner_s_until_it_is_shared(me, editor, project):
    collection = people(me, project)
    view = services.keep_view(actor=editor, collection_id=collection.pk, name="Mine", state={"sort": "title"})

    with pytest.raises(NotFound):
        use_selectors.get_view(view_id=view.pk, viewer=me)
    services.change_view(actor=editor, view_id=view.pk, changes={"is_shared": True})

    assert [row.name for row in use_selectors.list_views(me, collection=collection)] == ["Mine"]
    services.change_view(actor=me, view_id=view.pk, changes={"name": "Ours"})
    with pytest.raises(Forbidden):
        services.delete_view(actor=actor_of(reader_of(project)), view_id=view.pk)
    assert Event.objects.filter(type="extraction.view_kept").count() == 3


def test_reader_keeps_views_for_themselves_and_shares_none(me, project):
    collection = people(me, project)
    reader = actor_of(reader_of(project))

    services.keep_view(actor=reader, collection_id=collection.pk, name="Mine", state={})
    with pytest.raises(Forbidden):
        services.keep_view(actor=reader, collection_id=collection.pk, name="Ours", state={}, is_shared=True)

    assert RecordView.objects.count() == 1


def test_view_has_a_name_of_its_own_and_conditions_that_fit(me, project, monkeypatch):
    collection = people(me, project)
    services.keep_view(actor=me, collection_id=collection.pk, name="Adults", state={"where": ["age:over:17"]})

    with pytest.raises(ViewNameTaken):
        services.keep_view(actor=me, collection_id=collection.pk, name="Adults", state={})
    with pytest.raises(Invalid):
        services.keep_view(actor=me, collection_id=collection.pk, name="Shoes", state={"where": ["shoe:is:43"]})
    monkeypatch.setattr("apps.extraction.services.views.MAX_VIEWS_A_COLLECTION", 1)
    with pytest.raises(TooManyViews):
        services.keep_view(actor=me, collection_id=collection.pk, name="One more", state={})


def test_comment_is_changed_by_its_author_and_deleted_by_a_manager(me, editor, project):
    made = record(me, people(me, project), name="Sarah")
    comment = services.add_comment(actor=editor, record_id=made.pk, text=" From Alfama? ")

    services.change_comment(actor=editor, comment_id=comment.pk, text="From Alfama.")
    with pytest.raises(Forbidden):
        services.change_comment(actor=me, comment_id=comment.pk, text="From Setúbal.")
    with pytest.raises(Invalid):
        services.add_comment(actor=editor, record_id=made.pk, text="  ")
    with pytest.raises(Forbidden):
        services.add_comment(actor=actor_of(reader_of(project)), record_id=made.pk, text="Hello")
    assert RecordComment.objects.get().text == "From Alfama."
    services.delete_comment(actor=me, comment_id=comment.pk)

    kept = RecordComment.objects.get()
    assert (kept.text, kept.deleted_at is None) == ("", False)
    assert list(use_selectors.list_comments(made)) == []


def test_page_asks_before_a_comment_is_deleted(owner, me, project):
    made = record(me, people(me, project), name="Sarah")
    comment = services.add_comment(actor=me, record_id=made.pk, text="From Alfama?")
    client = Client()
    client.force_login(owner)

    page = client.get(f"/record/{made.pk}/").content.decode()

    asking = re.search(rf'<dialog[^>]* id="delete-comment-{comment.pk.hex}".*?</dialog>', page, re.DOTALL)[0]
    assert 'name="act" value="delete"' in asking
    assert f'action="/record/{made.pk}/comments/{comment.pk}/"' in asking
    assert 'value="delete"' not in page.replace(asking, "")
    assert "The newest 100 are shown" not in page


def test_page_says_that_it_shows_the_newest_comments_alone(owner, me, project, monkeypatch):
    monkeypatch.setattr("apps.extraction.pages.records.SHOWN_COMMENTS", 1)
    made = record(me, people(me, project), name="Sarah")
    for text in ("Older", "Newer"):
        services.add_comment(actor=me, record_id=made.pk, text=text)
    client = Client()
    client.force_login(owner)

    page = client.get(f"/record/{made.pk}/").content.decode()

    assert "Newer" in page
    assert "Older" not in page
    assert "The newest 100 are shown" in page


def test_views_and_comments_over_the_api(owner, me, project):
    api = Client(headers=bearer(key_of(owner, project.organization)))
    collection = people(me, project)
    made = record(me, collection, name="Sarah")
    views, comments = f"/api/v1/collections/{collection.pk}/views/", f"/api/v1/records/{made.pk}/comments/"

    view = api.post(views, {"name": "Adults", "state": {"where": ["age:over:17"], "look": "cards"}}, **JSON).json()
    changed = api.patch(f"{views}{view['id']}/", {"is_shared": True}, **JSON, headers={"If-Match": '"1"'}).json()
    stale = api.patch(f"{views}{view['id']}/", {"name": "x"}, **JSON, headers={"If-Match": '"1"'})
    comment = api.post(comments, {"text": "From Alfama?"}, **JSON).json()
    edited = api.patch(f"{comments}{comment['id']}/", {"text": "From Alfama."}, **JSON).json()

    assert (view["state"], changed["is_shared"], stale.status_code) == (
        {"where": ["age:over:17"], "complete": None, "look": "cards"},
        True,
        412,
    )
    assert [row["name"] for row in api.get(views).json()["results"]] == ["Adults"]
    assert api.post(views, {"name": "x", "state": {"sort": "age"}}, **JSON).status_code == 400
    assert (edited["text"], edited["version"], bool(edited["edited_at"])) == ("From Alfama.", 2, True)
    assert api.get(f"/api/v1/records/{view['id']}/comments/").status_code == 404
    assert api.delete(f"{views}{view['id']}/").status_code == 204
    assert api.delete(f"{comments}{comment['id']}/").status_code == 204
    assert api.get(comments).json()["results"] == []


def test_id_of_another_record_s_comment_is_none_here(owner, me, project):
    api = Client(headers=bearer(key_of(owner, project.organization)))
    collection = people(me, project)
    sarah, tomas = record(me, collection, name="Sarah"), record(me, collection, name="Tomás")
    comment = services.add_comment(actor=me, record_id=sarah.pk, text="Hm")
    other = people(me, project, name="Actors")
    view = services.keep_view(actor=me, collection_id=collection.pk, name="All", state={})

    assert api.patch(f"/api/v1/records/{tomas.pk}/comments/{comment.pk}/", {"text": "x"}, **JSON).status_code == 404
    assert api.delete(f"/api/v1/collections/{other.pk}/views/{view.pk}/").status_code == 404
    assert RecordComment.objects.get().text == "Hm"


def test_person_takes_their_views_and_comments_along_and_leaves_what_others_use(me, editor, project):
    collection = people(me, project)
    made = record(me, collection, name="Sarah")
    services.keep_view(actor=editor, collection_id=collection.pk, name="Mine", state={})
    services.keep_view(actor=editor, collection_id=collection.pk, name="Ours", state={}, is_shared=True)
    services.add_comment(actor=editor, record_id=made.pk, text="From Alfama.")

    told = _rows_of(editor.user_id)
    _erase_person(editor.user_id)

    assert [row["name"] for row in told["views"]] == ["Mine", "Ours"]
    assert [row["text"] for row in told["comments"]] == ["From Alfama."]
    assert [row.name for row in RecordView.objects.all()] == ["Ours"]
    assert RecordComment.objects.count() == 1
