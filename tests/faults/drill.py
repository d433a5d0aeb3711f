"""What every drill needs: a stack to break, a provider to script, a person who talks, and the outcome that is written down."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.provider.fixtures import Provider
from tests.provider.script import expected_text
from tests.stack import Stack

LONG = os.environ.get("PARLANCE_DRILLS") == "long"
#: The short form divides every time-out by five, where twenty were wished for: on a shared machine a lease of less than
#: three seconds lapses by itself.
SCALE = 1.0 if LONG else 0.2
#: Together with all others these take some minutes on two cores, and seconds are what they measure: not beside other tests.
by_command = pytest.mark.skipif(
    "PARLANCE_DRILLS" not in os.environ, reason="takes long on a busy machine: PARLANCE_DRILLS=short, or make drills"
)
FINAL = ("completed", "stopped", "failed", "interrupted")
ENV = {
    "PARLANCE_TIME_SCALE": str(SCALE),
    "PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1",
    # On, as in production, and never reached.
    **{f"PARLANCE_LIMIT_{name}": "5000/10000" for name in ("PERSON", "KEY", "ORGANIZATION", "ADDRESS")},
    "PARLANCE_ANSWERS_AN_HOUR": "100000",
    "PARLANCE_ANSWERS_A_DAY": "100000",
}


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not after {seconds:.0f} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began


@dataclass
class Reading:
    """One reader of a turn's server-sent events, in a thread of its own; comes back after every break."""

    url: str
    headers: dict[str, str]
    text: str = ""
    seq: int = 0
    gaps: int = 0
    breaks: int = 0
    final: str = ""
    message: dict[str, Any] = field(default_factory=dict)
    turn: dict[str, Any] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Reading:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self.final and not self._stop.is_set():
            with contextlib.suppress(httpx.HTTPError):
                self._read()
            if not self.final:
                self.breaks += 1
                time.sleep(0.2)

    def _read(self) -> None:
        with httpx.stream(
            "GET", self.url, params={"after": self.seq}, headers=self.headers, timeout=httpx.Timeout(10, read=30)
        ) as response:
            if response.status_code != 200:
                time.sleep(0.3)
                return
            event = ""
            for line in response.iter_lines():
                if self._stop.is_set():
                    return
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    self._take(event, json.loads(line[6:]))
                    if self.final:
                        return

    def _take(self, event: str, data: dict[str, Any]) -> None:
        if event == "delta":
            self.gaps += data["seq"] != self.seq + 1
            self.seq = data["seq"]
            self.text += data.get("text", "") if data["part_type"] == "text" else ""
        elif event == "reset":
            self.seq = data["seq"]
            self.text = "".join(part.get("text", "") for part in data["parts"] if part["type"] == "text")
        elif event in FINAL:
            self.final, self.message, self.turn = event, data["message"], data["turn"]


class Talker:
    """A person with a key in a conversation of their own."""

    def __init__(self, stack: Stack, person: dict[str, Any], *, base_url: str = "") -> None:
        self.stack, self.person = stack, person
        self.headers = {"Authorization": f"Bearer {person['key']}"}
        self.client = httpx.Client(base_url=f"{base_url or stack.base_url}/api/v1", headers=self.headers, timeout=30)
        self.conversation = self.post("conversations/", {"project": person["project"]}, status=201)["id"]

    def close(self) -> None:
        self.client.close()

    def post(self, address: str, body: dict[str, Any] | None = None, *, status: int | None = None) -> dict[str, Any]:
        answer = self.client.post(address, json=body or {})
        if status is not None:
            assert answer.status_code == status, answer.text
        return answer.json()

    def say(self, content: str, **fields: Any) -> dict[str, Any]:
        body = {"client_id": str(uuid4()), "content": content, **fields}
        return self.post(f"conversations/{self.conversation}/messages/", body, status=202)

    def turn(self, turn_id: str) -> dict[str, Any]:
        return self.client.get(f"turns/{turn_id}/").raise_for_status().json()

    def answer(self, posted: dict[str, Any]) -> dict[str, Any]:
        return self.client.get(f"messages/{posted['answer']['id']}/").raise_for_status().json()

    def read(self, posted: dict[str, Any], *, base_url: str = "") -> Reading:
        url = f"{base_url or self.stack.base_url}/api/v1/turns/{posted['turn']['id']}/events/"
        return Reading(url, self.headers).start()

    def until_final(self, posted: dict[str, Any], seconds: float) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def final() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                found.update(self.turn(posted["turn"]["id"]))
            return found.get("status") in FINAL

        wait_until(final, seconds, f"turn final ({found.get('status')})")
        return found


def seed(stack: Stack, provider: Provider, *, people: int = 1, fallback: bool = False) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.seeding", "--people", str(people), "--provider", provider.openai_url]
    command += ["--each-organization", "1"]  # a breaker that one drill opened is none of another's business
    done = subprocess.run(
        [*command, *(["--fallback"] if fallback else [])],
        env={**stack.env, "DATABASE_URL": stack.owner_url, "PARLANCE_TESTING": "1", "PARLANCE_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def slow(tokens: int, rate: float = 20) -> str:
    """Words that make the provider answer once slowly enough to be broken into; no two drills say the same."""
    return f"[[stub tokens={tokens} rate={rate} times=1]] tell me {uuid4().hex}"


def is_beginning(text: str, tokens: int) -> bool:
    return bool(text) and expected_text(tokens).startswith(text)


def invariants(stack: Stack) -> None:
    """I1 to I5 by the operator's own command."""
    found = json.loads(
        stack.manage("doctor", "--data-only", "--json", env={"PARLANCE_LOG_LEVEL": "ERROR"}, check=False)
    )
    assert found["failed"] == 0, found
