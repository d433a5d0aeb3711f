"""A film from a chat, as somebody new lives it: what is clicked and typed, whoever answers.

``PARLANCE_WALK_PICTURES=<folder>`` keeps pictures of it.
"""

import io
import os
import re
import zipfile
from pathlib import Path

from playwright.sync_api import expect

PASSWORD = "correct horse battery"
PROJECT = "The port of Lisbon"
PICTURES = os.environ.get("PARLANCE_WALK_PICTURES", "")
READ = "async (url) => (await fetch(url)).json()"
LONG = 40_000


class Demo:
    """Who answers, told what comes next; the demo needs no telling."""

    def signed_up(self, stack, email):
        return

    def will_talk(self):
        return

    def has_talked(self):
        return

    def will_read(self):
        return

    def will_hear_the_answer(self):
        return

    def will_make_ten(self):
        return

    def will_propose(self):
        return


def picture(page, name):
    if PICTURES:
        page.wait_for_timeout(500)
        page.screenshot(path=Path(PICTURES) / f"walk-{name}.png")


def go(page, stack, path):
    page.goto(f"{stack.base_url}{path}")
    page.wait_for_selector("body[data-ready]", state="attached")


def say(page, text):
    page.locator("#draft").fill(text)
    page.locator("#draft").press("Enter")


def collection(page, slug):
    collections = page.evaluate(READ, "/api/v1/collections/")["results"]
    return next(each["id"] for each in collections if each["slug"] == slug)


def records(page, slug):
    return page.evaluate(READ, f"/api/v1/records/?collection={collection(page, slug)}&limit=100")["results"]


def add(page, stack, slug, fields, **relations):
    """A record by hand, in its form."""
    go(page, stack, f"/records/{collection(page, slug)}/add/")
    form = page.locator("main form.form")
    for label, value in fields.items():
        form.get_by_label(label, exact=False).first.fill(value)
    for name, title in relations.items():
        box = form.locator(f"#v-{name}")
        box.click()
        box.fill(title)
        page.get_by_role("option", name=title).first.click()
    form.get_by_role("button", name="Add the record", exact=True).click()
    page.wait_for_url(re.compile("/record/|/records/[^/]+/$"))


def stage(page, name):
    return page.locator(f"#context-panel [data-stage={name}]")


def to_the_talk(page, talk):
    page.goto(talk)
    page.wait_for_selector("body[data-ready]", state="attached")
    expect(stage(page, "concept")).to_be_visible()


def begin(page, name, title):
    """Start a stage of the map, once nothing stands in its way."""
    expect(stage(page, name)).to_have_attribute("data-state", "available", timeout=LONG)
    stage(page, name).get_by_role("button", name="Start").click()
    expect(stage(page, name)).to_have_attribute("data-state", "current", timeout=LONG)


def walk(page, stack, model, email):
    page.goto(f"{stack.base_url}/accounts/signup/")
    page.locator("input[name=name]").fill("Inês Duarte")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password1]").fill(PASSWORD)
    page.locator("input[name=password1]").press("Enter")
    page.wait_for_url(re.compile(r"/$"))
    model.signed_up(stack, email)

    go(page, stack, "/settings/projects/")
    page.get_by_label("Name").fill(PROJECT)
    page.get_by_label("Begins with").select_option(label="Film")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text(f"The project {PROJECT} is there.")).to_be_visible()

    talk = the_cast(page, stack, model)
    the_run(page)
    the_answer(page, model)
    the_others(page, stack, model)
    the_scenes(page, stack, model, talk)
    the_storyboard(page, stack, talk)
    one_stage_back(page, talk)
    the_package(page)


def the_cast(page, stack, model):
    """Two characters that know each other, each value with the words that it is from, and one question."""
    go(page, stack, "/")
    page.get_by_role("button", name="Try: Two characters").click()
    expect(page.locator("#draft")).to_have_value(re.compile("^Sarah, a 28-year-old journalist"))
    model.will_talk()
    page.locator("#draft").press("Enter")
    page.wait_for_url(re.compile(r"/c/"))
    expect(page.locator('article[data-from="model"][data-state="completed"]')).to_have_count(1, timeout=LONG)
    model.has_talked()

    model.will_read()
    say(page, "/extract")
    expect(page.locator(".card.proposal")).to_have_count(3, timeout=LONG)
    expect(page.locator("article.message").last).to_contain_text("Tomás: Age", timeout=LONG)
    expect(page.locator("form.ask")).to_have_count(1)
    page.locator(".card.proposal").first.evaluate("card => card.scrollIntoView()")
    picture(page, "suggestions")
    page.get_by_role("button", name="Accept all").first.click()
    expect(page.locator(".decided")).to_have_count(3, timeout=LONG)

    people = {row["title"]: row for row in records(page, "characters")}
    sarah, tomas = people["Sarah"], people["Tomás"]
    assert (sarah["data"]["age"], tomas["data"].get("age"), tomas["is_complete"]) == (28, None, False)
    assert tomas["id"] in sarah["data"].get("family", []) or sarah["id"] in tomas["data"].get("family", [])
    sources = page.evaluate(READ, f"/api/v1/records/{sarah['id']}/sources/")["results"]
    assert {each["field"] for each in sources} >= {"/name", "/age"}
    return page.url


def the_run(page):
    """Begun beside the conversation; a stage that is not ready says what is missing."""
    page.locator("#tab-workflow").click()
    page.locator("#context-panel").get_by_role("button", name="Start").click()
    answer = page.locator("#context-panel").get_by_label("Your answer")
    answer.fill("A journalist finds out what the port hides.", timeout=LONG)
    page.locator("#context-panel").get_by_role("button", name="Answer").click()
    expect(stage(page, "characters")).to_have_attribute("data-state", "current", timeout=LONG)

    stage(page, "scenes").get_by_role("button", name="Try to begin").click()
    refusal = stage(page, "scenes").get_by_role("alert")
    expect(refusal).to_contain_text("This stage cannot begin yet.")
    expect(refusal).to_contain_text("No scenes without characters. At least two have to be complete.")
    picture(page, "blocked")


def the_answer(page, model):
    model.will_hear_the_answer()
    say(page, "Tomás is 31.")
    expect(page.locator(".run-line", has_text="1 answer noted")).to_be_visible(timeout=LONG)
    people = {row["title"]: row for row in records(page, "characters")}
    assert (people["Tomás"]["data"]["age"], people["Tomás"]["is_complete"]) == (31, True)
    expect(stage(page, "locations")).to_have_attribute("data-state", "available", timeout=LONG)


def the_others(page, stack, model):
    """Ten more are suggested at once: one is rejected, nine are accepted."""
    model.will_make_ten()
    say(page, "/create 10 supporting characters for a noir set in the port of Lisbon")
    expect(page.get_by_role("checkbox", name="Decide on each before it is kept")).to_be_checked(timeout=LONG)
    page.get_by_role("button", name="Confirm").click()
    progress = page.locator(".card progress").last
    expect(progress).to_have_attribute("max", "10", timeout=LONG)
    expect(page.locator(".card", has_text="10 of 10").last).to_be_visible(timeout=LONG)
    ten = page.locator(".extraction", has_text="10 suggested records").last
    expect(ten.locator(".card.proposal")).to_have_count(10, timeout=LONG)
    page.locator(".extraction", has_text="10 of 10").last.evaluate("card => card.scrollIntoView()")
    picture(page, "ten-more")
    assert len(records(page, "characters")) == 2

    unwanted = ten.locator(".card.proposal").first.locator(".record-name").inner_text()
    ten.get_by_role("button", name="Reject", exact=True).first.click()
    expect(ten.locator(".decided", has_text=unwanted)).to_contain_text("Rejected by Inês Duarte", timeout=LONG)
    ten.get_by_role("button", name="Accept all 9").click()
    expect(ten.locator(".decided", has_text="Accepted by Inês Duarte")).to_have_count(9, timeout=LONG)
    ten.locator(".decided").first.evaluate("line => line.scrollIntoView()")
    picture(page, "nine-kept")
    people = {row["title"]: row for row in records(page, "characters")}
    assert len(people) == 11
    assert unwanted not in people
    kept = next(row for title, row in people.items() if title not in {"Sarah", "Tomás"})
    sources = page.evaluate(READ, f"/api/v1/records/{kept['id']}/sources/")["results"]
    assert {each["method"] for each in sources} == {"generated"}


def the_scenes(page, stack, model, talk):
    """Locations first; then how it ends is chosen, of what the model proposes."""
    to_the_talk(page, talk)
    begin(page, "locations", "Locations")
    add(page, stack, "locations", {"Name": "Terminal 7"})
    to_the_talk(page, talk)
    model.will_propose()
    begin(page, "scenes", "Scenes")

    panel = page.locator("#context-panel")
    expect(panel.get_by_text("How does the film end?")).to_be_visible(timeout=LONG)
    options = panel.locator("label.choice:has(input:not([value='']))")  # without one's own words
    expect(options).to_have_count(3)
    expect(options.first).to_contain_text("Recommended")
    title = options.first.locator("b").inner_text()
    panel.get_by_role("radio").first.check()
    picture(page, "ending")
    panel.get_by_role("button", name="Answer").click()
    expect(panel.locator(".note-line", has_text=title)).to_be_visible(timeout=LONG)
    add(
        page, stack, "scenes",
        {"Number": "1", "Title": "The locker", "Breakdown": "A locker, a folded vest, a school exercise book."},
        location="Terminal 7", characters="Sarah",
    )  # fmt: skip


def the_storyboard(page, stack, talk):
    to_the_talk(page, talk)
    begin(page, "storyboard", "Storyboard")
    (story,) = records(page, "story")
    assert story["data"]["ending"]
    assert story["data"]["ending_from"] == "chosen from what was proposed"
    add(page, stack, "shots", {"Number": "1A", "Action": "Sarah opens the third locker."}, scene="The locker")
    to_the_talk(page, talk)
    stage(page, "storyboard").get_by_role("button", name="Approve").click()
    expect(stage(page, "package")).to_have_attribute("data-state", "available", timeout=LONG)
    picture(page, "storyboard")


def one_stage_back(page, talk):
    """What was approved is asked for anew."""
    page.locator("#context-panel").get_by_role("link", name="Steps, times and the way back").click()
    board = page.locator("ol.stages > li", has=page.get_by_role("heading", name="Storyboard"))
    board.get_by_role("button", name="Back to before this").click()
    asks = page.get_by_role("alertdialog", name="Back to before “Storyboard”?")
    expect(asks).to_contain_text("records return to what they were")
    asks.get_by_role("button", name="Go back").click()
    expect(page.locator("#run .badge", has_text="Paused").first).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Go on").click()
    expect(board).to_have_attribute("data-state", "available", timeout=LONG)

    to_the_talk(page, talk)
    begin(page, "storyboard", "Storyboard")
    expect(stage(page, "package")).to_contain_text("The storyboard is approved by a manager.")
    stage(page, "storyboard").get_by_role("button", name="Approve").click()
    expect(stage(page, "package")).to_have_attribute("data-state", "available", timeout=LONG)


def the_package(page):
    stage(page, "package").get_by_role("button", name="Start").click()
    expect(page.locator("#context-panel .badge", has_text="Completed")).to_be_visible(timeout=LONG)
    page.locator("#context-panel").get_by_role("link", name="The operation, and the files that it made").click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download production-package.zip").click()
    package = zipfile.ZipFile(io.BytesIO(Path(downloading.value.path()).read_bytes()))
    names = package.namelist()
    wanted = {"records/story.json", "records/characters.json", "records/characters.csv", "records/shots.csv"}
    assert wanted <= set(names)
    documents = [name for name in names if name.endswith(".pdf")]
    assert documents
    assert all(package.read(name).startswith(b"%PDF-") for name in documents)
    assert "Tomás" in package.read("records/characters.csv").decode()
    picture(page, "package")
