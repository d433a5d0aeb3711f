"""The pages answer, say where one is, and show strangers nothing."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.accounts.types import SYSTEM, ProjectRole
from apps.agents import services as agents
from apps.conversations import services
from apps.conversations.models import Conversation
from apps.core import preferences
from apps.core.ids import uuid7
from apps.llm import services as llm
from tests.accounts.factories import (
    PASSWORD,
    ProjectFactory,
    ProjectMemberFactory,
    UserFactory,
    actor_of,
    join,
    member_of,
)
from tests.llm.factories import ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Inês Duarte")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner, name="The Port of Lisbon")


@pytest.fixture
def browser(owner, project):
    client = Client()
    client.force_login(owner)
    return client


def begin(owner, project, *contents):
    conversation = services.start_conversation(actor=actor_of(owner), project_id=project.pk, title="Night shift")
    for content in contents:
        services.post_message(
            actor=actor_of(owner), conversation_id=conversation.pk, content=content, client_id=uuid7()
        )
    return conversation


@pytest.mark.parametrize("name", ["web:home", "web:search", "web:palette", "web:sidebar", "conversations:list"])
def test_pages_answer_members_and_send_strangers_to_sign_in(browser, name):
    assert browser.get(reverse(name)).status_code == 200
    assert Client().get(reverse(name)).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("headers", [{"X-Fragment": "1"}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_part_of_a_page_is_never_the_page_to_sign_in(headers):
    answer = Client().get(reverse("web:sidebar"), headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert not answer.cookies


def test_conversation_without_a_known_cost_is_not_called_free(browser, owner, project):
    conversation = begin(owner, project, "Which quay?")
    counted = Conversation.objects.filter(pk=conversation.pk)
    details = reverse("conversations:context", args=[conversation.pk, "details"])

    for cost, is_said in ((0, False), (2, True)):
        counted.update(input_tokens=10, output_tokens=4, cost=cost)
        listed, shown = (browser.get(path).content.decode() for path in (reverse("conversations:list"), details))
        assert ("$2" in listed, "$2" in shown, "Cost so far" in shown) == (is_said, is_said, is_said)
        assert "free" not in listed.partition("<table")[2].partition("</table>")[0]


def test_home_greets_and_names_the_project(browser):
    page = browser.get("/").content.decode()

    assert "The Port of Lisbon" in page
    assert ", Inês." in page
    assert page.count('class="start"') == 4


def light_on(browser):
    page = browser.get("/").content.decode()
    begin = page.index('id="model-light"')
    return page[begin : page.index("</div>", begin)]


def test_light_of_the_first_page_is_green_for_nobody_whose_test_failed(browser, owner, project):
    organization_id = project.organization_id
    llm.ensure_environment_providers(actor=SYSTEM, organization_id=organization_id)
    alone = light_on(browser)
    agents.create_agent(actor=actor_of(owner), project_id=project.pk, name="Noir", instructions="")
    provider = ProviderFactory(organization=project.organization, name="Broken", source="person")
    model = ModelFactory(provider=provider, name="large")

    llm.note_check(actor=actor_of(owner), provider_id=provider.pk, code="auth")
    unasked = light_on(browser)
    llm.set_defaults(actor=actor_of(owner), organization_id=organization_id, default_id=model.pk, fallback_id=None)
    refused = light_on(browser)
    llm.note_check(actor=actor_of(owner), provider_id=provider.pk, code="network")
    unreached = light_on(browser)
    llm.note_check(actor=actor_of(owner), provider_id=provider.pk, code="")
    well = light_on(browser)

    assert "No model is connected, so the demo answers." in alone
    assert "The demo is set to answer, although other models are connected." in unasked
    assert "Noir cannot answer at the moment: Broken: key refused." in refused
    assert 'data-kind="warn"' in unreached
    assert "Noir answers, on large, but the last test of its provider failed." in unreached
    assert 'data-kind="good"' in well


def test_home_of_a_viewer_offers_nothing_to_write(project):
    viewer = UserFactory()
    join(viewer, project.organization)
    ProjectMemberFactory(project=project, user=viewer, role=ProjectRole.VIEWER)
    client = Client()
    client.force_login(viewer)

    page = client.get("/").content.decode()

    assert "The Port of Lisbon" in page
    assert 'class="composer"' not in page
    assert 'id="draft"' not in page
    assert "start#suggest" not in page
    assert "You may read in this project, but not write." in page


def test_chat_page_shows_messages_and_never_markup_of_people(browser, owner, project):
    conversation = begin(owner, project, "Hello <script>alert(1)</script> **there**")

    page = browser.get(reverse("conversations:page", args=[conversation.pk])).content.decode()

    assert "<strong>there</strong>" in page
    assert "<script>alert" not in page
    assert "Night shift" in page


def test_no_page_carries_inline_style_or_script(browser, owner, project):
    conversation = begin(owner, project, "Hello")

    for path in ("/", "/search/", "/conversations/", f"/c/{conversation.pk}/"):
        page = browser.get(path).content.decode()
        assert " style=" not in page
        assert "onclick" not in page
        for script in page.split("<script")[1:]:
            head = script.partition(">")[0]
            assert 'nonce="' in head or 'type="application/json"' in head


def test_stranger_gets_the_same_404_as_for_no_conversation(owner, project):
    conversation = begin(owner, project, "Hello")
    stranger = UserFactory()
    ProjectFactory(owner=stranger)
    client = Client()
    client.force_login(stranger)

    hidden = client.get(reverse("conversations:page", args=[conversation.pk]))
    missing = client.get(reverse("conversations:page", args=[uuid7()]))

    assert hidden.status_code == missing.status_code == 404
    assert "Nothing here" in hidden.content.decode()


def test_switch_project_takes_only_what_one_may_see(browser, owner, project):
    hidden = ProjectFactory()

    assert browser.post(reverse("web:switch_project"), {"project": hidden.pk}).status_code == 404
    assert browser.post(reverse("web:switch_project"), {"project": "x"}).status_code == 404
    assert browser.post(reverse("web:switch_project"), {"project": project.pk}).headers["Location"] == "/"


@pytest.mark.parametrize("rows", [1, 3, 30])
def test_sidebar_takes_the_same_queries_whatever_it_lists(browser, owner, project, rows, django_assert_max_num_queries):
    for _index in range(rows):
        begin(owner, project, "Hello")

    with django_assert_max_num_queries(9):
        browser.get(reverse("web:sidebar"))


@pytest.mark.parametrize("questions", [1, 3, 15])
def test_chat_page_takes_the_same_queries_whatever_it_shows(
    browser, owner, project, questions, django_assert_max_num_queries
):
    conversation = begin(owner, project, *(f"Question {number}" for number in range(questions)))
    browser.get(f"/c/{conversation.pk}/")

    with django_assert_max_num_queries(27):  # one of them for the settings, which are kept for two seconds
        browser.get(f"/c/{conversation.pk}/")


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("q=nothing", "titles, messages and records"),
        ("q=nothing&tag=x", "titles and messages"),
        ("since=2099-01-01", "titles and messages"),
    ],
)
def test_search_that_finds_nothing_says_where_it_looked(browser, query, places):
    assert f"Looked in {places} you may read." in browser.get(f"/search/?{query}").content.decode()


@pytest.mark.parametrize(("shown", "pushed"), [("q=tram", None), ("q=trams", "false")])
def test_search_for_the_same_again_is_no_step_of_its_own(browser, shown, pushed):
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/search/?{shown}"}
    assert browser.get("/search/?q=trams", headers=headers).headers.get("HX-Push-Url") == pushed


def test_search_lists_the_people_of_all_projects_one_may_see(browser, owner, project):
    beside = ProjectFactory(owner=owner)
    people = {owner.pk, member_of(project).pk, member_of(beside).pk}
    member_of(ProjectFactory())

    page = browser.get("/search/", {"project": str(project.pk)})

    assert {person.id for person in page.context["people"]} == people


def test_search_ignores_filters_it_cannot_read(browser):
    page = browser.get(
        "/search/", {"q": "x\x00", "project": "no", "since": "2026-99-99", "min_cost": "cheap", "offset": "-1"}
    )

    assert page.status_code == 200


def test_sign_in_page_signs_in(owner):
    client = Client()

    page = client.get("/accounts/login/").content.decode()
    answer = client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})

    assert "Sign in to Parlance" in page
    assert answer.headers["Location"] == "/"


def test_theme_is_kept_for_the_person(browser, owner):
    assert browser.post("/theme/?theme=dark").status_code == 204
    preferences.forget_kept()

    assert 'data-theme="dark"' in browser.get("/").content.decode()


def test_page_that_is_older_than_the_sign_in_learns_who_is_here_and_their_token(browser, owner):
    told = browser.get("/token/")

    assert told.json()["user"] == str(owner.pk)
    assert told.headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    headers = {"X-CSRFToken": told.json()["token"]}
    assert strict.post("/theme/?theme=dark").status_code == 403
    assert strict.post("/theme/?theme=dark", headers=headers).status_code == 204
    assert Client().get("/token/").headers["Location"].startswith("/accounts/login/")


def test_theme_that_does_not_exist_is_refused(browser):
    assert browser.post("/theme/?theme=mauve").status_code == 400


def test_saved_conversation_comes_back_over_the_page(browser, owner, project):
    begun = begin(owner, project, "Hello")
    saved = services.export_json(conversation=begun, viewer=actor_of(owner))

    answer = browser.post(
        reverse("conversations:import"),
        {"file": SimpleUploadedFile("talk.json", json.dumps(saved).encode(), content_type="application/json")},
    )

    assert answer.headers["Location"].startswith("/c/")
    assert str(begun.pk) not in answer.headers["Location"]
    assert "Hello" in browser.get(answer.headers["Location"]).content.decode()


@pytest.mark.parametrize("content", [b"", b"no json", b"[1]", b'{"a": 1}', b"[" * 100_000])
def test_import_of_something_else_says_so_and_makes_nothing(browser, content):
    before = Conversation.objects.count()

    answer = browser.post(reverse("conversations:import"), {"file": SimpleUploadedFile("x.json", content)}, follow=True)

    assert answer.status_code == 200
    assert 'data-kind="bad"' in answer.content.decode()
    assert Conversation.objects.count() == before


def test_reference_of_the_api_leads_home_and_keeps_the_theme_of_the_person(browser, owner):
    browser.post("/theme/?theme=dark")
    preferences.forget_kept()

    page = browser.get("/api/docs/").content.decode()

    assert 'data-theme="dark"' in page
    assert '<a href="/">' in page
    assert "<style" not in page
    assert "style=" not in page


def test_composer_takes_files_as_large_as_the_server_does(browser, settings):
    settings.PARLANCE_MAX_FILE_BYTES = 3 * 2**20

    assert 'data-files-max-bytes-value="3145728"' in browser.get("/").content.decode()
