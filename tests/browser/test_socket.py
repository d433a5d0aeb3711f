"""The page's one connection, in Chromium, against a server that the test plays."""

import json

import pytest

from tests.browser.modules import ORIGIN, open_modules

FOLLOW = """async () => {
    const { LiveSocket } = await import("live/socket");
    window.frames_ = [];
    window.position = 0;
    window.live = new LiveSocket("/ws/");
    window.states = [];
    live.addEventListener("state", ({ detail }) => states.push(detail.state));
    live.subscribe("conversation:c", {
        position: () => ({ after: position, turns: {} }),
        onFrame: (frame) => {
            if (frame.topic_position <= position) return "old";
            if (frame.topic_position > position + 1) return "gap";
            position = frame.topic_position;
            frames_.push(position);
            return "applied";
        },
    });
}"""


class Server:
    """Accepts every connection, keeps what was said, and speaks when the test wants it to."""

    def __init__(self, page):
        self.connections, self.said, self.is_dead = [], [], False
        page.route_web_socket(f"{ORIGIN.replace('http', 'ws')}/ws/", self._accept)

    def _accept(self, connection):
        self.connections.append(connection)
        connection.on_message(lambda text: self._hear(connection, json.loads(text)))

    def _hear(self, connection, frame):
        """``is_dead``: a line that is gone without having been closed."""
        if self.is_dead:
            return
        self.said.append(frame)
        if frame["type"] == "ping":
            connection.send('{"type": "pong"}')

    def say(self, *positions):
        for position in positions:
            frame = {"type": "event", "topic": "conversation:c", "topic_position": position, "event": "any", "data": {}}
            self.connections[-1].send(json.dumps(frame))

    def close(self, code):
        self.connections[-1].close(code=code)

    @property
    def asked(self):
        return [frame["after"] for frame in self.said if frame["type"] == "subscribe"]


@pytest.fixture
def server(page):
    server = Server(page)
    open_modules(page)
    page.evaluate(FOLLOW)
    wait(page, lambda: server.asked == [0])
    return server


def wait(page, true, seconds=6):
    for _ in range(int(seconds * 50)):
        if true():
            return
        page.wait_for_timeout(20)
    raise AssertionError("It did not happen.")


def test_socket_subscribes_and_hands_over_frames_once(page, server):
    server.say(1, 2, 2, 1, 3)
    wait(page, lambda: page.evaluate("position") == 3)

    assert page.evaluate("frames_") == [1, 2, 3]
    assert server.asked == [0]


def test_socket_asks_once_for_all_frames_behind_a_gap(page, server):
    server.say(1)
    page.wait_for_timeout(500)
    server.say(3, 4, 5, 6)
    wait(page, lambda: server.asked == [0, 1])
    server.say(2, 3, 4, 5, 6)
    wait(page, lambda: page.evaluate("position") == 6)

    page.wait_for_timeout(600)

    assert page.evaluate("frames_") == [1, 2, 3, 4, 5, 6]
    assert server.asked == [0, 1]


def test_socket_resumes_soon_after_the_server_restarts(page, server):
    server.say(1, 2)
    wait(page, lambda: page.evaluate("position") == 2)

    server.close(1012)
    wait(page, lambda: len(server.asked) == 2, seconds=4)

    assert server.asked == [0, 2]


def test_socket_waits_longer_for_a_busy_server(page, server):
    server.close(1013)
    wait(page, lambda: page.evaluate("live.state") == "waiting")

    assert page.evaluate("live.retryAt - Date.now()") > 4000


def test_socket_of_one_who_was_signed_out_stays_closed(page, server):
    server.close(4401)
    wait(page, lambda: page.evaluate("live.state") == "signed-out")
    page.wait_for_timeout(1500)

    assert len(server.connections) == 1


def test_socket_backs_off_further_each_time_nobody_speaks(page, server):
    waits = []
    for count in range(2, 6):
        server.close(1011)
        wait(page, lambda: page.evaluate("live.state") == "waiting")
        waits.append(page.evaluate("live.retryAt - Date.now()"))
        wait(page, lambda count=count: len(server.connections) == count, seconds=10)
        wait(page, lambda: page.evaluate("live.state") == "open")

    assert max(waits) < 0.2 * 1000 + 500 * 2**4
    assert page.evaluate("states.filter((state) => state === 'waiting').length") == 4


def test_socket_says_offline_at_once_and_comes_back_with_the_network(page, server):
    page.context.set_offline(offline=True)
    wait(page, lambda: page.evaluate("live.state") == "offline")
    page.context.set_offline(offline=False)
    wait(page, lambda: len(server.asked) == 2)

    assert page.evaluate("states.at(-1)") == "open"


def test_socket_tells_that_the_reader_is_away(page, server):
    page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'hidden' })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    wait(page, lambda: {"type": "presence", "state": "away"} in server.said)


@pytest.mark.parametrize("event", ["focus", "online"])
def test_socket_asks_whether_the_line_is_dead_when_somebody_comes_back(page, server, event):
    page.evaluate("(name) => dispatchEvent(new Event(name))", event)
    wait(page, lambda: {"type": "ping"} in server.said)
    page.wait_for_timeout(100)
    server.is_dead = True

    page.evaluate("(name) => dispatchEvent(new Event(name))", event)
    page.wait_for_timeout(500)
    server.is_dead = False
    wait(page, lambda: server.asked == [0, 0], seconds=8)

    assert page.evaluate("states.at(-1)") == "open"


def test_socket_notices_a_dead_line_by_itself(page):
    page.clock.install()
    server = Server(page)
    open_modules(page)
    page.evaluate(FOLLOW)
    wait(page, lambda: server.asked == [0])
    for count in (1, 2):
        page.clock.run_for(15_000)
        wait(page, lambda count=count: server.said.count({"type": "ping"}) == count)
        page.wait_for_timeout(200)
    assert server.asked == [0]

    page.evaluate("Math.random = () => 9")
    page.evaluate("window.waits = []")
    page.evaluate(
        "live.addEventListener('state', ({ detail: { retryAt } }) => retryAt && waits.push(retryAt - Date.now()))"
    )
    server.is_dead = True
    for count in (1, 2):  # a server that stalls has many pages, and stalls longer when all of them come back at once
        wait(page, lambda: page.evaluate("live.state") == "open")
        page.clock.run_for(15_000)
        page.wait_for_timeout(200)
        page.clock.run_for(4_000)
        wait(page, lambda count=count: page.evaluate("waits.length") == count)
        server.is_dead = count == 1
        page.clock.run_for(page.evaluate("waits.at(-1)"))
        wait(page, lambda count=count: len(server.connections) == count + 1)

    wait(page, lambda: server.asked == [0, 0])
    assert page.evaluate("waits") == [4600, 9100]
