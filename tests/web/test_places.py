"""Where a page begins: in the project that the person works in."""

import pytest
from django.test import Client

from apps.accounts.models import Project
from apps.conversations import services
from apps.core.ids import uuid7
from tests.accounts.factories import ProjectFactory, actor_of
from tests.accounts.fixtures import first, owner

__all__ = ["first", "owner"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def second(owner, first):
    return ProjectFactory(owner=owner, name="Harbour Film")


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def talk_in(project, owner):
    return services.start_conversation(actor=actor_of(owner), project_id=project.pk)


def post(user, conversation):
    services.post_message(actor=actor_of(user), conversation_id=conversation.pk, content="Hello.", client_id=uuid7())


def here(browser):
    return browser.get("/").context["project"].name


def test_who_makes_a_project_goes_on_in_it(owner, first):
    browser = browser_of(owner)

    made = browser.post(
        "/settings/projects/", {"name": "Harbour Film", "description": "", "access": "restricted"}, follow=True
    )

    assert made.redirect_chain == [("/", 302)]
    assert made.context["project"] == Project.objects.get(name="Harbour Film")
    assert "The project Harbour Film is there." in made.content.decode()
    assert here(browser) == "Harbour Film"


def test_new_session_begins_where_the_person_last_wrote(owner, first, second):
    post(owner, talk_in(second, owner))

    assert here(browser_of(owner)) == "Harbour Film"

    post(owner, talk_in(first, owner))

    assert here(browser_of(owner)) == "First project"


def test_new_session_begins_where_the_person_last_read(owner, first, second):
    post(owner, talk_in(first, owner))
    news = talk_in(second, owner)
    browser_of(owner).get(f"/c/{news.pk}/")

    assert here(browser_of(owner)) == "Harbour Film"


def test_new_session_does_not_begin_where_the_person_may_no_longer_be(owner, first, second):
    post(owner, talk_in(second, owner))
    Project.objects.filter(pk=second.pk).update(archived_at=second.created_at)

    assert here(browser_of(owner)) == "First project"


def test_conversation_that_is_opened_makes_its_project_the_current_one(owner, first, second):
    post(owner, talk_in(first, owner))
    browser, conversation = browser_of(owner), talk_in(second, owner)
    assert here(browser) == "First project"

    browser.get(f"/c/{conversation.pk}/")

    assert here(browser) == "Harbour Film"
