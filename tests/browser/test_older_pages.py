"""What a page writes that is older than its person's sign-in in another tab."""

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
