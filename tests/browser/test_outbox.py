"""Messages on their way: what one conversation cannot take now waits for itself alone, in its order."""

import json

from tests.browser.modules import ORIGIN, open_modules

ADD = """async (items) => {
    const { outbox } = await import("conversations/outbox");
    window.told = [];
    for (const name of ["sent", "unsent", "refused"]) {
        outbox().addEventListener(name, ({ detail }) => window.told.push([name, detail.item.body.client_id]));
    }
    for (const [conversation, id] of items) outbox().add({ url: `/api/${conversation}/`, conversation, body: { client_id: id } });
}"""
WAITING = "async () => (await import('conversations/outbox')).outbox().items().map((item) => item.body.client_id)"


class Server:
    """Answers as it is told to, and keeps what came in the order in which it came."""

    def __init__(self, page):
        self.taken, self.tried, self.answers = [], [], {}
        open_modules(page)
        page.route(f"{ORIGIN}/api/**", self.answer)

    def answer(self, route):
        conversation = route.request.url.rstrip("/").rpartition("/")[2]
        client_id = json.loads(route.request.post_data)["client_id"]
        self.tried.append(client_id)
        status, headers = self.answers.get(conversation, (202, {}))
        if status == 202:
            self.taken.append(client_id)
        body = "{}" if status == 202 else '{"code": "limit_reached", "detail": "Later."}'
        route.fulfill(status=status, body=body, headers=headers, content_type="application/json")


def test_one_conversation_that_takes_nothing_holds_up_no_other(page):
    server = Server(page)
    server.answers = {"full": (429, {"Retry-After": "3600"}), "broken": (503, {})}

    page.evaluate(
        ADD, [["full", "f1"], ["full", "f2"], ["broken", "b1"], ["broken", "b2"], ["fine", "a1"], ["fine", "a2"]]
    )
    page.wait_for_function("told.filter(([name]) => name === 'sent').length === 2")

    assert server.taken == ["a1", "a2"]
    assert "f2" not in server.tried
    assert "b2" not in server.tried
    assert page.evaluate(WAITING) == ["f1", "f2", "b1", "b2"]

    server.answers = {"full": (429, {"Retry-After": "3600"})}
    page.wait_for_function("told.filter(([name]) => name === 'sent').length === 4")
    assert server.taken == ["a1", "a2", "b1", "b2"]
    assert server.tried.count("f1") == 1

    server.answers = {}
    page.evaluate("async () => (await import('conversations/outbox')).outbox().retry('f1')")
    page.wait_for_function("told.filter(([name]) => name === 'sent').length === 6")
    assert server.taken == ["a1", "a2", "b1", "b2", "f1", "f2"]
    assert page.evaluate(WAITING) == []


def test_time_that_the_server_names_is_kept_with_the_message(page):
    server = Server(page)
    server.answers = {"full": (429, {"Retry-After": "3600"})}
    page.evaluate(ADD, [["full", "f1"], ["full", "f2"]])
    page.wait_for_function("told.length === 1")

    later = page.evaluate("async () => (await import('conversations/outbox')).outbox().items()[0].later")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.evaluate("async () => (await import('conversations/outbox')).outbox().send()")
    assert later["why"] == "Later."
    assert 3_500_000 < later["until"] - page.evaluate("Date.now()") <= 3_600_000
    assert server.tried == ["f1"]

    server.answers = {}
    page.evaluate("async () => (await import('conversations/outbox')).outbox().retry('f1')")
    page.wait_for_function("told.filter(([name]) => name === 'sent').length === 2")
    assert server.taken == ["f1", "f2"]


def test_no_network_stops_all_and_all_go_when_it_is_back(page):
    server = Server(page)
    page.context.set_offline(True)
    page.route(f"{ORIGIN}/api/**", lambda route: route.abort())
    page.evaluate(ADD, [["one", "1"], ["two", "2"]])
    page.wait_for_function("told.length")
    assert {tuple(each) for each in page.evaluate("told")} == {("unsent", "1")}

    page.route(f"{ORIGIN}/api/**", server.answer)
    page.context.set_offline(False)
    page.wait_for_function("told.filter(([name]) => name === 'sent').length === 2")

    assert server.taken == ["1", "2"]
