"""Two people have the same settings page open: neither takes back what the other changed."""

from decimal import Decimal

import pytest

from apps.accounts.models import ApiKey, Organization, Project, ServiceAccount, Team
from apps.accounts.services import keys, service_accounts, teams
from apps.accounts.types import ProjectAccess
from apps.core import preferences
from apps.llm import services as llm
from tests.accounts.factories import actor_of
from tests.accounts.test_keys import browser_of
from tests.llm.factories import ModelFactory

pytestmark = pytest.mark.django_db


def sent_by(page, name="form"):
    """What the form of this page sends when nobody touches it."""
    form = page.context[name]
    drawn = {field.name: field.value() for field in form}
    return {name: value for name, value in drawn.items() if value is not None and value is not False}


def organization(owner, project):
    return (
        "/settings/organization/",
        "organization",
        "form",
        lambda: Organization.objects.get(pk=project.organization_id),
    )


def one_project(owner, project):
    return f"/settings/projects/{project.pk}/", "project", "form", lambda: Project.objects.get(pk=project.pk)


def team(owner, project):
    made = teams.create_team(actor=actor_of(owner), organization_id=project.organization_id, name="Sound")
    return f"/settings/teams/{made.pk}/", "team", "form", lambda: Team.objects.get(pk=made.pk)


def service_account(owner, project):
    made = service_accounts.create_service_account(
        actor=actor_of(owner), organization_id=project.organization_id, name="Robot"
    )
    path = f"/settings/service-accounts/{made.pk}/"
    return path, "account", "details_form", lambda: ServiceAccount.objects.select_related("user").get(pk=made.pk).user


CHANGES = [
    (organization, {"time_zone": "Europe/Lisbon"}, "time_zone"),
    (one_project, {"access": ProjectAccess.RESTRICTED}, "access"),
    (team, {"description": "Those who hear"}, "description"),
    (service_account, {"description": "Counts"}, None),
]


@pytest.mark.parametrize(("of", "hers", "field"), CHANGES, ids=lambda value: getattr(value, "__name__", ""))
def test_page_that_was_open_meanwhile_changes_only_what_its_sender_changed(owner, project, of, hers, field):
    path, form, name, read = of(owner, project)
    one, other = browser_of(owner), browser_of(owner)
    pages = [sent_by(browser.get(path), name) | {"form": form} for browser in (one, other)]

    one.post(path, pages[0] | {"name": "Renamed"})
    other.post(path, pages[1] | hers)

    found = read()
    assert found.name == "Renamed"
    if field:
        assert getattr(found, field) == hers[field]


def project_name(owner, project):
    return f"/settings/projects/{project.pk}/", {"form": "project"}, "name", ("Hers", "His"), "Hers"


def quota(owner, project):
    return "/settings/limits/", {}, "answers_an_hour", (50, 70), "50"


def budget(owner, project):
    llm.set_budget(actor=actor_of(owner), organization_id=project.organization_id, limit=Decimal(100))
    return "/settings/budget/", {}, "limit", ("50.00", "70.00"), "50"


def default_model(owner, project):
    one, other = (ModelFactory(provider__organization=project.organization, name=name) for name in ("first", "second"))
    return "/settings/models/", {}, "default", (str(one.pk), str(other.pk)), "first ("


@pytest.mark.parametrize("of", [project_name, quota, budget, default_model], ids=lambda value: value.__name__)
def test_who_changes_what_a_colleague_changed_meanwhile_is_asked_first(owner, project, of):
    path, extra, field, (first, second), told = of(owner, project)
    one, other = browser_of(owner), browser_of(owner)
    pages = [sent_by(browser.get(path)) | extra for browser in (one, other)]

    one.post(path, pages[0] | {field: first})
    preferences.forget_kept()
    refused = other.post(path, pages[1] | {field: second})

    assert refused.status_code == 400
    assert f"Somebody else changed this to “{told}" in refused.content.decode()
    assert str(one.get(path).context["form"][field].value()) == str(first)

    saved = other.post(path, sent_by(refused) | extra)

    assert saved.status_code == 302
    preferences.forget_kept()
    assert str(other.get(path).context["form"][field].value()) == str(second)


def test_profile_keeps_what_was_changed_on_another_device(owner):
    one, other = browser_of(owner), browser_of(owner)
    pages = [sent_by(browser.get("/settings/profile/")) | {"form": "profile"} for browser in (one, other)]

    one.post("/settings/profile/", pages[0] | {"theme": "dark", "time_zone": "Europe/Lisbon"})
    other.post("/settings/profile/", pages[1] | {"name": "Ines"})

    owner.refresh_from_db()
    assert (owner.name, owner.time_zone) == ("Ines", "Europe/Lisbon")
    assert preferences.get_fresh("web.theme", user=owner.pk) == "dark"


@pytest.mark.parametrize("of", [one_project, team, service_account], ids=lambda value: value.__name__)
def test_description_of_several_lines_stays_as_it_is_where_only_the_name_is_changed(owner, project, of):
    path, form, name, _read = of(owner, project)
    model = {"project": Project, "team": Team, "account": ServiceAccount}[form]
    model.objects.update(description="One\nTwo")
    browser = browser_of(owner)
    page = browser.get(path)
    assert str(page.context[name]["description"]).startswith("<textarea")
    sent = sent_by(page, name) | {
        "form": form,
        "name": "Renamed",
        "description": "One\r\nTwo",
    }  # as a browser ends lines

    changed = type(page.context[name])(sent)

    assert changed.is_valid()
    assert set(changed.changed()) == {"name"}
    assert browser.post(path, sent).status_code == 302
    assert set(model.objects.values_list("description", flat=True)) == {"One\nTwo"}


def test_page_of_a_key_that_was_open_meanwhile_opens_no_network_again(owner, project):
    made = keys.make_api_key(
        actor=actor_of(owner), organization_id=project.organization_id, name="One", scopes=("bulk:read", "agents:read")
    ).key
    path = f"/settings/keys/{made.pk}/"
    one, other = browser_of(owner), browser_of(owner)
    pages = [sent_by(browser.get(path)) | {"form": "change"} for browser in (one, other)]

    one.post(path, pages[0] | {"allowed_networks": "192.0.2.0/24", "scopes": ["bulk:read"]})
    other.post(path, pages[1] | {"name": "Two"})

    key = ApiKey.objects.get()
    assert (key.name, key.allowed_networks, key.scopes) == ("Two", ["192.0.2.0/24"], ["bulk:read"])
