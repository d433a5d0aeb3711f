"""Members at their pages, for tests of what people do: import the fixtures with those of ``tests.provider.fixtures``."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import duo

WRITE = """async ([method, path, body]) => {
    const headers = { "content-type": "application/json", "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    const answer = await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
    return answer.status === 204 ? null : answer.json();
}"""
#: Of a small collection: a name, and an age that may be missing.
NAME_AND_AGE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}
READ = "async (url) => (await fetch(url)).json()"


@pytest.fixture(scope="module")
def stack(shared_stack, running_provider):
    """The worker's, with two people of this module's own."""
    shared_stack.cast = duo.hire(shared_stack, running_provider.openai_url)
    return shared_stack


class Member:
    """One signed-in person at one page, and what the page complained about."""

    def __init__(self, browser, stack, state):
        self.stack = stack
        self.context = browser.new_context(storage_state=state, viewport={"width": 1440, "height": 900}, locale="en-GB")
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))

    def open(self, conversation):
        self.conversation = conversation
        self.page.goto(f"{self.stack.base_url}/c/{conversation}/")
        self.page.wait_for_selector("body[data-ready]", state="attached")
        return self

    def start(self):
        self.page.goto(f"{self.stack.base_url}/")
        self.page.wait_for_selector("body[data-ready]", state="attached")
        # A typed title: the job that writes titles would take the next script of the provider.
        begun = {"project": self.stack.cast["project"], "title": "Ledger"}
        return self.open(self.write("POST", "conversations/", begun)["id"])

    def say(self, text):
        self.page.locator("#draft").fill(text)
        self.page.locator("#draft").press("Enter")

    def write(self, method, path, body=None):
        """What the API answers to a call of this page."""
        return self.page.evaluate(WRITE, [method, path, body])

    def make_collection(self, name):
        made = {
            "project": self.stack.cast["project"],
            "name": name,
            "document": NAME_AND_AGE,
            "title_template": "{name}",
        }
        return self.write("POST", "collections/", made)["id"]

    def messages(self, state=None):
        return self.page.locator("article.message" + (f'[data-state="{state}"]' if state else ""))

    @property
    def last(self):
        return self.messages().last

    def wait_for_end(self):
        expect(self.last).to_have_attribute("data-from", "model")  # the words come before their answer
        expect(self.page.locator('article[aria-busy="true"]')).to_have_count(0, timeout=20_000)
        expect(self.last).not_to_have_attribute("data-state", re.compile("sending|unsent|queued|thinking|streaming"))

    def rows(self):
        url = f"/api/v1/conversations/{self.conversation}/messages/"
        return self.page.evaluate(READ, url)["results"]

    def texts(self):
        return [text.strip() for text in self.messages().locator(".prose").all_inner_texts()]


def hold(page, addresses):
    """Requests that wait from now on, for the test to let them go."""
    held = []

    def keep(route):
        held.append(route)

    page.route(addresses, keep)
    return held


@pytest.fixture(scope="module")
def states(stack):
    return {name: duo.signed_in(stack, name) for name in ("ines", "daniel")}


@pytest.fixture
def people(browser, stack, states, provider):
    """``people("ines")`` opens a page; every page must be free of complaints that the test did not take."""
    here = []

    def come(name):
        here.append(Member(browser, stack, states[name]))
        return here[-1]

    yield come
    for member in here:
        member.context.close()
    complaints = [complaint for member in here for complaint in member.complaints]
    assert not complaints, complaints
