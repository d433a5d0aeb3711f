"""A film from a chat: without any model of one's own, by the sample texts of the pack, and with a model behind a provider's protocol."""

import json

import pytest

from tests.browser.walk import PASSWORD, Demo, walk
from tests.provider.fixtures import provider, running_provider
from tests.stack import Stack

__all__ = ["provider", "running_provider"]

pytestmark = pytest.mark.timeout(500)
CONNECT = """
from apps.accounts.models import OrganizationMember
from apps.llm.models import Model, ModelDefaults, Provider
organization = OrganizationMember.objects.get(user__email={email!r}).organization
made = Provider.objects.create(organization=organization, kind="openai-compatible", name="stub", base_url={url!r}, api_key="sk-tests")
model = Model.objects.create(organization=organization, provider=made, name="stub-small")
ModelDefaults.objects.update_or_create(organization=organization, defaults={{"default": model}})
"""
SARAH = {"name": "Sarah", "age": 28, "occupation": "journalist"}
BRIEF = "for a noir set in the port of Lisbon"


def entity(number, collection, **fields):
    return {"collection": collection, "id": f"e{number}", "fields": fields}


def said(**words):
    return {"text": json.dumps(words)}


class Scripted(Demo):
    """The provider of the tests, told each answer before it is asked for."""

    def __init__(self, provider):
        self.provider = provider

    def signed_up(self, stack, email):
        stack.manage("shell", "--no-imports", "-c", CONNECT.format(email=email, url=self.provider.openai_url))

    def will_talk(self):
        self.provider.script({"text": "A strong pair."}, {"text": "Sarah and the port"})

    def has_talked(self):
        """The title is written beside; it would take what is meant for the reading."""
        self.provider.wait_for(lambda stats: len(stats["calls"]) == 2, seconds=30)

    def will_read(self):
        found = [
            entity(1, "characters", **SARAH),
            entity(2, "characters", name="Tomás"),
            entity(3, "locations", name="port of Lisbon"),
        ]
        self.provider.script(said(entities=found, links=[{"from": "e1", "field": "family", "to": "e2"}]))

    def will_hear_the_answer(self):
        found = [entity(1, "characters", name="Tomás", age=31)]
        self.provider.script({"text": "Noted."}, said(entities=found, links=[]))

    def will_make_ten(self):
        people = [
            {"entities": {"characters": [{"id": "m1", "fields": {"name": name, "age": 30 + number}}]}, "links": []}
            for number, name in enumerate(
                ["Ana", "Rui", "Eva", "Nuno", "Odete", "Graça", "Aksel", "Lívia", "Joana", "Henrique"]
            )
        ]
        wish = {"is_wish": True, "count": 10, "brief": BRIEF, "collection": "characters"}
        self.provider.script(said(**wish), *(said(**each) for each in people))

    def will_propose(self):
        words = {"difficulty": "medium", "time": "two more scenes", "impact": "high", "description": "She pays for it."}
        titles = ["She keeps silent.", "The truth comes out.", "We never learn."]
        categories = ["alternative", "recommended", "alternative"]
        options = [
            {"title": title, "category": category, **words} for title, category in zip(titles, categories, strict=True)
        ]
        self.provider.script(said(options=options))


@pytest.fixture(scope="module")
def stack():
    """The operator is there; everybody else signs up."""
    with Stack(env={"PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}) as running:
        first = {"PARLANCE_ADMIN_EMAIL": "op@example.org", "PARLANCE_ADMIN_PASSWORD": PASSWORD}
        running.manage("first_start", env=first)
        yield running


@pytest.fixture
def walker(browser):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def test_film_without_a_model(walker, stack):
    walk(walker, stack, Demo(), "ines@example.org")


def test_film_with_a_model(walker, stack, provider):
    walk(walker, stack, Scripted(provider), "marta@example.org")
