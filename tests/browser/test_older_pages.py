"""What a page writes that is older than its person's sign-in in another tab."""

import pytest

from tests.browser.modules import ORIGIN, open_modules

BODY = """<meta name="csrf-token" content="old">
<form><input name="csrfmiddlewaretoken" value="old"><input name="words" value="kept"></form>"""
SEND = """async () => {
    const { fetchElements } = await import("core/http");
    Object.assign(document.body.dataset, { tokenUrl: "/token/", viewerId: "ines" });
    const found = await fetchElements("/part/", { method: "POST", body: new FormData(document.forms[0]) });
    return [found[0].textContent, document.querySelector("input").value];
}"""


def test_form_that_a_script_sends_goes_again_with_the_new_token(page):
    sent = []

    def part(route):
        request = route.request
        sent.append((request.headers["x-csrftoken"], "\r\nold\r\n" in request.post_data, "kept" in request.post_data))
        if len(sent) == 1:
            route.fulfill(status=403, json={"code": "csrf"})
        else:
            route.fulfill(body="<p>taken</p>", content_type="text/html")

    open_modules(page, body=BODY)
    page.route(f"{ORIGIN}/token/", lambda route: route.fulfill(json={"user": "ines", "token": "new"}))
    page.route(f"{ORIGIN}/part/", part)

    assert page.evaluate(SEND) == ["taken", "new"]
    assert sent == [("old", True, True), ("new", False, True)]


FORM = """<meta name="csrf-token" content="old">
<form method="post" action="/sent/" data-person="ines" data-seal-key="AAAA">
<input name="csrfmiddlewaretoken" value="old"><button>Sign out</button></form>"""
READY = """async () => {
    Object.assign(document.body.dataset, { tokenUrl: "/token/", viewerId: "ines" });
    addEventListener("signed-out", () => { document.body.dataset.out = ""; });
    await import("web/main");
    window.dispatchEvent(new Event("blur"));
}"""


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        ({"json": {"user": "ines", "token": "new"}}, "new"),
        ({"status": 429, "body": "Later"}, "old"),
        ({"status": 503, "json": {"code": "unavailable"}}, "old"),
        ({"status": 401, "json": {"code": "not_authenticated"}}, None),
        ({"json": {"user": "ben", "token": "new"}}, None),
    ],
)
def test_form_of_an_older_page_goes_unless_somebody_else_is_here(page, answer, token):
    open_modules(page, body=FORM)
    page.route(f"{ORIGIN}/token/", lambda route: route.fulfill(**answer))
    page.route(f"{ORIGIN}/sent/", lambda route: route.fulfill(body=route.request.post_data))
    page.evaluate(READY)

    page.click("button")

    if token is None:
        page.wait_for_selector("body[data-out]")
        assert page.url == f"{ORIGIN}/"
    else:
        page.wait_for_url(f"{ORIGIN}/sent/")
        assert page.text_content("body") == f"csrfmiddlewaretoken={token}"
