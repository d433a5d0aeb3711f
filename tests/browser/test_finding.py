"""Words that are found inside a conversation, marked on the page."""

import pytest

from tests.browser.modules import ORIGIN, open_modules

BODY = '<article class="message"><div class="prose">Das Café Müller, cafe. Smørrebrød in Łódź, Đorđe, Straße 4.5, Gasse, Zu\u0308rich</div></article>'
FIND = """async (words) => {
    const { Finding } = await import("conversations/finding");
    const session = { show: async () => null, thread: { find: () => document.querySelector("article") } };
    await new Finding({ session, scroller: document.body, url: "/api/?" }).search(words);
    return [...CSS.highlights.get("found")].map(String);
}"""


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        ("cafe", ["Café", "cafe"]),
        ("CAFÉ", ["Café", "cafe"]),
        ("mu\u0308ll", ["Müll"]),
        ("smorrebrod LODZ đorde", ["Smørrebrød", "Łódź", "Đorđe"]),
        ("strasse", ["Straße"]),
        ("gaße", ["Gasse"]),
        ("zürich 4.5 (", ["Zu\u0308rich", "4.5"]),
    ],
)
def test_words_are_marked_with_and_without_accents(page, words, marked):
    open_modules(page, body=BODY)
    page.route(f"{ORIGIN}/api/**", lambda route: route.fulfill(json={"results": [{"id": "1", "position": 1}]}))

    assert page.evaluate(FIND, words) == marked
