"""Files of the message being written: chosen, pasted, dropped, refused with words, kept over a reload, and sent."""

import base64
import re

import pytest
from playwright.sync_api import expect

from tests.browser.members import people, stack, states
from tests.files import samples
from tests.provider.fixtures import provider, running_provider

__all__ = ["people", "provider", "running_provider", "stack", "states"]

pytestmark = pytest.mark.timeout(300)

COPY = """async ([picture, words]) => {
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    const item = { "image/png": new Blob([bytes], { type: "image/png" }) };
    for (const [type, text] of Object.entries(words)) item[type] = new Blob([text], { type });
    await navigator.clipboard.write([new ClipboardItem(item)]);
}"""
SEE_PROGRESS = """() => {
    window.seen = [];
    const note = () => { const bar = document.querySelector(".composer progress"); if (bar) window.seen.push(bar.value); };
    new MutationObserver(note).observe(document.querySelector(".composer .files"), { subtree: true, childList: true, attributes: true });
}"""
PICTURE = base64.b64encode(samples.image()).decode()


def shown(member, state=None):
    return member.page.locator(".composer li.file" + (f'[data-state="{state}"]' if state else ""))


def choose(member, *files):
    with member.page.expect_file_chooser() as choosing:
        member.page.get_by_role("button", name="Attach files").click()
    choosing.value.set_files(list(files))


def text_file(name, content=b"Container, sealed, changed"):
    return {"name": name, "mimeType": "text/plain", "buffer": content}


def drag(member, kind, path, place):
    """As the system tells the browser of a file that is dragged over its window."""
    at = member.page.locator(place).bounding_box()
    devtools = member.context.new_cdp_session(member.page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    devtools.send(
        "Input.dispatchDragEvent",
        {"type": kind, "x": at["x"] + at["width"] / 2, "y": at["y"] + at["height"] / 2, "data": data},
    )
    devtools.detach()


def test_files_are_chosen_pasted_and_dropped_survive_a_reload_and_are_sent(people, tmp_path):
    ines = people("ines").start()
    page, draft = ines.page, ines.page.locator("#draft")
    ines.context.grant_permissions(["clipboard-read", "clipboard-write"])

    choose(ines, text_file("gate-log.csv"), text_file("wrong.txt"))
    expect(shown(ines, "ready")).to_have_count(2)

    page.evaluate(COPY, [PICTURE, {"text/html": "<b>Sealed</b>", "text/plain": "Sealed"}])
    draft.press("Control+v")
    expect(draft).to_have_value("Sealed")
    page.evaluate(COPY, [PICTURE, {}])
    draft.press("Control+v")
    expect(shown(ines, "ready")).to_have_count(3)
    expect(shown(ines).nth(2).locator("img.thumb")).to_be_visible()
    assert shown(ines).nth(2).locator("img.thumb").evaluate("image => image.naturalWidth") == 40

    page_before = page.url
    for path, place in ((tmp_path / "crew.txt", ".composer"), (tmp_path / "places.txt", ".thread")):
        path.write_text("Terminal 7")
        drag(ines, "dragEnter", path, place)
        drag(ines, "dragOver", path, place)
        expect(page.locator(".composer")).to_have_attribute("data-dragging", "")
        drag(ines, "drop", path, place)
        expect(page.locator(".composer")).not_to_have_attribute("data-dragging", "")
    expect(shown(ines, "ready")).to_have_count(5)
    assert page.url == page_before

    page.get_by_role("button", name="Remove wrong.txt").click()
    expect(draft).to_be_focused()
    expect(shown(ines)).to_have_count(4)
    page.reload()
    expect(shown(ines, "ready")).to_have_count(4)
    expect(draft).to_have_value("Sealed")
    names = [name.split("\n")[0] for name in shown(ines).locator(".clip").all_inner_texts()]
    assert names == ["gate-log.csv", "image.png", "crew.txt", "places.txt"]
    expect(shown(ines).nth(1).locator("img.thumb")).to_be_visible()

    draft.press("Enter")
    ines.wait_for_end()
    expect(shown(ines)).to_have_count(0)
    parts = ines.rows()[0]["parts"]
    assert [part["name"] for part in parts if part["type"] == "file"] == names
    expect(ines.messages().first.locator("a.picture img")).to_be_visible()
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    expect(ines.messages().first.locator("a.file, a.picture")).to_have_count(4)
    expect(shown(ines)).to_have_count(0)
    expect(draft).to_have_value("")


def test_message_waits_for_a_file_that_is_on_its_way(people):
    ines = people("ines").start()
    page, draft = ines.page, ines.page.locator("#draft")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 150_000}
    devtools = ines.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", slow)
    page.evaluate(SEE_PROGRESS)

    choose(ines, text_file("long.txt", b"Container, sealed, changed\n" * 15_000))
    expect(shown(ines, "uploading")).to_contain_text(re.compile(r"Uploading, .+ of .+B"))
    draft.fill("What is in it?")
    draft.press("Enter")

    complaint = page.locator("[data-composer-target=notice]")
    expect(complaint).to_contain_text("Files are still on their way")
    assert ines.messages().count() == 0
    expect(draft).to_have_value("What is in it?")
    expect(shown(ines, "ready")).to_have_count(1)
    expect(complaint).to_be_empty()
    assert any(0 < value < 100 for value in page.evaluate("window.seen"))
    expect(shown(ines).locator("progress")).to_have_count(0)
    devtools.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    draft.press("Enter")
    ines.wait_for_end()
    assert [part["type"] for part in ines.rows()[0]["parts"]] == ["file", "text"]


def test_what_is_too_much_is_refused_with_words(people, tmp_path):
    ines = people("ines").start()
    page = ines.page
    big = tmp_path / "film.mov"
    with big.open("wb") as file:
        file.truncate(50 * 1024 * 1024 + 1)

    choose(ines, text_file("empty.txt", b""))
    expect(shown(ines, "failed")).to_contain_text("empty")
    choose(ines, big)
    expect(shown(ines, "failed").nth(1)).to_contain_text("Larger than 50 MB")
    busy = {"status": 429, "headers": {"Retry-After": "1"}, "json": {"code": "limit_reached", "detail": "Later."}}
    page.route("**/api/v1/attachments/", lambda route: route.fulfill(**busy), times=1)
    choose(ines, *(text_file(f"{number}.txt") for number in range(1, 12)))
    expect(shown(ines, "ready")).to_have_count(10)
    expect(shown(ines, "failed")).to_have_count(3)
    expect(shown(ines, "failed").nth(2)).to_contain_text("11.txt")
    expect(shown(ines, "failed").nth(2).get_by_role("alert")).to_have_text("Only 10 files fit in a message.")

    # Words that do not fit as a file either are not lost.
    page.locator("#draft").fill("The whole log. " * 400)
    page.get_by_role("button", name="Attach it as a file").click()
    expect(shown(ines, "failed")).to_have_count(4)
    assert len(page.locator("#draft").input_value()) == 6000
    page.locator("#draft").fill("All of them.")

    page.get_by_role("button", name="Remove 1.txt").click()
    choose(ines, text_file("late.txt"))
    expect(shown(ines, "ready")).to_have_count(10)
    page.locator("#draft").press("Enter")  # nobody may think that these went along
    expect(page.get_by_text("A file could not be attached.")).to_be_visible()
    for name in ("empty.txt", "film.mov", "11.txt"):
        page.get_by_role("button", name=f"Remove {name}").click()
    shown(ines, "failed").get_by_role("button").click()
    expect(page.get_by_text("A file could not be attached.")).to_have_count(0)
    page.locator("#draft").press("Enter")
    ines.wait_for_end()
    expect(shown(ines)).to_have_count(0)
    sent = [part["name"] for part in ines.rows()[0]["parts"] if part["type"] == "file"]
    assert sent == [*(f"{number}.txt" for number in range(2, 11)), "late.txt"]
    ines.complaints.clear()  # the browser tells of the file that the server refused


def test_long_words_are_counted_and_go_as_a_file(people):
    ines = people("ines").start()
    page, draft = ines.page, ines.page.locator("#draft")
    counter = page.locator("[data-composer-target=counter]")
    offer = page.locator(".tools").get_by_role("button", name="Attach it as a file")
    draft.fill("x" * 4999)
    expect(counter).to_be_hidden()
    expect(offer).to_be_hidden()
    draft.press("x")
    expect(counter).to_have_text("5,000")
    expect(offer).to_be_visible()

    draft.fill("log " * 25_004)
    notice = page.locator("[data-composer-target=notice]")
    expect(notice).to_contain_text("100,016 characters are more than a message holds (100,000).")
    draft.press("Enter")
    assert ines.messages().count() == 0
    page.route("**/api/v1/attachments/", lambda route: route.abort())
    notice.get_by_role("button", name="Attach it as a file").click()
    expect(shown(ines, "failed")).to_have_count(1)
    assert len(draft.input_value()) == 100_016, "what is not there yet is not taken away here"

    page.unroute_all()
    notice.get_by_role("button", name="Attach it as a file").click()
    expect(shown(ines, "ready")).to_contain_text("pasted-text.txt")
    expect(draft).to_have_value("")
    expect(notice).to_be_empty()
    expect(counter).to_be_hidden()
    draft.fill("Summarize it.")
    draft.press("Enter")
    ines.wait_for_end()
    (file,) = [part for part in ines.rows()[0]["parts"] if part["type"] == "file"]
    assert (file["name"], file["size"]) == ("pasted-text.txt", 100_016)
    ines.complaints.clear()  # the request that the network lost
