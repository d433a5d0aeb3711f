"""The stage map beside a conversation, as two people live it: begun, tried, answered, and seen by the other at once."""

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

POST = """async ([path, body]) => {
    const headers = { "content-type": "application/json", "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    return (await fetch(`/api/v1/${path}/`, { method: "POST", headers, body: JSON.stringify(body) })).json();
}"""


def staged(title, **more):
    return {"metadata": {"parlance": {"stage": {"title": title, **more}}}}


def film(number):
    crew = {"records": {"collection": f"crew-{number}", "at_least": 1}, "says": "Somebody has to hold the camera."}
    return {
        "document": {"dsl": "1.0.3", "namespace": "tests", "name": f"film-{number}", "version": "1.0.0", "title": f"Film {number}"},
        "do": [
            {"concept": {"call": "ask", "with": {"question": "What is it about?"}, **staged("Concept")}},
            {"scenes": {"set": "${ . }", **staged("Scenes", manual=True, requires=[crew])}},
        ],
    }  # fmt: skip


#: As if the page had been drawn while the run still moved; and only what it is told draws it anew.
DRAWN_BEFORE = """window.setInterval = () => 0;
addEventListener("DOMContentLoaded", () => {
    const run = document.getElementById("run");
    run.dataset.status = "running";
    run.dataset.moving = "";
});"""
made = iter(range(1, 100))


@pytest.fixture
def both(people, stack):
    ines = people("ines").start()
    number = next(made)
    project = stack.cast["project"]
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    ines.crew = ines.page.evaluate(
        POST, ["collections", {"project": project, "name": f"Crew {number}", "document": schema}]
    )["id"]
    ines.page.evaluate(POST, ["workflows", {"project": project, "document": film(number)}])
    ines.film = f"Film {number}"
    daniel = people("daniel").open(ines.conversation)
    for member in (ines, daniel):
        member.page.locator("#tab-workflow").click()
        expect(member.page.get_by_role("heading", name="No run here yet")).to_be_visible()
    return ines, daniel


def stage(member, name):
    return member.page.locator(f"#context-panel [data-stage={name}]")


def test_run_is_begun_tried_answered_and_followed_by_both(both):
    ines, daniel = both
    panel = ines.page.locator("#context-panel")

    panel.get_by_label("Workflow").select_option(label=ines.film)
    panel.get_by_role("button", name="Start").click()
    for member in both:
        expect(stage(member, "concept")).to_have_attribute("aria-current", "step", timeout=20_000)
        expect(stage(member, "scenes")).to_have_attribute("data-state", "blocked")

    tried = stage(ines, "scenes").get_by_role("button", name="Try to begin")
    tried.press("Enter")
    refusal = stage(ines, "scenes").get_by_role("alert")
    expect(refusal).to_contain_text("This stage cannot begin yet.")
    expect(refusal.get_by_role("listitem")).to_have_text(["Somebody has to hold the camera. Open the records"])
    expect(tried).to_be_focused()
    ines.complaints.clear()  # the browser says that it was refused

    daniel.page.locator("#context-panel").get_by_label("Your answer").fill("A port, and what")
    panel.get_by_label("Your answer").fill("The port of Lisbon")
    panel.get_by_role("button", name="Answer").click()
    for member in both:
        expect(member.page.locator("#context-panel .note-line")).to_contain_text("The port of Lisbon", timeout=20_000)

    ines.page.evaluate(POST, ["records", {"collection": ines.crew, "data": {"name": "Rui"}}])
    for member in both:
        expect(stage(member, "scenes")).to_have_attribute("data-state", "available", timeout=20_000)
    expect(refusal).to_be_empty()
    stage(daniel, "scenes").get_by_role("button", name="Start").click()
    for member in both:
        expect(member.page.locator("#context-panel .badge", has_text="Completed")).to_be_visible(timeout=20_000)
        expect(stage(member, "scenes")).to_have_attribute("data-state", "done")


def test_what_somebody_types_stays_while_the_map_changes(both):
    ines, daniel = both
    panel = daniel.page.locator("#context-panel")
    panel.get_by_label("Workflow").select_option(label=ines.film)
    panel.get_by_role("button", name="Start").click()
    answer = panel.get_by_label("Your answer")
    answer.fill("A port, and what")
    answer.focus()

    run = daniel.page.evaluate(
        "async (talk) => (await (await fetch(`/api/v1/runs/?conversation=${talk}`)).json()).results[0].id",
        ines.conversation,
    )
    with daniel.page.expect_response("**/context/workflow/"):
        ines.page.evaluate(POST, [f"runs/{run}/pause", {}])

    expect(panel.locator(".badge", has_text="Paused")).to_be_visible()
    expect(answer).to_have_value("A port, and what")
    expect(answer).to_be_focused()


def test_run_that_a_command_began_opens_beside_the_conversation(both):
    ines, _daniel = both
    page = ines.page
    page.locator("#tab-details").click()
    page.set_viewport_size({"width": 390, "height": 780})
    ines.say("/run nothing of the kind")
    unknown = page.get_by_text("There is no workflow “nothing of the kind”.")
    expect(unknown).to_be_visible()

    ines.say(f"/run {ines.film}")

    expect(page.locator("#context")).to_be_visible()
    expect(stage(ines, "concept")).to_be_in_viewport()
    expect(page).to_have_url(f"{ines.stack.base_url}/c/{ines.conversation}/")
    page.keyboard.press("Escape")
    expect(page.locator("#context")).to_be_hidden()
    expect(unknown).to_be_hidden()


def test_tab_that_does_not_come_says_so_and_is_tried_again(both):
    ines, _daniel = both
    page = ines.page
    page.locator("#tab-people").click()
    expect(page.locator("#context-panel [data-person]").first).to_be_visible()
    ines.context.set_offline(offline=True)

    page.locator("#tab-workflow").click()
    expect(page.get_by_role("heading", name="This did not come")).to_be_visible()
    expect(page.locator("#context-panel [data-person]")).to_have_count(0)

    ines.context.set_offline(offline=False)
    page.locator("#context-panel").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="No run here yet")).to_be_visible()
    ines.complaints.clear()  # the browser says that it was offline


def test_what_is_refused_is_said_where_the_panel_was_fetched_meanwhile(both):
    page, name = both[0].page, both[0].film
    panel = page.locator("#context-panel")
    panel.get_by_label("Workflow").select_option(label=name)
    panel.get_by_role("button", name="Start").click()
    tried = stage(both[0], "scenes").get_by_role("button", name="Try to begin")
    tried.wait_for()
    held, asked = [], []
    page.route("**/advance/", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function
    page.on("request", lambda request: asked.append(request.url) if "hx-request" in request.headers else None)

    with page.expect_request("**/advance/"):
        tried.click()
    before = page.locator("[data-controller=run-panel]").element_handle()
    page.evaluate("tab => { tab.click(); tab.click(); }", page.locator("#tab-workflow").element_handle())
    page.wait_for_function("panel => !panel.isConnected", arg=before)
    tried.wait_for()
    held[0].continue_()

    expect(stage(both[0], "scenes").get_by_role("alert")).to_contain_text("This stage cannot begin yet.")
    assert len(asked) == 1
    both[0].complaints.clear()  # the browser says that it was refused


def test_focus_stays_where_it_is_while_the_page_of_a_run_changes(both, stack):
    page, name = both[0].page, both[0].film
    panel = page.locator("#context-panel")
    panel.get_by_label("Workflow").select_option(label=name)
    panel.get_by_role("button", name="Start").click()
    stage(both[0], "concept").wait_for()
    run = panel.locator("[data-run]").first.get_attribute("data-run")
    page.add_init_script(DRAWN_BEFORE)
    page.goto(f"{stack.base_url}/runs/{run}/")
    expect(page.locator("#run[data-status=waiting]")).to_be_visible()  # it went on before the page could hear
    held = page.get_by_role("button", name="Cancel the run…")
    held.focus()

    page.evaluate(POST, [f"runs/{run}/pause", {}])

    expect(page.locator(".badge", has_text="Paused").first).to_be_visible(timeout=20_000)
    expect(held).to_be_focused()
