"""The page's store, alone: whatever a client misses, repeats or asks for again, it ends where one that never left ends."""

import copy
import json
import random

import pytest

from tests.browser.modules import open_modules

TOPIC = "conversation:c"

PLAY = """async (given) => {
    const { log, snapshots, seed, loss } = JSON.parse(given);
    const store = await import("conversations/store");
    let random = seed;
    const chance = () => (random = (random * 1103515245 + 12345) % 2147483648) / 2147483648;
    const state = store.createState();
    store.applySnapshot(state, snapshots[0]);

    const take = (frame) => ({
        event: store.applyEvent, delta: store.applyDelta, status: store.applyStatus, snapshot: store.applySnapshot,
    })[frame.type](state, frame);
    // What a server sends to one who subscribes again: everything after what the client says it has.
    const resume = (now) => {
        const known = store.positionsOf(state);
        if (state.isPathStale) take(snapshots[now]);
        for (const frame of log.slice(0, now)) {
            if (frame.type === "event" && frame.topic_position > state.position) take(frame);
        }
        if (state.isPathStale) take(snapshots[now]);
        for (const frame of log.slice(0, now)) {
            if (frame.type === "delta" && frame.seq > (known[frame.turn] ?? 0)) take(frame);
            if (frame.type === "status") take(frame);
        }
    };
    log.forEach((frame, at) => {
        if (loss && chance() < loss) return;
        if (take(frame) === store.GAP || state.isPathStale) resume(at + 1);
        if (loss && chance() < loss / 4) take(log[Math.floor(chance() * (at + 1))]);
        if (loss && chance() < loss / 4) resume(at + 1);
    });
    resume(log.length);
    const before = JSON.stringify(store.viewOf(state));
    for (const frame of log) if (frame.type !== "snapshot") take(frame);
    const isSteady = before === JSON.stringify(store.viewOf(state));
    return JSON.stringify({ view: store.viewOf(state), isSteady, position: state.position });
}"""


class Conversation:
    """What the server would say, in the order in which it would say it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.title, self.rows, self.path, self.log, self.position = "", {}, [], [], 0
        self.streams, self.ids = {}, 0
        self.snapshots = [self.snapshot()]

    def snapshot(self):
        messages = [copy.deepcopy(self.rows[pk]) for pk in self.path]
        data = {"conversation": {"title": self.title}, "messages": messages}
        return {"type": "snapshot", "topic": TOPIC, "topic_position": self.position, "data": data}

    def say(self, **frame):
        self.log.append({"topic": TOPIC, **copy.deepcopy(frame)})
        self.snapshots.append(self.snapshot())

    def announce(self, **data):
        self.position += 1
        self.say(type="event", topic_position=self.position, event="any", data=data)

    def new_id(self, kind):
        self.ids += 1
        return f"{kind}{self.ids}"

    def row(self, role, parent, text=""):
        pk = self.new_id("m")
        parts = [{"type": "text", "text": text}] if text else []
        self.rows[pk] = {"id": pk, "role": role, "parent": parent, "parts": parts, "content": text, "turn": None}
        return self.rows[pk]

    def start_turn(self, answer):
        turn = {"id": self.new_id("t"), "message": answer["id"], "status": "queued"}
        answer["turn"] = turn
        self.streams[turn["id"]] = {
            "seq": 0,
            "parts": copy.deepcopy(answer["parts"]),
            "is_continued": bool(answer["parts"]),
        }
        return turn

    def post(self, parent="end"):
        above = (self.path[-1] if self.path else None) if parent == "end" else parent
        question = self.row("user", above, self.random.choice(["Hello", "**Why**", "é\u2028"]))
        answer = self.row("assistant", question["id"])
        turn = self.start_turn(answer)
        keep = self.path.index(above) + 1 if above else 0
        self.path = [*self.path[:keep], question["id"], answer["id"]]
        self.announce(message=question, answer=answer, turn=turn)

    def branch(self):
        if self.path:
            self.post(parent=self.rows[self.random.choice(self.path)]["parent"])

    def running(self):
        return [row for row in self.rows.values() if row["turn"] and row["turn"]["status"] in ("queued", "running")]

    def speak(self):
        if not (running := self.running()):
            return
        row = self.random.choice(running)
        turn, stream = row["turn"], self.streams[row["turn"]["id"]]
        if turn["status"] == "queued":
            turn["status"] = "running"
            self.say(type="status", turn=turn["id"], state="running", message=row["id"])
            self.announce(message=row, turn=turn)
            return
        stream["seq"] += 1
        if stream["seq"] == 1 and stream["is_continued"]:
            self.say(type="delta", turn=turn["id"], seq=1, reset=True, parts=stream["parts"])
            return
        index = max(len(stream["parts"]) - 1, 0) if self.random.random() < 0.9 else len(stream["parts"])
        if index == len(stream["parts"]):
            kind = self.random.choice(["text", "reasoning", "tool_call"])
            stream["parts"].append({"type": kind, **({"text": ""} if kind != "tool_call" else {})})
        part = stream["parts"][index]
        if part["type"] == "tool_call":
            change = {"data": {"id": "1", "name": "look", "arguments": {"n": stream["seq"]}}}
            part.update(change["data"])
        else:
            change = {"text": self.random.choice(["a ", "``", "\n\n", "ç"])}
            part["text"] += change["text"]
        self.say(type="delta", turn=turn["id"], seq=stream["seq"], part=index, part_type=part["type"], **change)
        if self.random.random() < 0.2:  # a checkpoint: the row knows more now, and nobody is told
            self.write(row)

    def write(self, row):
        row["parts"] = copy.deepcopy(self.streams[row["turn"]["id"]]["parts"])
        row["content"] = "".join(part["text"] for part in row["parts"] if part["type"] == "text")

    def end(self):
        if not (running := [row for row in self.running() if row["turn"]["status"] == "running"]):
            return
        row = self.random.choice(running)
        self.write(row)
        row["turn"]["status"] = self.random.choice(["completed", "stopped", "failed", "interrupted"])
        self.say(type="status", turn=row["turn"]["id"], state=row["turn"]["status"], message=row["id"])
        self.announce(message=row, turn=row["turn"])

    def go_on(self):
        ended = [
            row for row in self.rows.values() if row["turn"] and row["turn"]["status"] in ("stopped", "interrupted")
        ]
        if ended:
            row = self.random.choice(ended)
            self.start_turn(row)
            self.announce(message=row, turn=row["turn"])

    def delete(self):
        if self.path:
            row = self.rows[self.random.choice(self.path)]
            if row not in self.running():
                row.update(parts=[], content="", deleted_at="now")
                self.announce(message=row)

    def rename(self):
        self.title = self.new_id("title ")
        self.announce(conversation={"title": self.title})

    def live(self, operations):
        does = [self.post, self.speak, self.end, self.go_on, self.delete, self.rename, self.branch]
        for operation in self.random.choices(does, weights=[4, 60, 6, 3, 1, 1, 1], k=operations):
            operation()

    def view(self):
        """As a fresh read of rows and streams tells it."""
        messages = []
        for pk in self.path:
            row = copy.deepcopy(self.rows[pk])
            if row in self.running() and self.streams[row["turn"]["id"]]["seq"]:
                row["parts"] = self.streams[row["turn"]["id"]]["parts"]
            row["content"] = "".join(part["text"] for part in row["parts"] if part["type"] == "text")
            messages.append(row)
        return {"title": self.title, "messages": messages}


def without_checkpoints(view):
    """Between its events a running turn's own record may be older on the page: only its words count."""
    for message in view["messages"]:
        if message["turn"] and message["turn"]["status"] in ("queued", "running"):
            message["turn"] = {"id": message["turn"]["id"]}
    return view


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("loss", [0, 0.1, 0.5])
def test_store_ends_where_the_server_is(page, seed, loss):
    conversation = Conversation(seed)
    conversation.live(500)
    open_modules(page)

    # As text: Playwright's own way of handing over such a large value takes seconds.
    given = {"log": conversation.log, "snapshots": conversation.snapshots, "seed": seed + 1, "loss": loss}
    seen = json.loads(page.evaluate(PLAY, json.dumps(given)))

    assert seen["position"] == conversation.position
    assert seen["isSteady"], "frames that were seen before changed something"
    assert without_checkpoints(seen["view"]) == without_checkpoints(conversation.view())


AGAIN = """async (frames) => {
    const store = await import("conversations/store");
    const state = store.createState();
    const take = (frame) => ({
        event: store.applyEvent, delta: store.applyDelta, status: store.applyStatus, snapshot: store.applySnapshot,
    })[frame.type](state, frame);
    return frames.map((frame) => [take(frame), state.turns.get("t")?.state ?? null, store.textOf(state, "m")]);
}"""


def row(status, text):
    turn = {"id": "t", "message": "m", "status": status}
    return {"id": "m", "role": "assistant", "parent": None, "parts": [{"type": "text", "text": text}], "turn": turn}


def event(position, status, text=""):
    message = row(status, text)
    data = {"message": message, "turn": message["turn"]}
    return {"type": "event", "topic": TOPIC, "topic_position": position, "event": "any", "data": data}


def delta(seq, text):
    return {"type": "delta", "turn": "t", "seq": seq, "part": 0, "part_type": "text", "text": text}


def test_turn_that_an_operator_begins_anew_is_followed_again(page):
    open_modules(page)
    frames = [
        {"type": "snapshot", "topic": TOPIC, "topic_position": 0, "data": {"messages": [row("running", "")]}},
        delta(1, "Lost"),
        {"type": "status", "turn": "t", "state": "failed", "message": "m"},
        event(1, "failed", "Lost"),
        {"type": "status", "turn": "t", "state": "queued", "message": "m"},
        event(2, "queued"),
        {"type": "status", "turn": "t", "state": "running", "message": "m"},
        delta(1, "Found"),
        event(3, "completed", "Found"),
    ]

    seen = page.evaluate(AGAIN, frames)

    assert seen == [
        ["applied", "running", ""],
        ["applied", "running", "Lost"],
        ["applied", "failed", ""],
        ["applied", "failed", "Lost"],
        ["old", "failed", "Lost"],
        ["applied", "queued", ""],
        ["applied", "running", ""],
        ["applied", "running", "Found"],
        ["applied", "completed", "Found"],
    ]


def test_event_that_was_written_before_the_end_and_comes_after_it_opens_nothing(page):
    open_modules(page)
    frames = [
        {"type": "snapshot", "topic": TOPIC, "topic_position": 0, "data": {"messages": [row("queued", "")]}},
        {"type": "status", "turn": "t", "state": "completed", "message": "m"},
        event(1, "running"),
        event(2, "completed", "All"),
    ]

    seen = page.evaluate(AGAIN, frames)

    assert [state for _result, state, _text in seen] == ["queued", "completed", "completed", "completed"]
    assert seen[-1][2] == "All"
