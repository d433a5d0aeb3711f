"""Ask Parlance and follow the answer.   pip install websockets
python follow.py http://localhost:8000 pk_… <conversation> "What changed?"        over server-sent events
python follow.py http://localhost:8000 pk_… <conversation>                        over the socket, until Ctrl-C
"""

import json
import sys
import uuid
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

base, key, conversation, *words = sys.argv[1:]
url, headers = urlsplit(base), {"authorization": f"Bearer {key}", "content-type": "application/json"}


def call(method, path, body=None):
    connection = (HTTPSConnection if url.scheme == "https" else HTTPConnection)(url.netloc)
    connection.request(method, f"/api/v1/{path}", body and json.dumps(body), headers)
    return connection.getresponse()


def ask(text):
    body = {"client_id": str(uuid.uuid4()), "content": text}  # sent again after a lost answer, it makes one message
    turn, seq, event = json.load(call("POST", f"conversations/{conversation}/messages/", body))["turn"], 0, ""
    if turn is None:
        return  # it names only people: nobody else answers
    while event not in ("completed", "stopped", "failed", "interrupted"):
        for line in call("GET", f"turns/{turn['id']}/events/?after={seq}"):  # ends early: ask again for what is missing
            name, _, value = line.decode().rstrip("\n").partition(": ")
            event = value if name == "event" else event
            if name == "data" and event == "delta":
                print(json.loads(value).get("text", ""), end="", flush=True)
            seq = int(value) if name == "id" else seq


def follow():
    from websockets.sync.client import connect

    with connect(f"ws{base[4:]}/ws/", additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "subscribe", "topic": f"conversation:{conversation}", "after": None}))
        for frame in map(json.loads, socket):
            print(frame["text"] if frame.get("part_type") == "text" and "text" in frame else frame, flush=True)


if __name__ == "__main__":
    ask(" ".join(words)) if words else follow()
