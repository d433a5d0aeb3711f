"""Where something was wrong with what was sent, that is where the keyboard goes on."""

import pytest
from playwright.sync_api import expect

from apps.workflows.models import Run
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of
from tests.browser.look import look_at
from tests.workflows.factories import defined

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.django_db(transaction=True)]
ASKED = {
    "type": "object",
    "required": ["title", "scenes"],
    "properties": {
        "title": {"type": "string", "x-lines": "many", "description": "As on the poster."},
        "scenes": {"type": "integer", "minimum": 1},
        "genre": {"enum": ["noir", "comedy"]},
    },
}


def test_first_wrong_field_has_the_focus_or_the_notice(page, live_server):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    definition = defined(actor_of(owner), project, [{"all": {"set": "${ . }"}}], input={"schema": {"document": ASKED}})
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Password", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator(".notice[data-focus]")).to_be_focused()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_server.url}/")

    page.goto(f"{live_server.url}/workflows/{definition.pk}/")
    page.get_by_label("Title").fill("Harbour")
    page.get_by_label("Scenes").fill("none")
    page.get_by_role("button", name="Start", exact=True).click()

    scenes = page.get_by_label("Scenes")
    expect(scenes).to_be_focused()
    expect(scenes).to_have_accessible_description("This should be a whole number.")
    look_at(page, "workflows/<uuid:workflow_id>/start/")
    scenes.fill("12")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*/")
    assert Run.objects.get().data == {"title": "Harbour", "scenes": 12}
