"""Every page of the product and the states worth looking at: for pictures and for axe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.browser.cast import CAREFUL, EMAIL, PASSWORD
from tests.stack import Stack

HERE = Path(__file__).parent
MEASURE = (HERE / "measure.js").read_text()
#: What moves or changes its colour has arrived. What is not painted may never end its change, so nobody waits for ever.
REPAINTED = """async () => {
  const painted = async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const ends = ({ effect, timeline }) => timeline === document.timeline && effect.getComputedTiming().endTime !== Infinity;
    const moving = document.getAnimations().filter(ends); // what follows a scroller ends with it, not with time
    await Promise.allSettled(moving.map(({ finished }) => finished));
  };
  await Promise.race([painted(), new Promise((done) => setTimeout(done, 2000))]);
}"""
READY = "body[data-ready]"
WIDTHS = {360: 780, 768: 1024, 1440: 900}
THEMES = ("light", "dark")


@dataclass(frozen=True)
class View:
    """``prepare`` opens what is not there at once, and may lead to another page, ``at``. ``html`` is shown in place of what the
    server would answer there: pages of errors that it does not make on demand.
    """

    name: str
    path: str
    is_public: bool = False
    prepare: Callable[[Page], None] | None = None
    status: int = 200
    at: str = ""
    html: str = ""


def click(selector: str) -> Callable[[Page], None]:
    def do(page: Page) -> None:
        page.locator(selector).first.click()

    return do


def tell(stack: Stack) -> dict[str, Any]:
    code = "import json; from tests.browser import story; print('STORY ' + json.dumps(story.tell()))"
    output = stack.manage("shell", "--no-imports", "-c", code)
    line = next(line for line in output.splitlines() if line.startswith("STORY "))
    return json.loads(line.removeprefix("STORY "))


def views(addresses: dict[str, Any]) -> list[View]:
    talk, states = addresses["talk"], addresses["states"]
    return [
        View("sign-in", "/accounts/login/", is_public=True),
        View("sign-up-closed", "/accounts/signup/", is_public=True),
        View("password-reset", "/accounts/password/reset/", is_public=True),
        View("second-step", "/accounts/login/", is_public=True, prepare=_second_step, at="/accounts/2fa/authenticate/"),
        View("shared", addresses["shared"], is_public=True),
        View("shared-gone", "/s/withdrawn/", is_public=True, status=404),
        View("answer", addresses["answer"], is_public=True),
        View("inactive", "/accounts/inactive/", is_public=True),
        View("verification-sent", "/accounts/confirm-email/", is_public=True),
        View("elsewhere-cancelled", "/accounts/linked/login/cancelled/", is_public=True),
        View("elsewhere-failed", "/accounts/linked/login/error/", is_public=True, status=401),
        View("forged", "/accounts/password/reset/", is_public=True, prepare=_forged, status=403),
        View("wrong", "/conversations/?cursor=garbage", status=400),
        *(
            View(f"error-{status}", f"/looked-at/{status}/", is_public=True, status=int(status), html=html)
            for status, html in addresses["errors"].items()
        ),
        *(View(name, path) for name, path in addresses["single"].items()),
        View("welcome", "/"),
        View("welcome-private", "/", prepare=click("[data-start-target=privacy]")),
        View("conversation", talk),
        View("conversation-menu", talk, prepare=click("button[popovertarget=conversation-menu]")),
        View("conversation-models", talk, prepare=click("button.picker")),
        View("conversation-delete", talk, prepare=_delete_dialog),
        View("conversation-people", talk, prepare=_people),
        View("conversation-link", states, prepare=_link),
        View("conversation-private", states, prepare=_private),
        View("states", states),
        View("long", addresses["long"]),
        View("conversations", "/conversations/"),
        View("conversations-archived", "/conversations/?view=archived"),
        View("conversations-deleted", "/conversations/?view=deleted"),
        View("files", "/files/"),
        View("files-delete", "/files/", prepare=click("[commandfor^=delete-]")),
        View("search", "/search/?q=gate"),
        View("provider-refused", "/settings/providers/", prepare=_wrong_provider, status=400),
        View("search-empty", "/search/"),
        View("search-nothing", "/search/?q=lighthouse"),
        View("search-filters", "/search/?q=what&tag=noir"),
        View("palette", "/", prepare=_palette),
        View("email", "/accounts/email/"),
        View("password-change", "/accounts/password/change/"),
        View("erase-account", "/settings/erase/"),
        View("reauthenticate", "/accounts/reauthenticate/"),
        View("app-set-up", "/accounts/2fa/totp/activate/"),
        View("passkey-add", "/accounts/2fa/webauthn/add/"),
        View("keys", "/", prepare=lambda page: page.evaluate("document.getElementById('keys').showModal()")),
        View("not-found", "/c/00000000-0000-7000-8000-000000000000/", status=404),
        View("settings-new-key", "/settings/keys/", prepare=_new_key),
        *(View(f"records-{name}", path) for name, path in addresses["records"].items()),
        View("records-filter", addresses["records"]["table"], prepare=click("[popovertarget=add-condition]")),
        View("records-cell", addresses["records"]["record"], prepare=_change_field),
        View("records-limits", addresses["records"]["operation-planned"], prepare=click("#limits summary")),
        *(View(f"workflows-{name}", path) for name, path in addresses["workflows"].items()),
        View("workflows-new", "/workflows/new/"),
        View("workflows-wrong", "/workflows/new/", prepare=_wrong_file, status=400),
        View("workflows-secrets", "/workflows/secrets/"),
        View("workflows-secret-delete", "/workflows/secrets/", prepare=click("[commandfor=delete-1]")),
        View("conversation-workflow", talk, prepare=_workflow, status=409),
        View("conversation-workflow-empty", states, prepare=_workflow),
        *(View(f"rights-{name}", path) for name, path in addresses["rights"].items()),
        *(View(f"settings-{path.strip('/').split('/')[-1]}", path) for path in addresses.get("settings", [])),
    ]


def _change_field(page: Page) -> None:
    """A relation, which has the most to show: who it points to, and whom it could."""
    page.locator('[data-row]:has(dd[data-field="siblings"]) button[data-action="record#edit"]').click()
    page.locator("#cell-editor [role=option]").first.wait_for()


def _second_step(page: Page) -> None:
    """Somebody with an authenticator app has typed the password."""
    if page.url.endswith("/accounts/login/"):  # nobody is in the middle of a sign-in yet
        page.get_by_label("E-mail").fill(CAREFUL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/accounts/2fa/authenticate/")
    page.wait_for_selector("body[data-ready]", state="attached")


def _forged(page: Page) -> None:
    """A form that another site has made."""
    page.locator("main form[action*=reset] input[name=csrfmiddlewaretoken]").evaluate(
        "field => { field.value = 'x'.repeat(64); field.form.noValidate = true; field.form.submit(); }"
    )
    page.get_by_role("heading", name="The form was not taken").wait_for()
    page.wait_for_selector(READY, state="attached")


def _open_tab(page: Page, name: str) -> None:
    """Of the panel, which is a drawer where there is no room beside the sheet. The one that was open last comes by itself: a second
    answer would be put in the place of what somebody is doing in the first one.
    """
    tab = page.locator(f"#tab-{name}")
    if not tab.is_visible():
        page.locator(".context-button").click()
    if tab.get_attribute("aria-selected") != "true":
        tab.click()


def _people(page: Page) -> None:
    _open_tab(page, "people")
    page.locator("#context-panel [data-person]").first.wait_for()


def _workflow(page: Page) -> None:
    """The stage map."""
    _open_tab(page, "workflow")
    page.locator("[data-controller=run-panel]").wait_for()
    if page.locator("#context-panel [data-stage=board] button").count():
        page.locator("#context-panel [data-stage=board] button").first.click()
        page.locator("#context-panel .refusal").first.wait_for()


def _wrong_file(page: Page) -> None:
    """What the server says of a file, at its lines."""
    # What was typed here before comes back with the page, and no drawing is made of what is wrong.
    page.locator("svg.flow, [data-flow-editor-target=problems] button").first.wait_for()
    page.locator(".cm-content").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    said = "{dsl: '1.0.3', namespace: a, name: b, version: 1.0.0}"
    page.keyboard.insert_text(f"document: {said}\ndo:\n- a:\n    call: nothing\n")
    page.locator("[data-flow-editor-target=problems] button").first.wait_for()


def _private(page: Page) -> None:
    _people(page)
    page.locator("#context-panel .segment label").nth(0).click()
    page.locator("#invite-person").wait_for()


def _link(page: Page) -> None:
    """A link that was just made: its address is shown once."""
    _people(page)
    page.locator("#context-panel .segment label").nth(2).click()
    page.locator("#link-until").wait_for()
    page.locator("#context-panel form[data-action='access#makeLink'] button").click()
    page.locator("#context-panel [data-access-target=made] input").wait_for()
    page.locator("#context-panel details summary").click()


def _palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.locator("#palette input").fill("ledger")
    page.locator("#palette mark").first.wait_for()


def _wrong_provider(page: Page) -> None:
    """What the server says to a form that is half filled in."""
    form = page.locator("main form").filter(has=page.locator("[name=kind]")).first
    form.locator("[name=name]").fill("")
    form.evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.locator(".wrong, .notice").first.scroll_into_view_if_needed()


def _new_key(page: Page) -> None:
    """Its secret, which is shown once."""
    page.get_by_label("Name").first.fill("Laptop")
    page.get_by_role("button", name="Make the key").click()
    page.locator(".handover code").wait_for()
    page.wait_for_selector("body[data-ready]", state="attached")


def _delete_dialog(page: Page) -> None:
    page.evaluate("document.getElementById('delete-conversation').showModal()")


def settings_paths(page: Page, base_url: str) -> list[str]:
    page.goto(f"{base_url}/settings/")
    return page.eval_on_selector_all(".with-nav > nav a", "links => links.map(link => link.getAttribute('href'))")


@contextmanager
def visitor(
    browser: Browser, base_url: str, *, width: int, theme: str, signed_in: bool
) -> Iterator[tuple[Page, list[str]]]:
    """A page of a browser, and what its console complained about. Nothing moves on its way to where it will be: that is looked at."""
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme=theme,
        reduced_motion="reduce",
        has_touch=width < 400,
        locale="en-GB",
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    if signed_in:
        sign_in(page, base_url)
        complaints.clear()
    yield page, complaints
    context.close()


def sign_in(page: Page, base_url: str, *, email: str = EMAIL, password: str = PASSWORD) -> None:
    page.goto(f"{base_url}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base_url}/")


def open_view(page: Page, base_url: str, view: View) -> None:
    if view.html:
        page.route(
            f"{base_url}{view.path}",
            lambda route: route.fulfill(status=view.status, body=view.html, content_type="text/html; charset=utf-8"),
        )
    page.goto(f"{base_url}{view.path}")
    page.wait_for_selector(READY, state="attached", timeout=10_000)
    page.evaluate("document.fonts.ready")
    if view.prepare is not None:
        view.prepare(page)
    at = urlsplit(page.url).path
    assert at == (view.at or urlsplit(view.path).path), f"{view.name} is {at}"
    page.wait_for_timeout(100)
    page.evaluate(REPAINTED)


def faults_of(page: Page, view: View, complaints: list[str]) -> list[str]:
    """What a picture cannot say by itself, one line for each fault."""
    found = page.evaluate(MEASURE)
    # A page that is meant to be missing says so in the console as well.
    said = [text for text in complaints if f"status of {view.status} " not in text]
    faults = [f"scrolls sideways by {found['sideways']} px"] if found["sideways"] else []
    faults += [f"text on text: {pair}" for pair in found["overlaps"]]
    faults += [f"too small: {target}" for target in found["small"]]
    faults += [f"console: {text}" for text in said]
    return [f"{view.name}: {fault}" for fault in faults]
